/**
 * Opens many WebSockets, exchanges one message on each, and holds them until its input ends.
 *
 *   node socket-idle-client.mjs PORT CONNECTIONS PATH [deflate]
 *
 * With `deflate` it offers permessage-deflate and sends the message compressed where the server agreed, so that both sides'
 * compressors have been used. Prints "ready N compressed M" when all have been answered, N being how many still stand.
 */
import { connect } from "node:net";
import { constants, deflateRawSync } from "node:zlib";

const [port, wanted] = process.argv.slice(2, 4).map(Number);
const path = process.argv[4];
const offer = process.argv[5] === "deflate" ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "";
/** Handshakes under way at once: fewer than any accept queue is long. */
const AT_ONCE = 64;
/** Connections per client address: below the usual 28,232 ephemeral ports. */
const PER_ADDRESS = 10_000;
const HANDSHAKE = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${offer}\r\n`;
const TEXT = 0x81;
const COMPRESSED = 0x40;
/** Longer than servers' thresholds for compressing, which lie at a kilobyte or so. */
const MESSAGE = Buffer.from("All this is said again and again. ".repeat(64));
/** RFC 7692 section 7.2.1: without the four bytes that end a flush. */
const DEFLATED = deflateRawSync(MESSAGE, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);

/** One masked frame, its key zeros. */
function frame(first, payload) {
  const head = payload.length < 126 ? [payload.length | 0x80] : [126 | 0x80, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from([first, ...head, 0, 0, 0, 0]), payload]);
}

const PLAIN_FRAME = frame(TEXT, MESSAGE);
const COMPRESSED_FRAME = frame(TEXT | COMPRESSED, DEFLATED);

/** Bytes of the first frame in `bytes`, or Infinity while its head is not whole. */
function frameBytes(bytes) {
  if (bytes.length < 4) return Number.POSITIVE_INFINITY;
  const length = bytes[1] & 0x7f;
  return length < 126 ? 2 + length : 4 + bytes.readUInt16BE(2);
}

const standing = new Set();
let opened = 0;
let compressed = 0;

function fail(message) {
  console.error(message);
  process.exit(1);
}

function open() {
  if (opened >= wanted) return;
  const localAddress = `127.0.0.${2 + Math.floor(opened / PER_ADDRESS)}`;
  opened++;
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  let bytes = Buffer.alloc(0);
  let asked = false;
  const hear = (piece) => {
    bytes = Buffer.concat([bytes, piece]);
    if (!asked) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = bytes.subarray(0, end).toString("latin1");
      if (!head.startsWith("HTTP/1.1 101")) fail(head.split("\r\n")[0]);
      const agreed = /\r\nsec-websocket-extensions:[^\r]*permessage-deflate/i.test(head);
      if (agreed) compressed++;
      asked = true;
      bytes = bytes.subarray(end + 4);
      socket.write(agreed ? COMPRESSED_FRAME : PLAIN_FRAME);
    }
    if (bytes.length < frameBytes(bytes)) return;
    socket.off("data", hear);
    // Goes on reading, or it would not see the server close.
    socket.resume();
    standing.add(socket);
    open();
    if (standing.size === wanted) console.log(`ready ${standing.size} compressed ${compressed}`);
  };
  socket.on("data", hear);
  socket.on("error", (error) => fail(error.message));
  socket.on("close", () => standing.delete(socket));
  socket.write(HANDSHAKE);
}

for (let i = 0; i < Math.min(AT_ONCE, wanted); i++) open();

process.stdin.on("end", () => {
  console.log(`closing ${standing.size}`);
  // With RST, so that the ports are free again at once.
  for (const socket of standing) socket.resetAndDestroy();
  process.exit(0);
});
process.stdin.resume();
