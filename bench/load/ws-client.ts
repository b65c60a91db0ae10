/**
 * The load of the WebSocket echo rows, on Bun: bare sockets that send one prepared frame each, count the bytes that come
 * back, and send it again.
 *
 *   bun ws-client.ts PORT CONNECTIONS BYTES SECONDS
 *
 * Prints one line of JSON: messages, seconds.
 */

const [port, connections, bytes, seconds] = process.argv.slice(2).map(Number);
const WARM_SECONDS = 0.5;
const HANDSHAKE =
  "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** A text frame with a key, and the length of the same message from a server. */
function makeFrame(): { frame: Uint8Array; answerBytes: number } {
  const head = bytes < 126 ? [0x81, 0x80 | bytes] : [0x81, 0x80 | 126, bytes >> 8, bytes & 255];
  if (bytes > 65_535) {
    head.splice(1, 3, 0x80 | 127, 0, 0, 0, 0, bytes >>> 24, (bytes >>> 16) & 255, (bytes >>> 8) & 255, bytes & 255);
  }
  const key = [0x12, 0x34, 0x56, 0x78];
  const frame = new Uint8Array(head.length + 4 + bytes);
  frame.set(head);
  frame.set(key, head.length);
  for (let i = 0; i < bytes; i++) frame[head.length + 4 + i] = (0x61 + (i % 26)) ^ key[i & 3];
  return { frame, answerBytes: head.length + bytes };
}

const { frame, answerBytes } = makeFrame();
let messages = 0;
let ready = 0;

interface State {
  /** Of the handshake's answer, or bytes of the echo that are still to come. */
  head: string | undefined;
  owed: number;
  unsent: number;
}

type Echo = import("bun").Socket<State>;

function push(socket: Echo, from: number): void {
  const taken = socket.write(frame, from, frame.length - from);
  socket.data.unsent = frame.length - from - Math.max(taken, 0);
}

function begin(socket: Echo): void {
  socket.data.owed = answerBytes;
  push(socket, 0);
}

const sockets: Echo[] = [];
for (let i = 0; i < connections; i++) {
  const socket = await Bun.connect<State>({
    hostname: "127.0.0.1",
    port,
    data: { head: "", owed: 0, unsent: 0 },
    socket: {
      open(socket) {
        socket.write(HANDSHAKE);
      },
      data(socket, chunk) {
        const state = socket.data;
        if (state.head !== undefined) {
          state.head += chunk.toString("latin1");
          if (!state.head.includes("\r\n\r\n")) return;
          if (!state.head.startsWith("HTTP/1.1 101")) throw new Error(state.head);
          state.head = undefined;
          ready++;
          return;
        }
        state.owed -= chunk.length;
        if (state.owed > 0) return;
        messages++;
        begin(socket);
      },
      drain(socket) {
        if (socket.data.unsent > 0) push(socket, frame.length - socket.data.unsent);
      },
      close() {
        if (ready > 0) throw new Error("the server has closed a connection");
      },
    },
  });
  sockets.push(socket);
}

while (ready < connections) await Bun.sleep(10);
for (const socket of sockets) begin(socket);
await Bun.sleep(WARM_SECONDS * 1000);
const from = messages;
const start = performance.now();
await Bun.sleep(seconds * 1000);
const elapsed = (performance.now() - start) / 1000;
process.stdout.write(`${JSON.stringify({ messages: messages - from, seconds: elapsed, ready })}\n`);
process.exit(0);

export {};
