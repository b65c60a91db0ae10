/**
 * One long upload or download over one connection.
 *
 *   node transfer-client.mjs PORT upload BYTES APP_RATE
 *   node transfer-client.mjs PORT download BYTES READ_RATE
 *
 * Rates are bytes a second, 0 for as fast as possible. Prints "moved N" with the bytes that the server says it got, or
 * that arrived here.
 */
import { connect } from "node:net";

const [port, , bytes, rate] = process.argv.slice(2).map(Number);
const direction = process.argv[3];
const PIECE = Buffer.alloc(256 * 1024, 0x61);
const socket = connect({ port, host: "127.0.0.1" });
let head = "";
let body = 0;
let text = "";
let length = -1;
const startedMs = performance.now();

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Reading stops as long as more has arrived than the rate permits; the kernel's buffers then fill up. */
function holdToRate() {
  const aheadMs = (body / rate) * 1e3 - (performance.now() - startedMs);
  if (aheadMs <= 5 || socket.isPaused()) return;
  socket.pause();
  setTimeout(() => socket.resume(), aheadMs);
}

function takeBody(piece) {
  body += piece.length;
  if (direction === "upload") text += piece.toString("latin1");
  else if (rate > 0) holdToRate();
  if (body < length) return;
  console.log(`moved ${direction === "upload" ? text : body}`);
  socket.destroy();
}

socket.on("data", (piece) => {
  if (length >= 0) return takeBody(piece);
  head += piece.toString("latin1");
  const end = head.indexOf("\r\n\r\n");
  if (end < 0) return;
  if (!head.startsWith("HTTP/1.1 200 ")) fail(head);
  length = Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? fail(head));
  takeBody(Buffer.from(head.slice(end + 4), "latin1"));
});
socket.on("error", (error) => fail(error.message));
socket.on("end", () => fail(`The server ended the connection after ${body} bytes.`));

let left = bytes;
function upload() {
  while (left > 0) {
    const piece = left >= PIECE.length ? PIECE : PIECE.subarray(0, left);
    left -= piece.length;
    if (!socket.write(piece)) {
      socket.once("drain", upload);
      return;
    }
  }
}

if (direction === "upload") {
  socket.write(`POST /upload?rate=${rate} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${bytes}\r\n\r\n`);
  upload();
} else {
  socket.write(`GET /download?bytes=${bytes} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
}
