/**
 * The load generator h2load (nghttp2): its command line for HTTP/1.1, its text, and its log of every request, which has the
 * latencies that its text leaves out.
 */
import { PlainError } from "../../src/runtime/types.ts";
import type { LoadOptions, LoadReport } from "./generator.ts";

/** Such as "2.01s", "12.05ms" or "759us". */
const SECONDS: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600 };

function secondsOf(text: string): number {
  const match = /^([\d.]+)(us|ms|s|min|h)$/.exec(text);
  if (match === null) throw new PlainError(`"${text}" is not a duration that h2load prints.`);
  return Number(match[1]) * SECONDS[match[2]];
}

/** Microseconds of the requests that were answered, ascending. Its lines: start (µs since 1970), status, duration (µs). */
export function parseH2loadLog(log: string): Float64Array {
  const durations: number[] = [];
  for (const line of log.split("\n")) {
    const [, status, duration] = line.split("\t");
    if (duration !== undefined && Number(status) > 0) durations.push(Number(duration));
  }
  return Float64Array.from(durations).sort();
}

/** The value that a share of the sorted values does not exceed; NaN where there are none. */
export function rank(sorted: Float64Array, share: number): number {
  return sorted.length === 0 ? Number.NaN : sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

/** @throws PlainError when the text is not a whole report of h2load */
export function parseH2load(text: string, log: string): LoadReport {
  const finished = /^finished in (\S+?), /m.exec(text);
  const counts = /^requests: .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(text);
  const statuses = /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$/m.exec(text);
  if (finished === null || counts === null || statuses === null)
    throw new PlainError(`h2load did not report:\n${text}`);
  const seconds = secondsOf(finished[1]);
  const [ok, ...others] = statuses.slice(1).map(Number);
  const wrongStatus = others.reduce((sum, count) => sum + count, 0);
  // Those that it calls failed are its wrong statuses and its sockets' errors together.
  const socketErrors = Math.max(0, Number(counts[3]) - (others[1] + others[2]));
  const latencies = parseH2loadLog(log);
  return {
    requests: ok + wrongStatus,
    seconds,
    requestsPerSecond: (ok + wrongStatus) / seconds,
    p50Us: rank(latencies, 0.5),
    p99Us: rank(latencies, 0.99),
    p999Us: rank(latencies, 0.999),
    errors: wrongStatus + socketErrors,
    wrongStatus,
    socketErrors,
  };
}

export function h2loadCommand(options: LoadOptions): string[] {
  const { connections, seconds, pipelining, cpus, url, request, bodyFile, logFile } = options;
  const fields = (request?.fields ?? []).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  return [
    // It refuses more threads than connections.
    ...["--h1", "-c", `${connections}`, "-t", `${Math.min(cpus.length, connections)}`, "-D", `${seconds}`],
    ...["-m", `${pipelining}`, ...fields],
    ...(bodyFile === undefined ? [] : ["-d", bodyFile]),
    ...(logFile === undefined ? [] : [`--log-file=${logFile}`]),
    url,
  ];
}
