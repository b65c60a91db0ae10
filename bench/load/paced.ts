/**
 * Runs paced-client.ts, one process for each of the generator's cores, and adds up what they report.
 */
import { watchBusy } from "./busy.ts";
import { type Client, startClient } from "./client.ts";
import { percentileUs, summed } from "./latencies.ts";
import { endedChildrenSeconds } from "./procfs.ts";
import { shareOf } from "./schedule.ts";
import type { PacedFigures } from "./types.ts";

const START_TIMEOUT_MS = 30_000;
const DESCRIPTOR_SPARE = 256;

export interface PacedOptions {
  readonly port: number;
  readonly connections: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
  /** Requests a second of all processes; 0: a closed loop. */
  readonly rate: number;
  readonly cpus: readonly number[];
  readonly signal: AbortSignal;
  /** Arguments of request.lua: files that hold the requests. */
  readonly script: readonly string[];
}

/** What one process prints. */
export interface PacedPart {
  readonly answered: number;
  readonly answeredInTime: number;
  readonly unanswered: number;
  readonly wrongStatus: number;
  readonly socketErrors: number;
  /** `LatencyHistogram`'s. */
  readonly latencies: readonly number[];
  readonly lateness: readonly number[];
}

export function sumPaced(parts: readonly PacedPart[], rate: number, seconds: number): PacedFigures {
  const sum = (of: (part: PacedPart) => number) => parts.reduce((total, part) => total + of(part), 0);
  const latencies = summed(parts.map((part) => part.latencies));
  const wrongStatus = sum((part) => part.wrongStatus);
  const socketErrors = sum((part) => part.socketErrors);
  const unanswered = sum((part) => part.unanswered);
  return {
    rate,
    requests: sum((part) => part.answered),
    seconds,
    requestsPerSecond: sum((part) => part.answeredInTime) / seconds,
    p50Us: percentileUs(latencies, 0.5),
    p99Us: percentileUs(latencies, 0.99),
    p999Us: percentileUs(latencies, 0.999),
    wrongStatus,
    socketErrors,
    unanswered,
    errors: wrongStatus + socketErrors + unanswered,
    lateP99Us: percentileUs(summed(parts.map((part) => part.lateness)), 0.99),
  };
}

/** What the generator's own processes took. */
export interface PacedRun {
  readonly figures: PacedFigures;
  readonly wallSeconds: number;
  /** Share of its cores' time while the load lasted. */
  readonly utilisation: number;
  /** How its first process was started. */
  readonly command: string;
}

/** @param started called when the warm-up is over and the measurement begins */
export async function runPaced(
  options: PacedOptions,
  started: () => void,
  ended: () => void = () => {},
): Promise<PacedRun> {
  const cpuBefore = endedChildrenSeconds();
  const startedMs = performance.now();
  const { figures, busy, command } = await pacedFigures(options, started, ended);
  const wallSeconds = (performance.now() - startedMs) / 1e3;
  const utilisation = busy ?? (endedChildrenSeconds() - cpuBefore) / (wallSeconds * options.cpus.length);
  return { figures, wallSeconds, utilisation, command };
}

interface Paced {
  readonly figures: PacedFigures;
  readonly busy: number | undefined;
  readonly command: string;
}

async function pacedFigures(options: PacedOptions, started: () => void, ended: () => void): Promise<Paced> {
  const { port, connections, warmupSeconds, seconds, rate, cpus, signal, script } = options;
  const count = Math.min(cpus.length, connections);
  const clients: Client[] = [];
  let busy: number | undefined;
  const each = (timeoutMs: number) => Promise.all(clients.map((client) => client.line(timeoutMs)));
  try {
    for (let part = 0; part < count; part++) {
      const own = shareOf(connections, part, count);
      clients.push(
        startClient({
          file: "paced-client.ts",
          parameters: [port, own, warmupSeconds, seconds, rate, part, count, ...script],
          cpus: [cpus[part]],
          descriptors: own + DESCRIPTOR_SPARE,
          signal,
        }),
      );
    }
    await each(START_TIMEOUT_MS);
    for (const client of clients) client.say("go");
    await each(warmupSeconds * 1e3 + START_TIMEOUT_MS);
    started();
    const watch = watchBusy(clients.flatMap(({ pid }) => pid ?? []));
    // The time of grace for late answers is no part of the load.
    const atEnd = setTimeout(() => {
      busy = watch.share(seconds, cpus.length);
    }, seconds * 1e3);
    const lines = await each(seconds * 1e3 + START_TIMEOUT_MS).finally(() => {
      clearTimeout(atEnd);
      watch.stop();
    });
    busy ??= watch.share(seconds, cpus.length);
    ended();
    const parts = lines.map((line) => JSON.parse(line) as PacedPart);
    return { figures: sumPaced(parts, rate, seconds), busy, command: clients[0].command };
  } finally {
    await Promise.all(clients.map((client) => client.finish()));
  }
}
