/**
 * Opens many keep-alive connections, makes one request on each, and holds them until its input ends.
 *
 *   node idle-client.mjs PORT CONNECTIONS
 *
 * Prints "ready N" when all have been answered, N being how many still stand.
 */
import { connect } from "node:net";

const [port, wanted] = process.argv.slice(2).map(Number);
/** Requests under way at once: fewer than any accept queue is long. */
const AT_ONCE = 64;
/** Connections per client address: below the usual 28,232 ephemeral ports. */
const PER_ADDRESS = 10_000;
const REQUEST = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
const ANSWER_END = "Hello, world!";

const standing = new Set();
let opened = 0;

function open() {
  if (opened >= wanted) return;
  // 127.0.0.2 and on: every address of 127.0.0.0/8 is this machine, each with ports of its own.
  const localAddress = `127.0.0.${2 + Math.floor(opened / PER_ADDRESS)}`;
  opened++;
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  let tail = "";
  const answered = (piece) => {
    tail = (tail + piece.toString("latin1")).slice(-ANSWER_END.length);
    if (tail !== ANSWER_END) return;
    socket.off("data", answered);
    // Goes on reading, or it would not see the server close.
    socket.resume();
    standing.add(socket);
    open();
    if (standing.size === wanted) console.log(`ready ${standing.size}`);
  };
  socket.on("data", answered);
  socket.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
  socket.on("close", () => standing.delete(socket));
  socket.write(REQUEST);
}

for (let i = 0; i < Math.min(AT_ONCE, wanted); i++) open();

process.stdin.on("end", () => {
  console.log(`closing ${standing.size}`);
  // With RST, so that the ports are free again at once.
  for (const socket of standing) socket.resetAndDestroy();
  process.exit(0);
});
process.stdin.resume();
