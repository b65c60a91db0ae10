/**
 * Many clients that upload slowly, each again and again on its own connection, until this program's input ends.
 *
 *   node slow-client.mjs PORT COUNT PATH BODY_BYTES PIECE_BYTES INTERVAL_MS
 *
 * Prints "ready N" when all are connected, and at the end "answered A failed F".
 */
import { connect } from "node:net";
import { reportAtEnd, takeTurns } from "./turns.mjs";

const [port, count, , bodyBytes, pieceBytes, intervalMs] = process.argv.slice(2).map(Number);
const path = process.argv[4];
const HEAD = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/octet-stream\r\nContent-Length: ${bodyBytes}\r\n\r\n`;
const PIECE = Buffer.alloc(pieceBytes, 0x61);

let answered = 0;
let failed = 0;
let connected = 0;

function open() {
  const client = { socket: connect(port, "127.0.0.1"), left: 0, busy: false, received: -1, text: "" };
  client.socket.setNoDelay(true);
  client.socket.once("connect", () => {
    if (++connected === count) console.log(`ready ${count}`);
  });
  client.socket.on("error", () => {});
  client.socket.on("close", () => {
    failed++;
    client.socket = undefined;
  });
  client.socket.on("data", (piece) => hear(client, piece));
  return client;
}

/** Counts an answer when its last byte has come. The answer may begin while the upload goes on. */
function hear(client, piece) {
  if (client.received < 0) {
    client.text += piece.toString("latin1");
    const end = client.text.indexOf("\r\n\r\n");
    if (end < 0) return;
    if (!client.text.startsWith("HTTP/1.1 200 ")) failed++;
    client.received = client.text.length - end - 4;
    client.text = "";
  } else client.received += piece.length;
  if (client.received < bodyBytes) return;
  answered++;
  client.received = -1;
  client.busy = false;
}

function step(client) {
  if (client.socket === undefined || client.socket.connecting) return;
  if (client.left === 0) {
    if (client.busy) return;
    client.busy = true;
    client.left = bodyBytes;
    client.socket.write(HEAD);
    return;
  }
  const size = Math.min(client.left, pieceBytes);
  client.left -= size;
  client.socket.write(size === pieceBytes ? PIECE : PIECE.subarray(0, size));
}

takeTurns(Array.from({ length: count }, open), intervalMs, step);
reportAtEnd(() => `answered ${answered} failed ${failed}`);
