/**
 * Bad requests at a steady rate, each on a connection of its own, until this program's input ends.
 *
 *   node noise-client.mjs PORT REQUESTS_PER_SECOND
 *
 * Every one must be refused with 4xx (or 501, 505), or its connection closed. Prints "ready N" at the beginning, and at the
 * end "sent N: refused A, closed B, accepted C (which), failed F, waiting W". Failed are answers of 5xx and silence; those
 * that wait at the end have not been silent long enough.
 */
import { connect } from "node:net";

const [port, rate] = process.argv.slice(2).map(Number);
const SILENCE_MS = 2_000;
const TICK_MS = 5;
const HOST = `Host: 127.0.0.1:${port}\r\n`;
/** What RFC 9112 has a server refuse. */
const BAD = {
  "no Host": "GET / HTTP/1.1\r\n\r\n",
  "two lengths": `POST /upload HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
  "length not a number": `POST /upload HTTP/1.1\r\n${HOST}Content-Length: +2\r\n\r\nab`,
  "space before the colon": `GET / HTTP/1.1\r\n${HOST}X-A : 1\r\n\r\n`,
  "no version": `GET / HTTQ/1.1\r\n${HOST}\r\n`,
  "TLS on a plain port": "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
  "broken chunk": `POST /upload HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n`,
};
const KINDS = Object.keys(BAD);

let sent = 0;
let refused = 0;
let closed = 0;
let failed = 0;
const accepted = new Map();

function judge(kind, text) {
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0);
  if (status === 0) closed++;
  else if (status < 400) accepted.set(kind, (accepted.get(kind) ?? 0) + 1);
  else if (status < 500 || status === 501 || status === 505) refused++;
  else failed++;
}

function send() {
  const kind = KINDS[sent++ % KINDS.length];
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let judged = false;
  const end = () => {
    if (judged) return;
    judged = true;
    judge(kind, text);
    socket.destroy();
  };
  socket.setTimeout(SILENCE_MS, () => {
    if (!judged && text === "") failed++;
    judged = true;
    socket.destroy();
  });
  socket.on("error", () => {});
  socket.on("close", end);
  socket.on("data", (piece) => {
    text += piece.toString("latin1");
    if (text.includes("\r\n\r\n")) end();
  });
  socket.write(BAD[kind], "latin1");
}

console.log(`ready ${rate}`);
const startedMs = performance.now();
setInterval(() => {
  const due = Math.floor(((performance.now() - startedMs) / 1e3) * rate);
  while (sent < due) send();
}, TICK_MS);

process.stdin.on("data", () => {});
process.stdin.on("end", () => {
  const taken = [...accepted.values()].reduce((sum, times) => sum + times, 0);
  const which = taken === 0 ? "" : ` (${[...accepted.keys()].join(", ")})`;
  console.log(
    `sent ${sent}: refused ${refused}, closed ${closed}, accepted ${taken}${which}, failed ${failed}, waiting ${sent - refused - closed - taken - failed}`,
  );
  process.exit(0);
});
