/**
 * The suites http/hello and http/pipelined: servers in turn, round after round, each round on fresh processes.
 */
import { PlainError } from "../../src/runtime/types.ts";
import { runLoad } from "./generator.ts";
import { checkAnswer } from "./parity.ts";
import { coreBusySeconds, cpuSeconds, peakResidentBytes } from "./procfs.ts";
import { shown } from "./programs.ts";
import { type RunningServer, serverCommand, startServer } from "./servers.ts";
import { rotated } from "./stats.ts";
import type { BenchContext, HttpSample, HttpSuiteResult, LoadTool, ServerSpec } from "./types.ts";

const DISTURBED_SHARE = 0.1;
const HELLO_APP = "bench/apps/hello.ts";

function busySeconds(cpus: readonly number[]): number {
  return cpus.reduce((sum, cpu) => sum + coreBusySeconds(cpu), 0);
}

async function measure(
  context: BenchContext,
  name: string,
  server: RunningServer,
  tool: LoadTool,
  round: number,
  pipelining: number,
): Promise<HttpSample> {
  const { machine, settings, signal } = context;
  const coreBefore = coreBusySeconds(machine.serverCpu);
  const generatorBefore = busySeconds(machine.generatorCpus);
  const serverBefore = cpuSeconds(server.pid);
  const run = await runLoad(tool, {
    url: server.url,
    connections: settings.connections,
    seconds: settings.seconds,
    pipelining,
    cpus: machine.generatorCpus,
    signal,
  });
  const serverAfter = cpuSeconds(server.pid);
  const serverSystemSeconds = serverAfter.system - serverBefore.system;
  const serverCpuSeconds = serverAfter.user - serverBefore.user + serverSystemSeconds;
  const foreignSeconds = Math.max(0, coreBusySeconds(machine.serverCpu) - coreBefore - serverCpuSeconds);
  context.result.http[name].loads![tool] ??= shown(run.command).replaceAll(String(server.port), "PORT");
  const coreSeconds = run.wallSeconds * machine.generatorCpus.length;
  const generatorForeign = (busySeconds(machine.generatorCpus) - generatorBefore) / coreSeconds - run.utilisation;
  return {
    round,
    tool,
    requests: run.requests,
    seconds: run.seconds,
    requestsPerSecond: run.requestsPerSecond,
    p50Us: run.p50Us,
    p99Us: run.p99Us,
    ...(run.p999Us === undefined ? {} : { p999Us: run.p999Us }),
    errors: run.errors,
    ...(run.wrongStatus === undefined ? {} : { wrongStatus: run.wrongStatus, socketErrors: run.socketErrors }),
    serverCpuSeconds,
    serverSystemSeconds,
    serverUtilisation: serverCpuSeconds / run.seconds,
    generatorUtilisation: run.utilisation,
    foreignUtilisation: foreignSeconds / run.wallSeconds,
    generatorForeignUtilisation: machine.shared ? 0 : Math.max(0, generatorForeign),
    peakRssBytes: peakResidentBytes(server.pid),
  };
}

/** Others took more than a tenth of the server's core or of the generator's. */
export function isDisturbed(sample: HttpSample): boolean {
  return Math.max(sample.foreignUtilisation, sample.generatorForeignUtilisation) > DISTURBED_SHARE;
}

/** A line for the terminal. */
export function describeSample(sample: HttpSample): string {
  const rate = Math.round(sample.requestsPerSecond).toLocaleString("en");
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const disturbed = isDisturbed(sample)
    ? `, others on their cores ${percent(sample.foreignUtilisation)} / ${percent(sample.generatorForeignUtilisation)}`
    : "";
  const p999 = !Number.isFinite(sample.p999Us) ? "" : `p99.9 ${Math.round(sample.p999Us!)} µs, `;
  const p99 = Number.isNaN(sample.p99Us) ? "" : `p99 ${Math.round(sample.p99Us)} µs, ${p999}`;
  const kinds = sample.wrongStatus === undefined ? "" : ` (${sample.wrongStatus} of them wrong answers)`;
  const errors = sample.errors > 0 ? `, ${sample.errors} errors${kinds}` : "";
  return `${sample.tool} ${rate}/s, ${p99}server ${percent(sample.serverUtilisation)}, generator ${percent(sample.generatorUtilisation)}${disturbed}${errors}`;
}

/** One server's turn in a round: a fresh process, checked, warmed up, and measured with each tool. */
async function turn(context: BenchContext, name: string, spec: ServerSpec, round: number): Promise<void> {
  const { machine, settings, tools } = context;
  const suite = context.result.http[name];
  suite.commands![spec.id] ??= shown(serverCommand(spec, HELLO_APP).join(" "));
  const server = await startServer(spec, { app: HELLO_APP, cpu: machine.serverCpu });
  try {
    if (spec.kind !== "floor") suite.answers[spec.id] ??= await checkAnswer(spec.title, server.port);
    await runLoad(tools[0], {
      url: server.url,
      connections: settings.connections,
      seconds: settings.warmupSeconds,
      pipelining: suite.pipelining,
      cpus: machine.generatorCpus,
      signal: context.signal,
    });
    for (const tool of tools) {
      const sample = await measure(context, name, server, tool, round, suite.pipelining);
      suite.samples[spec.id] ??= [];
      suite.samples[spec.id].push(sample);
      if (tool === tools[tools.length - 1]) context.plan.turn(name);
      context.progress(
        `${name} ${round + 1}/${settings.rounds} ${spec.title}: ${describeSample(sample)} (${context.plan.toGo()})`,
      );
    }
  } finally {
    await server.stop();
  }
}

/**
 * Runs one suite into `context.result`; what is done stays there when it is interrupted. A turn that fails is noted, and
 * the others go on.
 */
export async function runHttpSuite(context: BenchContext, name: string, pipelining: number): Promise<void> {
  const { settings, servers, result } = context;
  const suite: HttpSuiteResult = {
    ...{ pipelining, connections: settings.connections, samples: {}, answers: {}, commands: {}, loads: {} },
  };
  result.http[name] = suite;
  for (let round = 0; round < settings.rounds; round++) {
    for (const spec of rotated(servers, round)) {
      if (context.signal.aborted) return;
      try {
        await turn(context, name, spec, round);
      } catch (error) {
        if (!(error instanceof PlainError)) throw error;
        if (context.signal.aborted) return;
        const note = `${name}, round ${round + 1}: ${error.message}`;
        context.progress(note);
        result.notes.push(note);
      }
    }
  }
}
