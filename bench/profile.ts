/**
 * Where the time and the memory go: runs a server under a workload, once with its runtime's CPU profiler and once with a
 * heap profiler, prints the functions with the most self time, and leaves files that Chrome DevTools open. Where the
 * application is Python's, its processes are profiled in a third run, into files that speedscope opens.
 *
 *   npm run profile -- web/json [--server ringcorn-deno] [--cores 2] [--seconds 5] [--top 25] [--cpus 0:2,3]
 *   bun bench/profile.ts ringcorn-bun [--pipelining 16]           (the suites http/hello and http/pipelined)
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { argv, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { PlainError } from "../src/runtime/types.ts";
import { sampleAllocations } from "./inspector.ts";
import { runLoad } from "./load/generator.ts";
import { freePort } from "./load/launch.ts";
import { describeMachine } from "./load/machine.ts";
import { programs, ROOT } from "./load/programs.ts";
import { SERVERS, startServer } from "./load/servers.ts";
import { WORKLOADS } from "./load/workloads.ts";
import { profilePython } from "./profile-python.ts";
import { hasPython, type Job, observed } from "./profile-server.ts";
import { positive, runProgram } from "./program.ts";
import { isOurs } from "./report-rows.ts";
import { type CpuProfile, type SelfTime, type Speedscope, selfTimes, selfTimesOfStacks } from "./self-times.ts";

const CONNECTIONS = 64;
const INTERVAL_US = 500;

function newest(directory: string, ending: string): string {
  const [name] = readdirSync(directory)
    .filter((each) => each.endsWith(ending))
    .sort()
    .reverse();
  if (name === undefined)
    throw new PlainError(`The server wrote no ${ending} to ${directory}: did it leave on SIGTERM?`);
  return join(directory, name);
}

function readProfile(path: string): CpuProfile {
  return JSON.parse(readFileSync(path, "utf8")) as CpuProfile;
}

function format({ name, where, share, microseconds }: SelfTime): string {
  const place = where.replace(`file://${ROOT}`, "").replace(ROOT, "");
  return `${(share * 100).toFixed(1).padStart(5)} %  ${(microseconds / 1e3).toFixed(0).padStart(6)} ms  ${name}  ${place}`;
}

/** @returns the path of the .cpuprofile */
async function profileTime(job: Job): Promise<string> {
  const flags = ["--cpu-prof", `--cpu-prof-dir=${job.directory}`, `--cpu-prof-interval=${INTERVAL_US}`];
  await observed(
    job,
    () => flags,
    (_server, load) => load(),
  );
  const path = join(job.directory, "server.cpuprofile");
  renameSync(newest(job.directory, ".cpuprofile"), path);
  return path;
}

/**
 * V8 samples allocations, those of objects long collected included. Bun can only write what is alive at the end: a heap
 * snapshot, whatever it calls the file.
 * @returns the path of the .heapprofile or .heapsnapshot
 */
async function profileMemory(job: Job): Promise<string> {
  const inspectorPort = await freePort();
  const path = join(job.directory, "server.heapprofile");
  const kind = await observed(
    job,
    (runtime) =>
      runtime === "bun"
        ? ["--heap-prof", `--heap-prof-dir=${job.directory}`]
        : [`--inspect=127.0.0.1:${inspectorPort}`],
    async (server, load) => {
      if (server.kind === "bun") return load();
      const sampling = await sampleAllocations(inspectorPort);
      await load();
      writeFileSync(path, JSON.stringify(await sampling.stop()));
    },
  );
  if (kind !== "bun") return path;
  const snapshot = join(job.directory, "server.heapsnapshot");
  renameSync(newest(job.directory, ".heapprofile"), snapshot);
  return snapshot;
}

/** The peers of the Python rows have no other processes than Python's. */
function isPythonAlone({ workload, server }: Job): boolean {
  return hasPython(workload) && server !== undefined && !isOurs(server);
}

/** All profiles of a workload's server. @returns the files */
async function profileWorkload(job: Job, top: number): Promise<string[]> {
  const files: string[] = [];
  if (!isPythonAlone(job)) {
    files.push(await profileTime(job));
    stdout.write(`${selfTimes(readProfile(files[0])).slice(0, top).map(format).join("\n")}\n`);
    files.push(await profileMemory(job));
  }
  if (!hasPython(job.workload)) return files;
  const recorded = await profilePython(job);
  const stacks = JSON.parse(readFileSync(recorded[0], "utf8")) as Speedscope;
  stdout.write(`Python, the busiest process:\n${selfTimesOfStacks(stacks).slice(0, top).map(format).join("\n")}\n`);
  return [...files, ...recorded];
}

/** The suites http/hello and http/pipelined, whose servers are those of servers.ts. */
async function profileHello(
  id: string,
  { cpus, seconds, pipelining }: { readonly cpus?: string; readonly seconds: number; readonly pipelining: number },
  directory: string,
): Promise<string> {
  const spec = SERVERS.find((server) => server.id === id);
  if (spec === undefined) throw new PlainError(`Name a server: ${SERVERS.map((server) => server.id).join(", ")}.`);
  const machine = describeMachine(cpus);
  if (spec.runtime === "node") throw new PlainError("Node's servers are not profiled here: name one on Bun or Deno.");
  const runtimeFlags = ["--cpu-prof", `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${INTERVAL_US}`];
  const server = await startServer(spec, { app: "bench/apps/hello.ts", cpu: machine.serverCpu, runtimeFlags });
  const tool = programs().wrk === undefined ? "autocannon" : "wrk";
  try {
    const load = { url: server.url, connections: CONNECTIONS, pipelining };
    const run = await runLoad(tool, {
      ...load,
      seconds,
      cpus: machine.generatorCpus,
      signal: new AbortController().signal,
    });
    stderr.write(`${Math.round(run.requestsPerSecond).toLocaleString("en")} requests/s while profiled\n`);
  } finally {
    await server.stop();
  }
  return newest(directory, ".cpuprofile");
}

/** Requests at once on each connection in these suites. */
const HELLO_DEPTH: Readonly<Record<string, string>> = { "http/hello": "1", "http/pipelined": "16" };

const OPTIONS = {
  server: { type: "string" },
  cores: { type: "string", default: "1" },
  pipelining: { type: "string" },
  seconds: { type: "string", default: "5" },
  cpus: { type: "string" },
  top: { type: "string", default: "25" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const HELP = `npm run profile -- ROW [options]          a row of the suite, such as web/json, python/hello or http/pipelined (npm run
                                          bench -- --list)
bun bench/profile.ts SERVER [options]     a server of the suites http, such as ringcorn-bun

  --server ID      a server of the row, such as ringcorn-deno or uvicorn (Ringcorn on Bun)
  --cores N        cores of the server
  --seconds N      how long the load lasts
  --top N          functions that are printed
  --cpus S:L       core of the server and cores of the load generator, such as 0:2,3
  --pipelining N   requests at once on each connection, for a server of the suites http (16 in http/pipelined, else 1)
  -h, --help

The files that are left are named at the end: .cpuprofile, .heapprofile and .heapsnapshot open in Chrome's DevTools, a
Python worker's .speedscope.json in speedscope.
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ args: argv.slice(2), allowPositionals: true, options: OPTIONS });
  if (values.help) {
    stdout.write(HELP);
    return;
  }
  if (positionals.length > 1) throw new PlainError(`One row at a time: ${positionals.join(", ")} are several.`);
  const [seconds, cores, top] = [
    positive("seconds", values.seconds),
    positive("cores", values.cores),
    positive("top", values.top),
  ];
  const asked = positionals[0] ?? "web/hello";
  // A suite of servers.ts is profiled by its server.
  const name = asked in HELLO_DEPTH ? (values.server ?? "ringcorn-bun") : asked;
  const pipelining = positive("pipelining", values.pipelining ?? HELLO_DEPTH[asked] ?? "1");
  const workload = WORKLOADS.find((each) => each.name === name);
  if (workload === undefined && !SERVERS.some((server) => server.id === name)) {
    throw new PlainError(
      `There is no workload "${name}": choose from ${WORKLOADS.map((each) => each.name).join(", ")}; or a server of the suites http: ${SERVERS.map(({ id }) => id).join(", ")}.`,
    );
  }
  const { server, cpus } = values;
  const directory = join(ROOT, ".bench", `profile-${name.replaceAll("/", "-")}-${Date.now()}`);
  mkdirSync(directory, { recursive: true });
  // Nothing stays of what could not begin.
  process.once("exit", () => readdirSync(directory).length === 0 && rmdirSync(directory));
  let files: string[];
  if (workload === undefined) {
    files = [await profileHello(name, { cpus, seconds, pipelining }, directory)];
    stdout.write(`${selfTimes(readProfile(files[0])).slice(0, top).map(format).join("\n")}\n`);
  } else files = await profileWorkload({ workload, directory, seconds, cores, server, cpus }, top);
  for (const file of files) if (existsSync(file)) stdout.write(`${relative(ROOT, file)}\n`);
}

if (import.meta.main) await runProgram(main);
