/**
 * The suite's own load, on Bun: at a fixed rate, or (rate 0) as a closed loop. Connections stand before anything is timed.
 *
 *   bun paced-client.ts PORT CONNECTIONS WARMUP_SECONDS SECONDS RATE PART PARTS REQUEST_FILE [OTHER_FILE EVERY]
 *
 * Prints "connected", waits for a line on its input, prints "measuring" after the warm-up, and at the end one line of JSON.
 * Answers need a Content-Length or the chunked coding. While it has a rate to keep it spins: a timer would come a
 * millisecond late, and be measured.
 */
import { readFileSync } from "node:fs";
import { LatencyHistogram } from "./latencies.ts";
import { dueMs } from "./schedule.ts";

const [port, connections, warmupSeconds, seconds, rate, part, parts] = process.argv.slice(2, 9).map(Number);
const [usual, other] = process.argv.slice(9, 11).map((path) => new Uint8Array(readFileSync(path)));
const every = Number(process.argv[11] ?? 0);
/** How long answers are waited for that are due when the time is over. */
const GRACE_MS = 1_000;
const HEAD_END = "\r\n\r\n";
/** Connections from one address: fewer than the ports that the system gives out. */
const PER_ADDRESS = 20_000;
const AT_ONCE = 128;

interface State {
  /** When its request was due; NaN while it has none. */
  dueMs: number;
  /** Of an answer whose head is not whole. */
  head: string;
  /** Bytes of the body that are missing; -1 while the head is not whole, -2 for a chunked body. */
  left: number;
  wrong: boolean;
  unsent: Uint8Array | undefined;
}
type Client = import("bun").Socket<State>;

const latencies = new LatencyHistogram();
const lateness = new LatencyHistogram();
const clients: Client[] = [];
const idle: Client[] = [];
const waiting: number[] = [];
let begunMs = Number.POSITIVE_INFINITY;
let fromMs = Number.POSITIVE_INFINITY;
let untilMs = Number.POSITIVE_INFINITY;
let sent = 0;
let answered = 0;
let answeredInTime = 0;
let wrongStatus = 0;
let socketErrors = 0;
let over = false;
/** Every request has been sent or waits: a client that was held up at the end must not forget some. */
let allDue = false;

const counts = (at: number) => at >= fromMs && at < untilMs;

function write(client: Client, bytes: Uint8Array): void {
  const taken = client.write(bytes);
  client.data.unsent = taken < bytes.length ? bytes.subarray(Math.max(0, taken)) : undefined;
}

function ask(client: Client, at: number): void {
  client.data.dueMs = at;
  client.data.head = "";
  client.data.left = -1;
  sent++;
  write(client, every > 0 && sent % every === 0 ? other : usual);
}

function next(client: Client, nowMs: number): void {
  if (rate === 0) {
    if (!over) ask(client, nowMs);
    return;
  }
  const at = waiting.shift();
  if (at === undefined) idle.push(client);
  else ask(client, at);
}

function finished(client: Client): void {
  const nowMs = performance.now();
  const { dueMs: at } = client.data;
  client.data.dueMs = Number.NaN;
  // A rate's request belongs to the moment when it was due; a loop's to the one that ended it.
  if (counts(rate === 0 ? nowMs : at)) {
    answered++;
    if (client.data.wrong) wrongStatus++;
    latencies.add(nowMs - at);
  }
  if (counts(nowMs)) answeredInTime++;
  next(client, nowMs);
}

/** Reads a head. @returns where the body begins in the chunk, or -1 while the head is not whole */
function readHead(state: State, chunk: Buffer): number {
  const before = state.head.length;
  state.head += chunk.toString("latin1", 0, chunk.length);
  const end = state.head.indexOf(HEAD_END);
  if (end < 0) return -1;
  const head = state.head.slice(0, end);
  state.wrong = !head.startsWith("HTTP/1.1 2");
  const length = /\r\ncontent-length:\s*(\d+)/i.exec(head);
  state.left = length === null ? -2 : Number(length[1]);
  state.head = "";
  return end + HEAD_END.length - before;
}

function hear(client: Client, chunk: Buffer): void {
  const state = client.data;
  let from = 0;
  if (state.left === -1) {
    from = readHead(state, chunk);
    if (from < 0) return;
  }
  if (state.left === -2) {
    state.head = (state.head + chunk.toString("latin1", Math.max(from, chunk.length - 7), chunk.length)).slice(-7);
    if (state.head.endsWith("\r\n0\r\n\r\n") || state.head === "0\r\n\r\n") finished(client);
    return;
  }
  state.left -= chunk.length - from;
  if (state.left <= 0) finished(client);
}

function lost(client: Client): void {
  if (over) return;
  socketErrors++;
  const at = clients.indexOf(client);
  if (at >= 0) clients.splice(at, 1);
  const free = idle.indexOf(client);
  if (free >= 0) idle.splice(free, 1);
}

async function open(index: number): Promise<void> {
  const client = await Bun.connect<State>({
    hostname: "127.0.0.1",
    port,
    ...(index < PER_ADDRESS ? {} : { localAddress: `127.0.0.${2 + Math.floor(index / PER_ADDRESS)}` }),
    data: { dueMs: Number.NaN, head: "", left: -1, wrong: false, unsent: undefined },
    socket: {
      data: hear,
      drain: (socket) => {
        if (socket.data.unsent !== undefined) write(socket, socket.data.unsent);
      },
      close: lost,
      error: () => {},
    },
  });
  clients.push(client);
}

async function openAll(): Promise<void> {
  let index = 0;
  const one = async () => {
    while (index < connections) await open(index++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, connections) }, one));
}

/** Sends what is due, and comes again when the sockets have been looked at. */
function keepPace(index: number): void {
  const nowMs = performance.now();
  let at = begunMs + dueMs({ rate, part, parts }, index);
  while (at <= nowMs && at < untilMs) {
    const client = idle.shift();
    if (client === undefined) waiting.push(at);
    else {
      if (counts(at)) lateness.add(performance.now() - at);
      ask(client, at);
    }
    index++;
    at = begunMs + dueMs({ rate, part, parts }, index);
  }
  if (at < untilMs) setImmediate(() => keepPace(index));
  else allDue = true;
}

/** What was due and is unanswered took at least until now. */
function countUnanswered(): number {
  const nowMs = performance.now();
  const missing = [...clients.map((client) => client.data.dueMs), ...waiting].filter(counts);
  for (const at of missing) latencies.add(nowMs - at);
  return missing.length;
}

function report(): void {
  over = true;
  const unanswered = rate === 0 ? 0 : countUnanswered();
  const figures = { answered, answeredInTime, unanswered, wrongStatus, socketErrors };
  process.stdout.write(
    `${JSON.stringify({ ...figures, latencies: latencies.counts(), lateness: lateness.counts() })}\n`,
    () => process.exit(0),
  );
}

function begin(): void {
  begunMs = performance.now();
  fromMs = begunMs + warmupSeconds * 1e3;
  untilMs = fromMs + seconds * 1e3;
  if (rate === 0) for (const client of [...clients]) ask(client, begunMs);
  else {
    idle.push(...clients);
    keepPace(0);
  }
  setTimeout(() => process.stdout.write("measuring\n"), warmupSeconds * 1e3);
  setTimeout(
    () => {
      const startedMs = performance.now();
      const look = () => {
        const busy = !allDue || waiting.length > 0 || clients.some((client) => counts(client.data.dueMs));
        if (rate > 0 && busy && performance.now() - startedMs < GRACE_MS) setTimeout(look, 10);
        else report();
      };
      look();
    },
    (warmupSeconds + seconds) * 1e3,
  );
}

await openAll();
process.stdout.write("connected\n");
process.stdin.once("data", begin);
process.stdin.once("end", () => process.exit(0));
