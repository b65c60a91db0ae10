/**
 * Runs loop-client.mjs as a load generator, and reads what it reports.
 */
import { watchBusy } from "./busy.ts";
import { startClient } from "./client.ts";
import type { LoadOptions, LoadRun } from "./generator.ts";
import { endedChildrenSeconds } from "./procfs.ts";

const START_TIMEOUT_MS = 20_000;

export interface LoopReport {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly wrongStatus: number;
  readonly socketErrors: number;
}

/** @param started called when the warm-up is over and the measurement begins */
export async function runLoop(
  load: LoadOptions & { readonly port: number; readonly warmupSeconds: number; readonly script: readonly string[] },
  started: () => void,
): Promise<LoadRun> {
  const cpuBefore = endedChildrenSeconds();
  const client = startClient({
    file: "loop-client.mjs",
    parameters: [load.port, load.connections, load.warmupSeconds, load.seconds, ...load.script],
    cpus: load.cpus,
    descriptors: load.connections + 64,
    signal: load.signal,
  });
  const clientStartedMs = performance.now();
  const busy = watchBusy(client.pid === undefined ? [] : [client.pid]);
  let wallSeconds = 0;
  let measured: number | undefined;
  let report: LoopReport;
  try {
    await client.line(load.warmupSeconds * 1e3 + START_TIMEOUT_MS);
    started();
    const startedMs = performance.now();
    report = JSON.parse(await client.line(load.seconds * 1e3 + START_TIMEOUT_MS)) as LoopReport;
    wallSeconds = (performance.now() - startedMs) / 1e3;
    measured = busy.share(load.seconds, load.cpus.length);
  } finally {
    busy.stop();
    await client.finish();
  }
  const share = wallSeconds / ((performance.now() - clientStartedMs) / 1e3);
  const busySeconds = (endedChildrenSeconds() - cpuBefore) * share;
  return {
    ...report,
    requestsPerSecond: report.requests / report.seconds,
    errors: report.wrongStatus + report.socketErrors,
    wallSeconds,
    utilisation: measured ?? busySeconds / (wallSeconds * load.cpus.length),
    command: client.command,
  };
}
