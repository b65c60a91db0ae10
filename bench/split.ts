/**
 * Where the processor time of a request to a Python application goes, front and worker on one core, beside another
 * server's total.
 *
 *   bun bench/split.ts [--rows hello,10kb,echo-10kb,echo-100kb] [--runtime bun] [--against granian,uvicorn]
 *                      [--seconds 4] [--rounds 3] [--cpus 1:2,3]
 *
 * Microseconds a request. Kernel: system time of front and worker. Parse, bridge (front) and server: user time of the
 * front, by the folders of the functions in its CPU profile; what is no function of ours is the runtime's own. Task and
 * app: measured by themselves (bench/micro/stages.py), warm. Bridge (worker): the rest of the worker's user time. Of the
 * rounds, which are interleaved, the one with the least total counts.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { argv, stderr, stdout } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { cachedFile } from "./load/cache.ts";
import { runLoad } from "./load/generator.ts";
import { answers, freePort, type LaunchedServer, launchServer } from "./load/launch.ts";
import { describeMachine } from "./load/machine.ts";
import { parseStat, processTree } from "./load/procfs.ts";
import { ROOT } from "./load/programs.ts";
import { PYTHON_SERVERS } from "./load/python-servers.ts";
import { provide } from "./load/row-groups.ts";
import { writeRequests } from "./load/rows.ts";
import { FILE_BYTES, FILE_FILL, WORKLOADS, type Workload } from "./load/workloads.ts";
import { withRuntimeFlags } from "./profile-server.ts";
import { parsedOrLeave } from "./program.ts";
import { type CpuProfile, selfTimes } from "./self-times.ts";

const HELP = `bun bench/split.ts [--rows hello,10kb,echo-10kb,echo-100kb] [--runtime bun] [--against granian,uvicorn] [--seconds 4]
                   [--rounds 3] [--cpus 1:2,3]
`;
const { values } = parsedOrLeave(
  {
    args: argv.slice(2),
    options: {
      rows: { type: "string", default: "hello,10kb,echo-10kb,echo-100kb" },
      runtime: { type: "string", default: "bun" },
      against: { type: "string", default: "granian,uvicorn" },
      seconds: { type: "string", default: "4" },
      rounds: { type: "string", default: "3" },
      cpus: { type: "string" },
    },
  },
  HELP,
);
const SECONDS = Number(values.seconds);
const WARMUP_SECONDS = 4;
const INTERVAL_US = 500;
const machine = describeMachine(values.cpus);
const { signal } = new AbortController();

interface Share {
  readonly user: number;
  readonly system: number;
}

interface Contender {
  readonly name: string;
  readonly server: LaunchedServer;
  readonly script: string[];
  /** Of the best round, for each process that worked. */
  best: Share[];
}

async function launch(workload: Workload, id: string, flags: readonly string[] = []): Promise<Contender> {
  const spec = PYTHON_SERVERS.find((each) => each.id === id);
  if (spec === undefined) throw new Error(`There is no server ${id}.`);
  const { directory } = await provide(workload, (line) => stderr.write(`${line}\n`));
  const port = await freePort();
  const given = spec.launch({ workload, port, cores: 1, workers: undefined, fronts: undefined, directory });
  const command = flags.length === 0 ? given.command : withRuntimeFlags(given.command, flags);
  const env = { ...given.env, BENCH_FILE: cachedFile("file-50kb.bin", FILE_BYTES, FILE_FILL) };
  const place = { cpus: [machine.serverCpu], port, signal };
  const server = await launchServer({ ...given, command, env, title: spec.title }, place, answers(workload.request));
  const own = join(ROOT, ".bench", `split-${port}`);
  mkdirSync(own, { recursive: true });
  return { name: id, server, script: writeRequests(own, workload, port), best: [] };
}

/** Requests that were answered. */
async function load(workload: Workload, { server, script }: Contender, seconds: number): Promise<number> {
  const url = `http://127.0.0.1:${server.port}${workload.request.path}`;
  const { connections } = workload;
  const run = await runLoad("wrk", {
    url,
    connections,
    seconds,
    pipelining: 1,
    cpus: machine.generatorCpus,
    signal,
    script,
  });
  return run.requestsPerSecond * seconds;
}

function times(server: LaunchedServer): Share[] {
  return processTree(server.pid).map((pid) => parseStat(readFileSync(`/proc/${pid}/stat`, "latin1")));
}

const sum = (shares: readonly Share[]): number => shares.reduce((total, { user, system }) => total + user + system, 0);

async function measure(workload: Workload, contender: Contender): Promise<void> {
  const before = times(contender.server);
  const requests = await load(workload, contender, SECONDS);
  const shares = times(contender.server).map((after, i) => ({
    user: ((after.user - before[i].user) * 1e6) / requests,
    system: ((after.system - before[i].system) * 1e6) / requests,
  }));
  if (contender.best.length === 0 || sum(shares) < sum(contender.best)) contender.best = shares;
}

const FOLDERS: readonly [string, RegExp][] = [
  ["parse", /\/src\/protocol\//],
  ["bridge", /\/src\/python\/|\/src\/runtime\/stream-child/],
  ["server", /\/src\//],
];

/** Shares of a front's time, by folder; the rest is the runtime's own and the kernel's. */
async function frontShares(workload: Workload, id: string): Promise<Map<string, number>> {
  const directory = join(ROOT, ".bench", `split-profile-${Date.now()}`);
  mkdirSync(directory, { recursive: true });
  const flags = ["--cpu-prof", `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${INTERVAL_US}`];
  const contender = await launch(workload, id, flags);
  try {
    await load(workload, contender, WARMUP_SECONDS + SECONDS);
  } finally {
    await contender.server.stop();
  }
  const [file] = readdirSync(directory).filter((name) => name.endsWith(".cpuprofile"));
  const profile = JSON.parse(readFileSync(join(directory, file), "utf8")) as CpuProfile;
  const shares = new Map<string, number>(FOLDERS.map(([name]) => [name, 0]));
  for (const { where, share } of selfTimes(profile)) {
    const folder = FOLDERS.find(([, path]) => path.test(where))?.[0];
    if (folder !== undefined) shares.set(folder, shares.get(folder)! + share);
  }
  return shares;
}

async function stages(workload: Workload): Promise<{ app: number; task: number }> {
  const { directory } = await provide(workload, () => {});
  const { path, body } = workload.request;
  const script = join(ROOT, "bench/micro/stages.py");
  const bytes = String(body?.length ?? 0);
  return JSON.parse(execFileSync(join(directory, "venv/bin/python"), [script, path, bytes], { encoding: "utf8" }));
}

const round = (value: number): string => value.toFixed(1);

async function splitRow(workload: Workload): Promise<void> {
  const own = `ringcorn-${values.runtime}-python`;
  const contenders: Contender[] = [];
  try {
    for (const id of [own, ...values.against.split(",")]) contenders.push(await launch(workload, id));
    await sleep(500);
    for (const each of contenders) await load(workload, each, WARMUP_SECONDS);
    for (let i = 0; i < Number(values.rounds); i++) for (const each of contenders) await measure(workload, each);
  } finally {
    for (const { server } of contenders) await server.stop();
  }
  const [front, worker] = contenders[0].best;
  const shares = await frontShares(workload, own);
  const { app, task } = await stages(workload);
  const ofFront = (name: string): number => (front.user + front.system) * (shares.get(name) ?? 0);
  const [parse, bridge, server] = ["parse", "bridge", "server"].map(ofFront);
  const cells = [
    workload.name.replace("python/", ""),
    round(front.system + worker.system),
    round(parse),
    round(server),
    round(Math.max(0, front.user - parse - bridge - server)),
    round(bridge),
    round(Math.max(0, worker.user - app - task)),
    round(task),
    round(app),
    `**${round(sum(contenders[0].best))}**`,
    ...contenders.slice(1).map(({ best }) => round(sum(best))),
  ];
  stdout.write(`| ${cells.join(" | ")} |\n`);
}

const columns = ["kernel", "parse", "server", "runtime", "bridge, front", "bridge, worker", "task", "app", "total"];
stdout.write(`| | ${[...columns, ...values.against.split(",")].join(" | ")} |\n`);
stdout.write(`|${" - |".repeat(1)}${" -: |".repeat(columns.length + values.against.split(",").length)}\n`);
for (const row of values.rows.split(",")) {
  const workload = WORKLOADS.find(({ name }) => name === `python/${row}`);
  if (workload === undefined) throw new Error(`There is no row python/${row}.`);
  await splitRow(workload);
}
