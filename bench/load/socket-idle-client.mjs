/**
 * Opens many WebSockets, exchanges one message on each, and holds them until its input ends.
 *
 *   node socket-idle-client.mjs PORT CONNECTIONS PATH [deflate]
 *
 * It answers pings. With `deflate` it offers permessage-deflate and sends the message compressed where the server agreed, so that both sides'
 * compressors have been used. Prints "ready N compressed M" when all have been answered, and at the end "closing N", N being
 * how many still stand.
 */
import { constants, deflateRawSync } from "node:zlib";
import { holdConnections } from "./standing.mjs";

const [port, wanted] = process.argv.slice(2, 4).map(Number);
const path = process.argv[4];
const offer = process.argv[5] === "deflate" ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "";
const HANDSHAKE = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${offer}\r\n`;
const TEXT = 0x81;
const PING = 0x89;
const PONG = 0x8a;
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

let compressed = 0;

/** Opening many takes longer than servers wait for a pong. A ping comes when nothing else does: a piece of its own. */
function answerPings(socket) {
  socket.on("data", (piece) => {
    if (piece[0] === PING) socket.write(frame(PONG, piece.subarray(2, 2 + piece[1])));
  });
}

function hearing(socket) {
  answerPings(socket);
  let bytes = Buffer.alloc(0);
  let asked = false;
  return (piece) => {
    bytes = Buffer.concat([bytes, piece]);
    if (!asked) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return false;
      const head = bytes.subarray(0, end).toString("latin1");
      if (!head.startsWith("HTTP/1.1 101")) throw new Error(head.split("\r\n")[0]);
      const agreed = /\r\nsec-websocket-extensions:[^\r]*permessage-deflate/i.test(head);
      if (agreed) compressed++;
      asked = true;
      bytes = bytes.subarray(end + 4);
      socket.write(agreed ? COMPRESSED_FRAME : PLAIN_FRAME);
    }
    return bytes.length >= frameBytes(bytes);
  };
}

holdConnections({
  port,
  wanted,
  first: HANDSHAKE,
  hearing,
  ready: () => `ready ${wanted} compressed ${compressed}`,
});
