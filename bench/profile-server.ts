/**
 * Runs a workload's server under its load, with whatever observes it: what `npm run profile` does once for each profile.
 */
import { stderr } from "node:process";
import { PlainError } from "../src/runtime/types.ts";
import { cachedFile } from "./load/cache.ts";
import { besideCompanion } from "./load/companions.ts";
import { answers, freePort, launchServer } from "./load/launch.ts";
import { allowedCpus, describeMachine, layoutFor } from "./load/machine.ts";
import { programs } from "./load/programs.ts";
import { provide, serversOf } from "./load/row-groups.ts";
import { loadOf, writeRequests } from "./load/rows.ts";
import { speaksAt } from "./load/socket-load.ts";
import { toolFor } from "./load/tools.ts";
import { FILE_BYTES, FILE_FILL, type Workload } from "./load/workloads.ts";

const WARMUP_SECONDS = 2;

export type RuntimeKind = "bun" | "deno";

export interface Job {
  readonly workload: Workload;
  readonly directory: string;
  readonly seconds: number;
  readonly cores: number;
  readonly server: string | undefined;
  readonly cpus: string | undefined;
}

/** The server that is observed. */
export interface Observed {
  readonly pid: number;
  /** Undefined for peers in Python. */
  readonly kind: RuntimeKind | undefined;
  /** Where the suite has installed the peers of the row's group. */
  readonly directory: string;
  /** Processor time of the load generators has no place in a profile. */
  readonly generatorCpus: readonly number[];
}

/** Puts flags of the runtime behind it; `deno run` takes them behind `run`. */
export function withRuntimeFlags(command: readonly string[], flags: readonly string[]): string[] {
  const behind = command[1] === "run" ? 2 : 1;
  return [...command.slice(0, behind), ...flags, ...command.slice(behind)];
}

/** Undefined for a command of Python's. @throws PlainError for what writes no profile */
export function runtimeOf(command: readonly string[]): RuntimeKind | undefined {
  const name = command[0].split("/").at(-1) ?? "";
  if (name === "bun" || name === "deno") return name;
  if (/^(?:python[\d.]*|uwsgi)$/.test(name)) return undefined;
  throw new PlainError("Only servers on Bun, Deno and Python can be profiled here: Node writes no profile on SIGTERM.");
}

/** Whether the application runs in Python processes. */
export function hasPython({ app }: Workload): boolean {
  return app !== "web" && app !== "socket";
}

/**
 * One run of the workload's server under load.
 * @param flagsFor flags of the runtime, none for Python
 * @param beside surrounds the load; the server has been warmed up before
 */
export async function observed(
  job: Job,
  flagsFor: (kind: RuntimeKind) => readonly string[],
  beside: (server: Observed, load: () => Promise<void>) => Promise<void>,
): Promise<RuntimeKind | undefined> {
  const { workload, cores, server: id } = job;
  const machine = describeMachine(job.cpus);
  const layout = layoutFor(cores, allowedCpus(), { server: machine.serverCpu, generator: machine.generatorCpus });
  if (layout === undefined) throw new PlainError("No core would be left for the load generator.");
  const [spec] = serversOf(workload, { names: id === undefined ? undefined : [id], against: [] });
  if (spec === undefined)
    throw new PlainError(`No server "${id}" serves ${workload.name}: see npm run bench -- --list.`);
  const tool = toolFor(workload, programs().wrk === undefined ? ["autocannon"] : ["wrk"]);
  if (tool === undefined) throw new PlainError("Only wrk sends this workload's requests, and it is not installed.");
  const { directory } = await provide(workload, (line) => stderr.write(`${line}\n`));
  const port = await freePort();
  const workers = spec.workers ?? workload.workers;
  const launch = spec.launch({ workload, port, cores, workers, fronts: spec.fronts, directory });
  const kind = runtimeOf(launch.command);
  const command = kind === undefined ? launch.command : withRuntimeFlags(launch.command, flagsFor(kind));
  const env = { ...launch.env, PORT: String(port), BENCH_FILE: cachedFile("file-50kb.bin", FILE_BYTES, FILE_FILL) };
  const { signal } = new AbortController();
  const place = { cpus: layout.serverCpus, port, signal };
  const probe = workload.socket === undefined ? answers(workload.request) : speaksAt(workload.request.path);
  const server = await launchServer({ ...launch, command, env, title: spec.title }, place, probe);
  try {
    const load = {
      url: `http://127.0.0.1:${port}${workload.request.path}`,
      port,
      connections: workload.connections,
      seconds: job.seconds,
      warmupSeconds: 1,
      pipelining: 1,
      cpus: layout.generatorCpus,
      signal,
      request: workload.request,
      script: writeRequests(job.directory, workload, port),
    };
    const run = (seconds: number) => loadOf({ tool, workload }, { ...load, seconds }, ignore, ignore);
    const generators = { port, cpus: layout.generatorCpus };
    await besideCompanion({ signal }, workload.companion, generators, async () => {
      await run(WARMUP_SECONDS);
      await beside({ pid: server.pid, kind, directory, generatorCpus: layout.generatorCpus }, async () => {
        const { requestsPerSecond } = await run(job.seconds);
        stderr.write(`${Math.round(requestsPerSecond).toLocaleString("en")} a second while profiled\n`);
      });
      return { errors: 0 };
    });
  } finally {
    await server.stop();
  }
  return kind;
}

function ignore(): void {}
