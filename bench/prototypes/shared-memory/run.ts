/**
 * The bridge's present stream against rings in shared memory: the real WorkerHost and Exchange, the real Python worker
 * and one application, without HTTP. Only what carries the records differs.
 *
 *     bun bench/prototypes/shared-memory/run.ts --cores 2,3 [--only hello] [--rounds 9] [--seconds 0.25]
 *         [--loop asyncio] [--python .venv/bin/python]
 *
 * RING_LOOKS=n in the environment: how many empty turns of its loop a side takes before it sleeps (1).
 * RING_BELLS=always: a doorbell with each write, and no looking in between.
 *
 * The first core is the front's, the last one the worker's. Rounds of both take turns; printed are medians, and the
 * quartiles of the ratio within a round. Processor time is that of all threads, from /proc (schedstat). Linux, Bun.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { HttpCall } from "../../../src/asgi/call.ts";
import type { HeaderPair, HttpReceiveEvent, HttpScope, SendEvent } from "../../../src/asgi/types.ts";
import { Exchange } from "../../../src/python/exchange.ts";
import { type HostOwner, WorkerHost } from "../../../src/python/host.ts";
import { bunRuntime } from "../../../src/runtime/bun.ts";
import { spawnStream } from "../../../src/runtime/stream-child.ts";
import { median, spread } from "../../load/stats.ts";
import { cpuOf } from "./cpu.ts";
import { type BellCount, spawnRings } from "./ring-child.ts";

const { values: options } = parseArgs({
  options: {
    cores: { type: "string", default: "0,1" },
    only: { type: "string" },
    rounds: { type: "string", default: "9" },
    seconds: { type: "string", default: "0.25" },
    loop: { type: "string", default: "asyncio" },
    python: { type: "string", default: ".venv/bin/python" },
  },
});

const HERE = fileURLToPath(new URL("./", import.meta.url));
const WORKER = fileURLToPath(new URL("../../../src/python/start.py", import.meta.url));
const PIECE_BYTES = 64 * 1024;
const UTF8 = new TextEncoder();
const TAKEN = Promise.resolve();

interface Workload {
  readonly name: string;
  readonly path: string;
  readonly inFlight: number;
  readonly bodyBytes: number;
  readonly answerBytes: number;
}

const WORKLOADS: readonly Workload[] = [
  { name: "hello, 1 in flight", path: "/", inFlight: 1, bodyBytes: 0, answerBytes: 13 },
  { name: "hello, 64 in flight", path: "/", inFlight: 64, bodyBytes: 0, answerBytes: 13 },
  { name: "10 KB answer, 64 in flight", path: "/10kb", inFlight: 64, bodyBytes: 0, answerBytes: 10_240 },
  { name: "echo 100 KB, 16 in flight", path: "/echo", inFlight: 16, bodyBytes: 102_400, answerBytes: 102_400 },
  { name: "upload 20 MB, 1 in flight", path: "/upload", inFlight: 1, bodyBytes: 20_000_000, answerBytes: 8 },
];

const FIELDS: readonly (readonly [string, string])[] = [
  ["host", "127.0.0.1:8000"],
  ["user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"],
  ["accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
  ["accept-language", "en-US,en;q=0.5"],
  ["accept-encoding", "gzip, deflate, br, zstd"],
  ["connection", "keep-alive"],
  ["cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"],
  ["referer", "http://127.0.0.1:8000/start"],
  ["cache-control", "max-age=0"],
];

function scopeOf(work: Workload): HttpScope {
  return {
    type: "http",
    asgi: { version: "3.0", spec_version: "2.5" },
    http_version: "1.1",
    method: work.bodyBytes > 0 ? "POST" : "GET",
    scheme: "http",
    path: work.path,
    raw_path: UTF8.encode(work.path),
    query_string: new Uint8Array(0),
    root_path: "",
    headers: FIELDS.map(([name, value]): HeaderPair => [UTF8.encode(name), UTF8.encode(value)]),
    client: ["127.0.0.1", 40_000],
    server: ["127.0.0.1", 8000],
    state: {},
    extensions: {},
  };
}

/** Bytes that differ from place to place; a period that is no power of two shows pieces that were exchanged. */
const PATTERN = Uint8Array.from({ length: 251 * 1024 }, (_, i) => (i * 7 + (i >> 8)) % 251);

/** What the server's connection is to an exchange: a client that is as fast as can be. */
class Call implements HttpCall {
  readonly scope: HttpScope;
  readonly content: "none" | "some";
  roomAhead = 0;
  readonly #work: Workload;
  readonly #done: () => void;
  readonly #checks: boolean;
  #given = 0;
  #taken = 0;

  constructor(work: Workload, scope: HttpScope, done: () => void, checks: boolean) {
    this.#work = work;
    this.scope = scope;
    this.#done = done;
    this.#checks = checks;
    this.content = work.bodyBytes > 0 ? "some" : "none";
  }

  receive(): Promise<HttpReceiveEvent> {
    const start = this.#given;
    const end = Math.min(this.#work.bodyBytes, start + PIECE_BYTES);
    this.#given = end;
    const body = PATTERN.subarray(start % PIECE_BYTES, (start % PIECE_BYTES) + end - start);
    return Promise.resolve({ type: "http.request", body, more_body: end < this.#work.bodyBytes });
  }

  send(event: SendEvent): Promise<void> {
    if (event.type === "http.response.body") {
      const body = event.body ?? new Uint8Array(0);
      if (this.#checks && this.#work.path === "/echo") this.#check(body);
      this.#taken += body.length;
    }
    return TAKEN;
  }

  #check(body: Uint8Array): void {
    for (let i = 0; i < body.length; i++) {
      if (body[i] !== PATTERN[(this.#taken + i) % PIECE_BYTES]) throw new Error("the echo differs");
    }
  }

  watch(): void {}

  returned(): void {
    if (this.#taken !== this.#work.answerBytes) throw new Error(`${this.#taken} bytes of answer`);
    this.#done();
  }

  raised(error: unknown): void {
    throw error;
  }
}

interface Figures {
  readonly perSecond: number;
  /** Microseconds of processor time per request. */
  readonly front: number;
  readonly worker: number;
  readonly bells: number;
}

function run(host: WorkerHost, work: Workload, seconds: number, bells: BellCount, checks = false): Promise<Figures> {
  const scope = scopeOf(work);
  const { promise, resolve } = Promise.withResolvers<Figures>();
  const bellsBefore = bells.sent + bells.heard;
  const frontBefore = cpuOf(process.pid);
  const workerBefore = cpuOf(host.pid);
  const start = performance.now();
  const until = start + seconds * 1000;
  let open = 0;
  let count = 0;
  const begin = (): void => {
    open += 1;
    host.begin(new Exchange(new Call(work, scope, done, checks)));
  };
  const done = (): void => {
    open -= 1;
    count += 1;
    if (performance.now() < until) begin();
    else if (open === 0) {
      const ran = (performance.now() - start) / 1000;
      resolve({
        perSecond: count / ran,
        front: (cpuOf(process.pid) - frontBefore) / 1000 / count,
        worker: (cpuOf(host.pid) - workerBefore) / 1000 / count,
        bells: (bells.sent + bells.heard - bellsBefore) / count,
      });
    }
  };
  for (let i = 0; i < work.inFlight; i++) begin();
  return promise;
}

interface Side {
  readonly name: "stream" | "rings";
  readonly host: WorkerHost;
  readonly bells: BellCount;
}

function start(name: Side["name"], core: string): Promise<Side> {
  const { promise, resolve, reject } = Promise.withResolvers<Side>();
  const bells = { sent: 0, heard: 0 };
  const owner: HostOwner = {
    ready: (host) => resolve({ name, host, bells }),
    failed: (_host, message) => reject(new Error(message)),
    retiring: () => {},
    ended: () => {},
    freed: () => {},
    gone: (_host, orphans, why) => {
      if (orphans.length > 0) throw new Error(`the worker is gone: ${why}`);
    },
  };
  const script = name === "stream" ? WORKER : `${HERE}ring_worker.py`;
  new WorkerHost(bunRuntime, owner, {
    command: ["taskset", "-c", core, options.python, script],
    env: process.env as Record<string, string>,
    settings: {
      target: "app:app",
      appDir: HERE,
      lifespan: "off",
      interface: "asgi",
      loop: options.loop as "asyncio" | "uvloop",
    },
    generation: 1,
    mostRequests: 2 ** 31,
    spawn: name === "stream" ? spawnStream : (how) => spawnRings(how, bells),
  });
  return promise;
}

function line(name: string, found: readonly Figures[]): string {
  const of = (pick: (figures: Figures) => number, digits: number) =>
    median(found.map(pick)).toFixed(digits).padStart(9);
  return `  ${name.padEnd(8)} ${of((f) => f.perSecond, 0)}/s ${of((f) => f.front, 1)} ${of((f) => f.worker, 1)} ${of((f) => f.bells, 3)}`;
}

async function compare(work: Workload, sides: readonly [Side, Side]): Promise<void> {
  const seconds = Number(options.seconds);
  const found: [Figures[], Figures[]] = [[], []];
  for (const side of sides) await run(side.host, work, Math.min(0.2, seconds), side.bells, true);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const { host, bells } = sides[which];
      found[which].push(await run(host, work, seconds, bells));
    }
  }
  const ratio = (pick: (figures: Figures) => number) => {
    const { q1, median: middle, q3 } = spread(found[0].map((figures, i) => pick(found[1][i]) / pick(figures)));
    return `${middle.toFixed(2)} (${q1.toFixed(2)} to ${q3.toFixed(2)})`;
  };
  console.log(`${work.name}: requests/s, then per request: µs of the front, µs of the worker, doorbells`);
  sides.forEach((side, i) => {
    console.log(line(side.name, found[i]));
  });
  console.log(`  rings / stream: requests/s ${ratio((f) => f.perSecond)}, µs ${ratio((f) => f.front + f.worker)}`);
}

async function main(): Promise<void> {
  const cores = options.cores.split(",");
  spawnSync("taskset", ["-a", "-c", "-p", cores[0], `${process.pid}`]);
  const last = cores.at(-1)!;
  const sides = [await start("stream", last), await start("rings", last)] as const;
  const { python, loop } = sides[0].host.facts!;
  console.log(`Bun ${Bun.version}, CPython ${python}, ${loop}; cores ${options.cores}; ${options.rounds} rounds`);
  for (const work of WORKLOADS) if (work.name.includes(options.only ?? "")) await compare(work, [...sides]);
  for (const { host } of sides) host.drain(1000);
}

await main();
