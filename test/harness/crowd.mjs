/**
 * Many connections at once, each with one request at a time.
 *
 *   node crowd.mjs PORT CONNECTIONS
 *
 * Asks on each when it starts, and again for each line of its input; prints "N answers, M lost" behind each round.
 */
import { connect } from "node:net";
import { createInterface } from "node:readline";

const [port, wanted] = process.argv.slice(2).map(Number);
/** Handshakes under way at once: fewer than an accept queue is long. */
const AT_ONCE = 64;
const REQUEST = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
const sockets = new Set();
let answers = 0;
let lost = 0;
let opened = 0;

function report() {
  if (answers + lost < wanted) return;
  console.log(`${answers} answers, ${lost} lost`);
}

function open() {
  if (opened === wanted) return;
  opened++;
  const socket = connect(port, "127.0.0.1");
  sockets.add(socket);
  socket.on("data", (bytes) => {
    if (!bytes.toString("latin1").startsWith("HTTP/1.1 200 ")) lost++;
    else answers++;
    open();
    report();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    sockets.delete(socket);
    lost++;
    report();
  });
  socket.write(REQUEST);
}

for (let i = 0; i < AT_ONCE; i++) open();
const lines = createInterface({ input: process.stdin });
lines.on("line", () => {
  answers = 0;
  lost = wanted - sockets.size;
  for (const socket of sockets) socket.write(REQUEST);
});
lines.on("close", () => {
  for (const socket of sockets) socket.resetAndDestroy();
  process.exit(0);
});
