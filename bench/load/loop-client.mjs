/**
 * A closed loop for rows whose tail is the figure: connections are opened and used before the measurement begins, so that
 * how quickly a server accepts is no part of it, and every latency is kept as it was.
 *
 *   node loop-client.mjs PORT CONNECTIONS WARMUP_SECONDS SECONDS REQUEST_FILE [OTHER_FILE EVERY]
 *
 * Prints "ready" when the measurement begins, and then one line of JSON. Answers must have a Content-Length.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:net";

const [port, connections, warmupSeconds, seconds] = process.argv.slice(2).map(Number);
const [usual, other] = process.argv.slice(6, 8).map((path) => readFileSync(path));
const every = Number(process.argv[8] ?? 0);
const latencies = [];
let count = 0;
let measuring = false;
let wrongStatus = 0;
let socketErrors = 0;

function ask(client) {
  count++;
  client.text = "";
  client.startedMs = performance.now();
  client.socket.write(every > 0 && count % every === 0 ? other : usual);
}

function hear(client, piece) {
  client.text += piece.toString("latin1");
  const end = client.text.indexOf("\r\n\r\n");
  if (end < 0) return;
  const length = Number(/^content-length:\s*(\d+)/im.exec(client.text)?.[1] ?? 0);
  if (client.text.length < end + 4 + length) return;
  // What had begun before counts neither: its beginning was not seen under the same load.
  if (measuring && client.startedMs >= measuring) {
    latencies.push(performance.now() - client.startedMs);
    if (!client.text.startsWith("HTTP/1.1 2")) wrongStatus++;
  }
  ask(client);
}

let connected = 0;
const clients = Array.from({ length: connections }, () => {
  const client = { socket: connect(port, "127.0.0.1"), text: "", startedMs: 0 };
  client.socket.setNoDelay(true);
  client.socket.once("connect", () => {
    if (++connected === connections) for (const each of clients) ask(each);
  });
  client.socket.on("data", (piece) => hear(client, piece));
  client.socket.on("error", () => {});
  client.socket.on("close", () => socketErrors++);
  return client;
});

/** The value that a share of the latencies, in ascending order, lies below; microseconds. */
function percentileUs(share) {
  const at = Math.min(latencies.length - 1, Math.ceil(latencies.length * share) - 1);
  return Math.round(latencies[Math.max(0, at)] * 1e3);
}

setTimeout(() => {
  measuring = performance.now();
  console.log("ready");
  setTimeout(() => {
    const measuredSeconds = (performance.now() - measuring) / 1e3;
    latencies.sort((a, b) => a - b);
    const requests = latencies.length;
    const tail = { p50Us: percentileUs(0.5), p99Us: percentileUs(0.99), p999Us: percentileUs(0.999) };
    console.log(JSON.stringify({ requests, seconds: measuredSeconds, ...tail, wrongStatus, socketErrors }));
    process.exit(requests > 0 ? 0 : 1);
  }, seconds * 1e3);
}, warmupSeconds * 1e3);
