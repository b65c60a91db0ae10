/**
 * The suites http/hello and http/pipelined: servers in turn, round after round, each round on fresh processes.
 */
import { runLoad } from "./generator.ts";
import { checkAnswer } from "./parity.ts";
import { coreBusySeconds, cpuSeconds, peakResidentBytes } from "./procfs.ts";
import { type RunningServer, startServer } from "./servers.ts";
import { rotated } from "./stats.ts";
import type { BenchContext, HttpSample, HttpSuiteResult } from "./types.ts";

const HELLO_APP = "bench/apps/hello.ts";

async function measure(
  context: BenchContext,
  server: RunningServer,
  tool: HttpSample["tool"],
  round: number,
  pipelining: number,
): Promise<HttpSample> {
  const { machine, settings, signal } = context;
  const coreBefore = coreBusySeconds(machine.serverCpu);
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
  return {
    round,
    tool,
    requests: run.requests,
    seconds: run.seconds,
    requestsPerSecond: run.requestsPerSecond,
    p50Us: run.p50Us,
    p99Us: run.p99Us,
    errors: run.errors,
    serverCpuSeconds,
    serverSystemSeconds,
    serverUtilisation: serverCpuSeconds / run.seconds,
    generatorUtilisation: run.utilisation,
    foreignUtilisation: foreignSeconds / run.wallSeconds,
    peakRssBytes: peakResidentBytes(server.pid),
  };
}

function describe(sample: HttpSample): string {
  const rate = Math.round(sample.requestsPerSecond).toLocaleString("en");
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const disturbed = sample.foreignUtilisation > 0.1 ? `, others on its core ${percent(sample.foreignUtilisation)}` : "";
  const errors = sample.errors > 0 ? `, ${sample.errors} errors` : "";
  return `${sample.tool} ${rate}/s, p99 ${Math.round(sample.p99Us)} µs, server ${percent(sample.serverUtilisation)}, generator ${percent(sample.generatorUtilisation)}${disturbed}${errors}`;
}

/** Runs one suite into `context.result`; what is done stays there when it is interrupted. */
export async function runHttpSuite(context: BenchContext, name: string, pipelining: number): Promise<void> {
  const { machine, settings, servers, tools } = context;
  const suite: HttpSuiteResult = { pipelining, connections: settings.connections, samples: {}, answers: {} };
  context.result.http[name] = suite;
  for (let round = 0; round < settings.rounds; round++) {
    for (const spec of rotated(servers, round)) {
      if (context.signal.aborted) return;
      const server = await startServer(spec, { app: HELLO_APP, cpu: machine.serverCpu });
      try {
        suite.answers[spec.id] ??= await checkAnswer(spec.title, server.port);
        await runLoad(tools[0], {
          url: server.url,
          connections: settings.connections,
          seconds: settings.warmupSeconds,
          pipelining,
          cpus: machine.generatorCpus,
          signal: context.signal,
        });
        for (const tool of tools) {
          const sample = await measure(context, server, tool, round, pipelining);
          suite.samples[spec.id] ??= [];
          suite.samples[spec.id].push(sample);
          context.progress(`${name} ${round + 1}/${settings.rounds} ${spec.title}: ${describe(sample)}`);
        }
      } finally {
        await server.stop();
      }
    }
  }
}
