/**
 * Where the time goes: runs a server under its runtime's CPU profiler while wrk or autocannon loads it, and prints the
 * functions with the most self time.
 *
 *   bun bench/profile.ts ringcorn-bun [--pipelining 16] [--seconds 5] [--cpus 0:2,3] [--top 25]
 */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { PlainError } from "../src/runtime/types.ts";
import { runLoad } from "./load/generator.ts";
import { describeMachine } from "./load/machine.ts";
import { programs, ROOT } from "./load/programs.ts";
import { SERVERS, startServer } from "./load/servers.ts";
import { type CpuProfile, type SelfTime, selfTimes } from "./self-times.ts";

const CONNECTIONS = 64;
const INTERVAL_US = 500;

function newestProfile(directory: string): CpuProfile {
  const [newest] = readdirSync(directory)
    .filter((name) => name.endsWith(".cpuprofile"))
    .sort()
    .reverse();
  if (newest === undefined)
    throw new PlainError(`The server wrote no profile to ${directory}: did it leave on SIGTERM?`);
  return JSON.parse(readFileSync(join(directory, newest), "utf8")) as CpuProfile;
}

function format({ name, where, share, microseconds }: SelfTime): string {
  const place = where.replace(`file://${ROOT}`, "").replace(ROOT, "");
  return `${(share * 100).toFixed(1).padStart(5)} %  ${(microseconds / 1e3).toFixed(0).padStart(6)} ms  ${name}  ${place}`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    args: argv.slice(2),
    allowPositionals: true,
    options: {
      pipelining: { type: "string", default: "1" },
      seconds: { type: "string", default: "5" },
      cpus: { type: "string" },
      top: { type: "string", default: "25" },
    },
  });
  const spec = SERVERS.find((server) => server.id === (positionals[0] ?? "ringcorn-bun"));
  if (spec === undefined) throw new PlainError(`Name a server: ${SERVERS.map((server) => server.id).join(", ")}.`);
  const machine = describeMachine(values.cpus);
  const directory = join(ROOT, ".bench", `profile-${spec.id}-${values.pipelining}-${Date.now()}`);
  mkdirSync(directory, { recursive: true });
  const runtimeFlags = ["--cpu-prof", `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${INTERVAL_US}`];
  const server = await startServer(spec, { app: "bench/apps/hello.ts", cpu: machine.serverCpu, runtimeFlags });
  const tool = programs().wrk === undefined ? "autocannon" : "wrk";
  try {
    const load = { url: server.url, connections: CONNECTIONS, pipelining: Number(values.pipelining) };
    const run = await runLoad(tool, {
      ...load,
      seconds: Number(values.seconds),
      cpus: machine.generatorCpus,
      signal: new AbortController().signal,
    });
    stderr.write(`${Math.round(run.requestsPerSecond).toLocaleString("en")} requests/s while profiled\n`);
  } finally {
    await server.stop();
  }
  const top = selfTimes(newestProfile(directory)).slice(0, Number(values.top));
  stdout.write(`${top.map(format).join("\n")}\n`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof PlainError)) throw error;
  stderr.write(`${error.message}\n`);
  exit(2);
}
