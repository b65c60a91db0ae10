/** The runtime's own WebSocket against an echo server: `ws_web.mjs URL [undici]`. Prints one line of JSON. */
const [url, which] = process.argv.slice(2);
const Client = which === "undici" ? (await import("undici")).WebSocket : globalThis.WebSocket;
const socket = new Client(url);
socket.binaryType = "arraybuffer";
const sent = ["hello", "grüße €".repeat(300), "", new Uint8Array([0, 1, 255]), new Uint8Array(200_000).fill(7)];
const got = [];

function same(data, expected) {
  if (typeof data === "string") return data === expected;
  const bytes = new Uint8Array(data);
  return bytes.length === expected.length && bytes.every((byte, i) => byte === expected[i]);
}

socket.onopen = () => {
  for (const message of sent) socket.send(message);
};
socket.onmessage = ({ data }) => {
  got.push(same(data, sent[got.length]));
  if (got.length === sent.length) socket.close(4001, "done");
};
socket.onclose = ({ code, reason, wasClean }) => {
  console.log(JSON.stringify({ got, code, reason, wasClean }));
  process.exit(0);
};
