/**
 * The workload rows (web/..., python/...): one workload on a number of cores, all servers in turn, round after round, each
 * turn on fresh processes that are checked and warmed up first.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlainError } from "../../src/runtime/types.ts";
import { checkWorkload } from "./ask.ts";
import { cacheDirectory, cachedFile } from "./cache.ts";
import { besideCompanion } from "./companions.ts";
import { type LoadOptions, type LoadRun, runLoad } from "./generator.ts";
import { describeSample } from "./http.ts";
import { answers, freePort, type LaunchedServer, launchServer } from "./launch.ts";
import { runLoop } from "./loop.ts";
import { allowedCpus, type Layout, layoutFor } from "./machine.ts";
import { runPaced } from "./paced.ts";
import { coreBusySeconds, cpuSeconds, peakResidentBytes, proportionalBytes, startTime } from "./procfs.ts";
import { shown } from "./programs.ts";
import type { Provision } from "./provision.ts";
import { provide, serversOf } from "./row-groups.ts";
import { type RowServer, type Split, splitsFor, splitText } from "./row-servers.ts";
import { type RateChoice, rateFor } from "./schedule.ts";
import { checkSocket, runSockets, speaksAt } from "./socket-load.ts";
import { rotated } from "./stats.ts";
import { toolFor } from "./tools.ts";
import type { BenchContext, HttpSample, HttpSuiteResult, Settings } from "./types.ts";
import { FILE_BYTES, FILE_FILL, requestBytes, type Workload } from "./workloads.ts";

/** Of the peak that has just been measured: busy, but with room to catch up. */
const PACED_SHARE = 0.7;
/** The server is warm; the connections are new. */
const PACED_WARMUP_SECONDS = 0.5;

/** `python/hello` on two cores is the suite `python/hello@2`. */
export function rowName(workload: Workload, cores: number): string {
  return `${workload.name}@${cores}`;
}

interface Row {
  /** Of the result: the commands of the load. */
  readonly loads: Record<string, string>;
  readonly name: string;
  readonly workload: Workload;
  readonly cores: number;
  readonly layout: Layout;
  readonly provision: Provision;
  readonly tool: HttpSample["tool"];
}

/** Writes the requests where request.lua reads them. */
export function writeRequests(directory: string, workload: Workload, port: number): string[] {
  const usual = join(directory, "request");
  writeFileSync(usual, requestBytes(workload.request, port), "latin1");
  if (workload.mix === undefined) return [usual];
  const other = join(directory, "other");
  writeFileSync(other, requestBytes(workload.mix.request, port), "latin1");
  return [usual, other, String(workload.mix.every)];
}

function busySeconds(cpus: readonly number[]): number {
  return cpus.reduce((sum, cpu) => sum + coreBusySeconds(cpu), 0);
}

/** What the kernel has counted by a moment. */
interface Reading {
  readonly atMs: number;
  readonly cores: number;
  readonly generator: number;
  readonly server: { readonly user: number; readonly system: number };
}

function read({ layout }: Row, pid: number): Reading {
  const { serverCpus, generatorCpus } = layout;
  return {
    atMs: performance.now(),
    cores: busySeconds(serverCpus),
    generator: busySeconds(generatorCpus),
    server: cpuSeconds(pid),
  };
}

function sampleOf(row: Row, pid: number, run: LoadRun, [before, after]: readonly Reading[], round: number): HttpSample {
  const { serverCpus, generatorCpus } = row.layout;
  if (startTime(pid) === undefined) throw new PlainError("The server ended during the load.");
  const { wallSeconds: _, utilisation, command: __, ...figures } = run;
  const elapsed = (after.atMs - before.atMs) / 1e3;
  const serverSystemSeconds = after.server.system - before.server.system;
  const serverCpuSeconds = after.server.user - before.server.user + serverSystemSeconds;
  const foreign = Math.max(0, after.cores - before.cores - serverCpuSeconds);
  const generatorBusy = (after.generator - before.generator) / (elapsed * generatorCpus.length);
  return {
    round,
    tool: row.tool,
    ...figures,
    serverCpuSeconds,
    serverSystemSeconds,
    serverUtilisation: serverCpuSeconds / (run.seconds * serverCpus.length),
    generatorUtilisation: utilisation,
    foreignUtilisation: foreign / (elapsed * serverCpus.length),
    // Companions share the generator's cores and are no strangers there.
    generatorForeignUtilisation: row.workload.companion === undefined ? Math.max(0, generatorBusy - utilisation) : 0,
    peakRssBytes: peakResidentBytes(pid),
    pssBytes: proportionalBytes(pid),
  };
}

/** Warms up and measures. */
async function measure(
  row: Row,
  server: LaunchedServer,
  load: LoadOptions,
  warmupSeconds: number,
  round: number,
): Promise<HttpSample> {
  const { pid, port } = server;
  let before = read(row, pid);
  let after: Reading | undefined;
  const started = () => {
    before = read(row, pid);
  };
  const ended = () => {
    after = read(row, pid);
  };
  const run = await loadOf(row, { ...load, port, warmupSeconds }, started, ended);
  row.loads[row.tool] ??= run.command;
  return sampleOf(row, pid, run, [before, after ?? read(row, pid)], round);
}

/** One load with the row's tool, `started` and `ended` being called around what counts. */
export async function loadOf(
  { tool, workload }: Pick<Row, "tool" | "workload">,
  load: LoadOptions & { readonly port: number; readonly warmupSeconds: number },
  started: () => void,
  ended: () => void,
): Promise<LoadRun> {
  if (tool === "socket") return runSockets(load, workload, started, ended);
  if (tool === "own") {
    const { figures, ...run } = await runPaced({ ...load, rate: 0, script: load.script ?? [] }, started, ended);
    const { rate: _, lateP99Us: __, unanswered: ___, ...counted } = figures;
    return { ...counted, ...run };
  }
  if (tool === "loop") return runLoop({ ...load, script: load.script ?? [] }, started);
  await runLoad(tool, { ...load, seconds: load.warmupSeconds });
  started();
  return runLoad(tool, load);
}

/** The rate of `--rate`, or the row's own. Connections that the request closes can't keep to one. */
export function paceFor(workload: Workload, { rate }: Pick<Settings, "rate">): RateChoice | undefined {
  const closes = (workload.request.fields ?? []).some(([name]) => name === "Connection");
  const mixed = workload.mix?.request.fields?.some(([name]) => name === "Connection") ?? false;
  if (rate === null || closes || mixed || workload.socket !== undefined || workload.own) return undefined;
  return rate ?? (workload.paced ? { share: PACED_SHARE } : undefined);
}

/** The same server once more, at a fixed rate, where the row is to be measured so. */
async function besidesPaced(
  row: Row,
  server: LaunchedServer,
  load: LoadOptions,
  settings: Settings,
  sample: HttpSample,
): Promise<HttpSample> {
  const choice = paceFor(row.workload, settings);
  if (choice === undefined) return sample;
  const rate = rateFor(choice, sample.requestsPerSecond);
  const { connections, seconds, cpus, signal, script = [] } = load;
  let before = cpuSeconds(server.pid);
  const options = {
    port: server.port,
    connections,
    warmupSeconds: PACED_WARMUP_SECONDS,
    seconds,
    rate,
    cpus,
    signal,
    script,
  };
  const { figures, command } = await runPaced(options, () => {
    before = cpuSeconds(server.pid);
  });
  row.loads["at a fixed rate"] ??= command;
  const after = cpuSeconds(server.pid);
  const serverCpuSeconds = after.user + after.system - before.user - before.system;
  return { ...sample, paced: { ...figures, serverCpuSeconds } };
}

/** A fresh process, checked, warmed up, and measured. */
async function turn(context: BenchContext, row: Row, spec: RowServer, round: number): Promise<HttpSample> {
  const { settings, result, signal } = context;
  const { workload, layout, cores } = row;
  const suite = result.http[row.name];
  const port = await freePort();
  const site = {
    workload,
    port,
    cores,
    workers: spec.workers ?? workload.workers,
    fronts: spec.fronts,
    directory: row.provision.directory,
  };
  const env = {
    BENCH_FILE: cachedFile("file-50kb.bin", FILE_BYTES, FILE_FILL),
    PORT: String(port),
    // Compiled files go to the cache, not into the tree.
    PYTHONPYCACHEPREFIX: join(cacheDirectory(), "pycache"),
  };
  const launch = spec.launch(site);
  const command = shown(launch.command.join(" ").replaceAll(row.provision.directory, "$PEERS"));
  // Tuning tries several before the one that stays.
  suite.commands![spec.id] = command.replaceAll(String(port), "PORT");
  const directory = mkdtempSync(join(tmpdir(), "ringcorn-bench-"));
  const named = { ...launch, title: spec.title, env: { ...env, ...launch.env } };
  const probe = workload.socket === undefined ? answers(workload.request) : speaksAt(workload.request.path);
  const server = await launchServer(named, { cpus: layout.serverCpus, port, signal }, probe);
  try {
    const check = workload.socket === undefined ? checkWorkload : checkSocket;
    suite.answers[spec.id] ??= await check(spec.title, port, workload);
    if (workload.mix !== undefined)
      await checkWorkload(spec.title, port, { ...workload, request: workload.mix.request });
    const load: LoadOptions = {
      url: `http://127.0.0.1:${port}${workload.request.path}`,
      connections: workload.connections,
      seconds: settings.seconds,
      pipelining: 1,
      cpus: layout.generatorCpus,
      signal,
      request: workload.request,
      script: writeRequests(directory, workload, port),
    };
    const place = { port, cpus: layout.generatorCpus };
    return await besideCompanion(context, workload.companion, place, async () => {
      const sample = await measure(row, server, load, settings.warmupSeconds, round);
      return besidesPaced(row, server, load, settings, sample);
    });
  } finally {
    for (const [name, said] of Object.entries(row.loads)) {
      row.loads[name] = shown(said.replaceAll(directory, "$REQUESTS")).replaceAll(String(port), "PORT");
    }
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Splits the servers of a row into those that are there and those that are not, which are noted once in the result. */
export function present(context: BenchContext, servers: readonly RowServer[], provision: Provision): RowServer[] {
  const { result } = context;
  result.missing ??= {};
  return servers.filter((server) => {
    const failed = server.needs.find((name) => provision.failed[name] !== undefined);
    const reason = server.never ?? (failed === undefined ? undefined : `${failed}: ${provision.failed[failed]}`);
    if (reason === undefined) return true;
    if (result.missing![server.id] === undefined) context.progress(`${server.title} is missing. ${reason}`);
    result.missing![server.id] = reason;
    return false;
  });
}

async function rounds(context: BenchContext, row: Row, servers: readonly RowServer[]): Promise<void> {
  const { settings, result, signal } = context;
  const broken = new Set<string>();
  for (let round = 0; round < settings.rounds; round++) {
    for (const spec of rotated(servers, round)) {
      if (signal.aborted) return;
      if (broken.has(spec.id)) continue;
      try {
        const sample = await turn(context, row, spec, round);
        const { samples } = result.http[row.name];
        samples[spec.id] ??= [];
        samples[spec.id].push(sample);
        context.plan.turn(row.name);
        const head = `${row.name} ${round + 1}/${settings.rounds} ${spec.title}`;
        context.progress(`${head}: ${describeSample(sample)} (${context.plan.toGo()})`);
      } catch (error) {
        if (!(error instanceof PlainError)) throw error;
        if (signal.aborted) return;
        const note = `${row.name}, round ${round + 1}, ${spec.title}: ${error.message}`;
        context.progress(note);
        result.notes.push(note);
        context.plan.turn(row.name);
        // What does not start or answers wrongly in the first round does so in all.
        if (round === 0) broken.add(spec.id);
      }
    }
  }
}

/**
 * Finds for each server the number of worker processes that answers most on these cores: one fewer than cores, as many,
 * one more, and for ours as many fronts as cores. What is found stands in the commands and the notes.
 */
async function tune(context: BenchContext, row: Row, servers: readonly RowServer[]): Promise<RowServer[]> {
  const tuned: RowServer[] = [];
  for (const spec of servers) {
    let best: Split & { rate: number } = { workers: spec.workers, fronts: spec.fronts, rate: 0 };
    const said: string[] = [];
    for (const split of spec.workers === undefined ? splitsFor(row.cores, spec.ours) : []) {
      if (context.signal.aborted) return tuned;
      try {
        const { requestsPerSecond: rate } = await turn(context, row, { ...spec, ...split }, 0);
        said.push(`${splitText(split)}: ${Math.round(rate).toLocaleString("en")}/s`);
        if (rate > best.rate) best = { ...split, rate };
      } catch (error) {
        if (!(error instanceof PlainError)) throw error;
        said.push(`${splitText(split)}: failed`);
      }
    }
    if (said.length > 0) {
      const note = `${row.name}, ${spec.title}: ${splitText(best)} (tried ${said.join("; ")})`;
      context.progress(note);
      context.result.notes.push(note);
    }
    tuned.push({ ...spec, workers: best.workers, fronts: best.fronts });
  }
  context.plan.drop("");
  return tuned;
}

/** Runs one workload on `cores` cores into `context.result`; what is done stays there when it is interrupted. */
export async function runRow(context: BenchContext, workload: Workload, cores: number): Promise<void> {
  const { machine, result } = context;
  const name = rowName(workload, cores);
  const skip = (why: string) => {
    context.progress(`${name} was left out: ${why}`);
    result.notes.push(`${name} was left out: ${why}`);
    context.plan.drop(name);
  };
  const one = { server: machine.serverCpu, generator: machine.generatorCpus };
  const layout = layoutFor(cores, allowedCpus(), one);
  if (layout === undefined) return skip("no core would be left for the load generator.");
  const tool = toolFor(workload, context.tools);
  if (tool === undefined) return skip("no load generator at hand sends this request: only wrk sends chunks and mixes.");
  const wanted = serversOf(workload, context.selection);
  if (!wanted.some((server) => !server.ours) && context.selection.names === undefined)
    return skip("no peer is wanted.");
  if (wanted.length === 0) return skip("none of the servers that are named serves it.");
  const provision = await provide(workload, context.progress, context.signal);
  // What that took is no turn's time.
  context.plan.drop("");
  Object.assign(machine.versions, provision.versions);
  const servers = present(context, wanted, provision);
  const suite: HttpSuiteResult = {
    ...{ pipelining: 1, connections: workload.connections, samples: {}, answers: {}, loads: {} },
    ...{ about: workload.about, cores, commands: {}, ...layout },
    ...(workload.curve === undefined ? {} : { curve: workload.curve }),
  };
  result.http[name] = suite;
  if (layout.generatorCpus.length < cores) {
    const left = layout.generatorCpus.length === 1 ? "One core is" : `${layout.generatorCpus.length} cores are`;
    const note = `${left} left for the load generator beside servers on ${cores}: see who was busy.`;
    if (!result.notes.includes(note)) result.notes.push(note);
  }
  const row: Row = { name, workload, cores, layout, provision, tool, loads: suite.loads! };
  const tuned = context.settings.tune && workload.workers === undefined ? await tune(context, row, servers) : servers;
  await rounds(context, row, tuned);
  context.plan.drop(name);
}
