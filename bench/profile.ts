/**
 * Where the time and the memory go: runs a server under a workload, once with its runtime's CPU profiler and once with a
 * heap profiler, prints the functions with the most self time, and leaves files that Chrome DevTools open.
 *
 *   npm run profile -- web/json [--server ringcorn-deno] [--cores 2] [--seconds 5] [--top 25] [--cpus 0:2,3]
 *   bun bench/profile.ts ringcorn-bun [--pipelining 16]           (the suites http/hello and http/pipelined)
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { PlainError } from "../src/runtime/types.ts";
import { sampleAllocations } from "./inspector.ts";
import { cachedFile } from "./load/cache.ts";
import { type LoadOptions, runLoad } from "./load/generator.ts";
import { answers, freePort, launchServer } from "./load/launch.ts";
import { allowedCpus, describeMachine, layoutFor } from "./load/machine.ts";
import { programs, ROOT } from "./load/programs.ts";
import { provide, serversOf } from "./load/row-groups.ts";
import { writeRequests } from "./load/rows.ts";
import { SERVERS, startServer } from "./load/servers.ts";
import { toolFor } from "./load/tools.ts";
import { FILE_BYTES, FILE_FILL, WORKLOADS, type Workload } from "./load/workloads.ts";
import { type CpuProfile, type SelfTime, selfTimes } from "./self-times.ts";

const CONNECTIONS = 64;
const INTERVAL_US = 500;
const WARMUP_SECONDS = 2;

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

/** Puts flags of the runtime behind it; `deno run` takes them behind `run`. */
export function withRuntimeFlags(command: readonly string[], flags: readonly string[]): string[] {
  const behind = command[1] === "run" ? 2 : 1;
  return [...command.slice(0, behind), ...flags, ...command.slice(behind)];
}

type RuntimeKind = "bun" | "deno";

function runtimeOf(command: readonly string[]): RuntimeKind {
  const name = command[0].split("/").at(-1) ?? "";
  if (name === "bun" || name === "deno") return name;
  throw new PlainError(
    "Only servers on Bun and Deno can be profiled here: the others write no profile when they stop.",
  );
}

interface Job {
  readonly workload: Workload;
  readonly directory: string;
  readonly seconds: number;
  readonly cores: number;
  readonly server: string | undefined;
  readonly cpus: string | undefined;
}

/** One run of the workload's server under load. `beside` surrounds the load. */
async function profiled(
  job: Job,
  flagsFor: (kind: RuntimeKind) => readonly string[],
  beside: (kind: RuntimeKind, load: () => Promise<void>) => Promise<void>,
): Promise<RuntimeKind> {
  const { workload, cores, server: id } = job;
  const machine = describeMachine(job.cpus);
  const one = { server: machine.serverCpu, generator: machine.generatorCpus };
  const layout = layoutFor(cores, allowedCpus(), one);
  if (layout === undefined) throw new PlainError("No core would be left for the load generator.");
  const servers = serversOf(workload, { names: id === undefined ? undefined : [id], against: [] });
  if (servers.length === 0)
    throw new PlainError(`No server "${id}" serves ${workload.name}: see npm run bench -- --list.`);
  const [spec] = servers;
  const provision = await provide(workload, (line) => stderr.write(`${line}\n`));
  const port = await freePort();
  const launch = spec.launch({
    workload,
    port,
    cores,
    workers: spec.workers,
    fronts: spec.fronts,
    directory: provision.directory,
  });
  const kind = runtimeOf(launch.command);
  const command = withRuntimeFlags(launch.command, flagsFor(kind));
  const env = { ...launch.env, PORT: String(port), BENCH_FILE: cachedFile("file-50kb.bin", FILE_BYTES, FILE_FILL) };
  const { signal } = new AbortController();
  const place = { cpus: layout.serverCpus, port, signal };
  const server = await launchServer({ ...launch, command, env, title: spec.title }, place, answers(workload.request));
  const tool = toolFor(
    { ...workload, exact: false, own: false },
    programs().wrk === undefined ? ["autocannon"] : ["wrk"],
  );
  try {
    if (tool === undefined || tool === "loop" || tool === "own" || tool === "socket")
      throw new PlainError("Only wrk sends this workload's requests, and it is not installed.");
    const load: LoadOptions = {
      url: `http://127.0.0.1:${port}${workload.request.path}`,
      connections: workload.connections,
      seconds: job.seconds,
      pipelining: 1,
      cpus: layout.generatorCpus,
      signal,
      request: workload.request,
      script: writeRequests(job.directory, workload, port),
    };
    await runLoad(tool, { ...load, seconds: WARMUP_SECONDS });
    await beside(kind, async () => {
      const run = await runLoad(tool, load);
      stderr.write(`${Math.round(run.requestsPerSecond).toLocaleString("en")} requests/s while profiled\n`);
    });
  } finally {
    await server.stop();
  }
  return kind;
}

/** @returns the path of the .cpuprofile */
async function profileTime(job: Job): Promise<string> {
  const flags = ["--cpu-prof", `--cpu-prof-dir=${job.directory}`, `--cpu-prof-interval=${INTERVAL_US}`];
  await profiled(
    job,
    () => flags,
    (_kind, load) => load(),
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
  const kind = await profiled(
    job,
    (runtime) =>
      runtime === "bun"
        ? ["--heap-prof", `--heap-prof-dir=${job.directory}`]
        : [`--inspect=127.0.0.1:${inspectorPort}`],
    async (runtime, load) => {
      if (runtime === "bun") return load();
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

/** The suites http/hello and http/pipelined, whose servers are those of servers.ts. */
async function profileHello(id: string, values: Values, directory: string): Promise<string> {
  const spec = SERVERS.find((server) => server.id === id);
  if (spec === undefined) throw new PlainError(`Name a server: ${SERVERS.map((server) => server.id).join(", ")}.`);
  const machine = describeMachine(values.cpus);
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
  return newest(directory, ".cpuprofile");
}

const OPTIONS = {
  server: { type: "string" },
  cores: { type: "string", default: "1" },
  pipelining: { type: "string", default: "1" },
  seconds: { type: "string", default: "5" },
  cpus: { type: "string" },
  top: { type: "string", default: "25" },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ args: argv.slice(2), allowPositionals: true, options: OPTIONS });
  const name = positionals[0] ?? "web/hello";
  const workload = WORKLOADS.find((each) => each.name === name);
  if (workload === undefined && !SERVERS.some((server) => server.id === name)) {
    throw new PlainError(
      `There is no workload "${name}": choose from ${WORKLOADS.map((each) => each.name).join(", ")}.`,
    );
  }
  const directory = join(ROOT, ".bench", `profile-${name.replaceAll("/", "-")}-${Date.now()}`);
  mkdirSync(directory, { recursive: true });
  const files: string[] = [];
  if (workload === undefined) files.push(await profileHello(name, values, directory));
  else {
    const { server, cpus } = values;
    const job = { workload, directory, seconds: Number(values.seconds), cores: Number(values.cores), server, cpus };
    files.push(await profileTime(job), await profileMemory(job));
  }
  const top = selfTimes(readProfile(files[0])).slice(0, Number(values.top));
  stdout.write(`${top.map(format).join("\n")}\n`);
  for (const file of files) if (existsSync(file)) stdout.write(`${relative(ROOT, file)}\n`);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    const plain = error instanceof PlainError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
    if (!plain) throw error;
    stderr.write(`${(error as Error).message}\n`);
    exit(2);
  }
}
