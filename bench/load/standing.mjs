/** What the idle clients share: many connections, each used once, that then stand until the program's input ends. */
import { connect } from "node:net";

/** Exchanges under way at once: fewer than any accept queue is long. */
const AT_ONCE = 64;
/** Connections per client address: below the usual 28,232 ephemeral ports. */
const PER_ADDRESS = 10_000;

function fail(message) {
  console.error(message);
  process.exit(1);
}

/**
 * Opens `wanted` connections and holds them. `hearing(socket)` is called for each and returns what hears its bytes: that
 * returns true when the exchange is over, and throws when it went wrong. Prints `ready()` when all have had theirs, and
 * "closing N" at the end, N being how many still stand.
 */
export function holdConnections({ port, wanted, first, hearing, ready }) {
  const standing = new Set();
  let opened = 0;
  const open = () => {
    if (opened >= wanted) return;
    // 127.0.0.2 and on: every address of 127.0.0.0/8 is this machine, each with ports of its own.
    const localAddress = `127.0.0.${2 + Math.floor(opened / PER_ADDRESS)}`;
    opened++;
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    const heard = hearing(socket);
    const hear = (piece) => {
      try {
        if (!heard(piece)) return;
      } catch (error) {
        fail(error.message);
      }
      socket.off("data", hear);
      // Goes on reading, or it would not see the server close.
      socket.resume();
      standing.add(socket);
      open();
      if (standing.size === wanted) console.log(ready());
    };
    socket.on("data", hear);
    socket.on("error", (error) => fail(error.message));
    socket.on("close", () => standing.delete(socket));
    socket.write(first);
  };
  for (let i = 0; i < Math.min(AT_ONCE, wanted); i++) open();
  process.stdin.on("end", () => {
    console.log(`closing ${standing.size}`);
    // With RST, so that the ports are free again at once.
    for (const socket of standing) socket.resetAndDestroy();
    process.exit(0);
  });
  process.stdin.resume();
}
