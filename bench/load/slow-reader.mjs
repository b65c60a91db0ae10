/**
 * Many clients that read large answers slowly, each again and again on its own connection, until this program's input ends.
 *
 *   node slow-reader.mjs PORT COUNT PATH BODY_BYTES PIECE_BYTES INTERVAL_MS
 *
 * Each takes PIECE_BYTES an interval and leaves the rest where it is: in the kernel's buffers, and then in the server.
 * Prints "ready N" when all are connected, and at the end "read A whole, B bytes, failed F".
 */
import { connect } from "node:net";
import { reportAtEnd, takeTurns } from "./turns.mjs";

const [port, count, , bodyBytes, pieceBytes, intervalMs] = process.argv.slice(2).map(Number);
const path = process.argv[4];
const REQUEST = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;

let whole = 0;
let bytes = 0;
let failed = 0;
let connected = 0;

function open() {
  // The stream's own buffer is to hold one piece and no more.
  const socket = connect({ port, host: "127.0.0.1", highWaterMark: pieceBytes });
  const client = { socket, head: "", left: -1 };
  socket.pause();
  socket.once("connect", () => {
    socket.write(REQUEST);
    if (++connected === count) console.log(`ready ${count}`);
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    failed++;
    client.socket = undefined;
  });
  return client;
}

function take(client, piece) {
  let size = piece.length;
  bytes += size;
  if (client.left < 0) {
    client.head += piece.toString("latin1");
    const end = client.head.indexOf("\r\n\r\n");
    if (end < 0) return;
    if (!client.head.startsWith("HTTP/1.1 200 ")) failed++;
    size = client.head.length - end - 4;
    client.left = bodyBytes;
    client.head = "";
  }
  client.left -= size;
  if (client.left > 0) return;
  whole++;
  client.left = -1;
  client.socket.write(REQUEST);
}

function step(client) {
  if (client.socket === undefined || client.socket.connecting) return;
  let room = pieceBytes;
  while (room > 0) {
    const piece = client.socket?.read(Math.min(room, client.socket.readableLength || room)) ?? null;
    if (piece === null) return;
    room -= piece.length;
    take(client, piece);
  }
}

takeTurns(Array.from({ length: count }, open), intervalMs, step);
reportAtEnd(() => `read ${whole} whole, ${Math.round(bytes / 1e6)} MB, failed ${failed}`);
