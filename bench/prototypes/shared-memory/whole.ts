/**
 * The same comparison through the whole server: HTTP from wrk, two servers in one front, each with a worker of its own;
 * one worker's stream is the present one, the other's is rings.
 *
 *     bun bench/prototypes/shared-memory/whole.ts --cores 2,3 [--load 0,1] [--only echo] [--rounds 5] [--seconds 1]
 *
 * The first core is the front's, the last one the worker's, `--load` wrk's. RING_LOOKS and RING_BELLS as in run.ts.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type ServerHandle, serve } from "../../../src/index.ts";
import { createLogger } from "../../../src/observe/log.ts";
import { type PythonApp, startPythonApp } from "../../../src/python/app.ts";
import { bunRuntime } from "../../../src/runtime/bun.ts";
import { type SpawnStreamOptions, type StreamChild, spawnStream } from "../../../src/runtime/stream-child.ts";
import { median, spread } from "../../load/stats.ts";
import { cpuOf } from "./cpu.ts";
import { spawnRings } from "./ring-child.ts";

const { values: options } = parseArgs({
  options: {
    cores: { type: "string", default: "2,3" },
    load: { type: "string", default: "0,1" },
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "1" },
  },
});
const HERE = fileURLToPath(new URL("./", import.meta.url));
const RING_WORKER = `${HERE}ring_worker.py`;
const CORES = options.cores.split(",");

const WORKLOADS = [
  { name: "hello, 64 connections", path: "/", connections: 64, bodyBytes: 0 },
  { name: "10 KB answer, 64 connections", path: "/10kb", connections: 64, bodyBytes: 0 },
  { name: "echo 100 KB, 16 connections", path: "/echo", connections: 16, bodyBytes: 102_400 },
  { name: "upload 20 MB, 1 connection", path: "/upload", connections: 1, bodyBytes: 20_000_000 },
] as const;
type Workload = (typeof WORKLOADS)[number];

const LOGGER = createLogger(console.error, { level: "error", colours: false });

interface Side {
  readonly name: string;
  readonly python: PythonApp;
  readonly handle: ServerHandle;
}

async function start(name: string, carry: (how: SpawnStreamOptions) => StreamChild): Promise<Side> {
  const pinned = (how: SpawnStreamOptions): StreamChild => {
    const [python, script] = how.command;
    const command = ["taskset", "-c", CORES.at(-1)!, python, name === "rings" ? RING_WORKER : script];
    return carry({ ...how, command });
  };
  const target = { target: "app:app", appDir: HERE, lifespan: "off", loop: "asyncio" } as const;
  const python = await startPythonApp(bunRuntime, LOGGER, { ...target, spawn: pinned });
  return { name, python, handle: await serve(python.app, { port: 0, accessLog: false, logLevel: "error" }) };
}

interface Figures {
  readonly perSecond: number;
  readonly front: number;
  readonly worker: number;
}

async function load(side: Side, work: Workload, script: string): Promise<Figures> {
  const { port } = side.handle.address;
  const pid = side.python.facts!.pid;
  const args = ["-c", options.load, "wrk", "-t1", `-c${work.connections}`, `-d${options.seconds}s`, "-s", script];
  const before = [cpuOf(process.pid), cpuOf(pid)];
  const wrk = spawn("taskset", [...args, `http://127.0.0.1:${port}${work.path}`], { stdio: ["ignore", "pipe", 2] });
  let text = "";
  wrk.stdout!.on("data", (chunk) => {
    text += chunk;
  });
  await new Promise((done) => wrk.once("close", done));
  const count = Number(/(\d+) requests in/.exec(text)?.[1]);
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(text);
  const used = [cpuOf(process.pid), cpuOf(pid)].map((after, i) => (after - before[i]) / 1000 / count);
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]), front: used[0], worker: used[1] };
}

async function compare(work: Workload, sides: readonly Side[], folder: string): Promise<void> {
  const script = join(folder, "request.lua");
  const post = `wrk.method = "POST"; wrk.body = string.rep("x", ${work.bodyBytes})\n`;
  writeFileSync(script, work.bodyBytes > 0 ? post : "");
  const found: Figures[][] = [[], []];
  for (let round = -1; round < Number(options.rounds); round++) {
    for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const figures = await load(sides[which], work, script);
      // The first one warms up.
      if (round >= 0) found[which].push(figures);
    }
  }
  console.log(`${work.name}: requests/s, then µs of the front and of the worker per request`);
  sides.forEach(({ name }, i) => {
    const of = (pick: (f: Figures) => number, digits: number) => median(found[i].map(pick)).toFixed(digits).padStart(9);
    console.log(
      `  ${name.padEnd(8)} ${of((f) => f.perSecond, 0)}/s ${of((f) => f.front, 1)} ${of((f) => f.worker, 1)}`,
    );
  });
  const { q1, median: middle, q3 } = spread(found[0].map((f, i) => found[1][i].perSecond / f.perSecond));
  console.log(`  rings / stream: ${middle.toFixed(2)} (${q1.toFixed(2)} to ${q3.toFixed(2)})`);
}

spawnSync("taskset", ["-a", "-c", "-p", CORES[0], `${process.pid}`]);
const folder = mkdtempSync(join(tmpdir(), "rings-"));
const sides = [await start("stream", spawnStream), await start("rings", (how) => spawnRings(how))];
for (const work of WORKLOADS) if (work.name.includes(options.only)) await compare(work, sides, folder);
// Their lifespans stop the workers.
for (const { handle } of sides) await handle.stop();
rmSync(folder, { recursive: true });
