/** npm's ws against an echo server: `ws_client.mjs URL DEFLATE`. Prints one line of JSON. */
import { createRequire } from "node:module";

// By its path: Bun would put its own in its place.
const { WebSocket } = createRequire(import.meta.url)("ws");
const [url, deflate] = process.argv.slice(2);
const perMessageDeflate = deflate === "none" ? false : JSON.parse(deflate);
const socket = new WebSocket(url, { perMessageDeflate });
const sent = ["hello", "grüße €".repeat(300), "", Buffer.from([0, 1, 255]), Buffer.alloc(200_000, 7)];
const got = [];
let pongs = 0;
socket.on("pong", () => pongs++);
socket.on("open", () => {
  socket.ping("p");
  for (const message of sent) socket.send(message);
});
socket.on("message", (data, isBinary) => {
  const expected = sent[got.length];
  got.push(isBinary ? Buffer.compare(data, expected) === 0 : data.toString() === expected);
  if (got.length === sent.length) socket.close(4001, "done");
});
socket.on("close", (code, reason) => {
  console.log(JSON.stringify({ got, pongs, code, reason: reason.toString(), extensions: socket.extensions }));
  process.exit(0);
});
socket.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
