/**
 * Many connections that are never at rest: each asks again as soon as it is answered.
 *
 *   node busy-crowd.mjs PORT CONNECTIONS ENOUGH MOST
 *
 * Ends when each has had ENOUGH answers, or all together MOST, and prints "N least, M most": answers of a connection.
 */
import { connect } from "node:net";

const [port, wanted, enough, most] = process.argv.slice(2).map(Number);
const REQUEST = Buffer.from(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
const counts = new Array(wanted).fill(0);
let waiting = wanted;
let answers = 0;

function end() {
  console.log(`${Math.min(...counts)} least, ${Math.max(...counts)} most`);
  process.exit(0);
}

function fail(error) {
  console.log(`lost: ${error?.message ?? "closed"}`);
  process.exit(1);
}

for (let i = 0; i < wanted; i++) {
  const socket = connect(port, "127.0.0.1", () => socket.write(REQUEST));
  socket.on("error", fail);
  socket.on("close", () => fail());
  // Small answers on loopback come whole.
  socket.on("data", () => {
    answers++;
    if (++counts[i] === enough) waiting--;
    if (waiting === 0 || answers >= most) end();
    socket.write(REQUEST);
  });
}
