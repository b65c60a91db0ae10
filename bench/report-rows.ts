/**
 * The workload rows (web/..., python/...) in Markdown.
 */
import { isWide, WIDE_SHARE } from "./compare.ts";
import { compare, cpuPerRequest, preferredTool, requestsPerSecond, samplesOf, titleOf } from "./goals.ts";
import { ROW_SERVERS } from "./load/row-groups.ts";
import { parseVariant } from "./load/row-servers.ts";
import { median, type Spread, spread } from "./load/stats.ts";
import type { BenchResult, HttpSample, HttpSuiteResult } from "./load/types.ts";
import { table } from "./table.ts";

const whole = (value: number) => (Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "–");
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
const WIDE_MARK = "(!)";
/** From this share on the generator, not the server, sets the pace. */
const BOTTLENECK_SHARE = 0.9;

/** True when the load generator was busy and the server was not: the figure is then the generator's. */
export function generatorBound(sample: HttpSample): boolean {
  return sample.generatorUtilisation >= BOTTLENECK_SHARE && sample.serverUtilisation < BOTTLENECK_SHARE;
}

/** Median and quartiles, marked when they lie too far apart. */
export function withSpread(values: Spread, format: (value: number) => string): string {
  if (Number.isNaN(values.median)) return "–";
  const mark = isWide(values) ? ` ${WIDE_MARK}` : "";
  return `${format(values.median)} (${format(values.q1)} to ${format(values.q3)})${mark}`;
}

/** Says what the mark means, where one stands. */
export function spreadLegend(parts: readonly string[]): string[] {
  if (!parts.some((part) => part.includes(WIDE_MARK))) return [];
  const share = `${WIDE_SHARE * 100} %`;
  return [
    `${WIDE_MARK} marks figures whose quartiles lie more than ${share} of the median apart: hints, not measurements.`,
  ];
}

/** A row of the workloads, in contrast to the suites http/hello and http/pipelined. */
export function isWorkloadRow(suite: HttpSuiteResult): boolean {
  return suite.cores !== undefined;
}

export function isOurs(id: string): boolean {
  return ROW_SERVERS.find((spec) => spec.id === parseVariant(id).id)?.ours ?? false;
}

/** Ours first, then by falling rate. */
export function orderedIds(result: BenchResult, suite: string): string[] {
  const rate = (id: string) => median(samplesOf(result, suite, id).map(requestsPerSecond));
  return Object.keys(result.http[suite].samples).sort(
    (a, b) => Number(isOurs(b)) - Number(isOurs(a)) || rate(b) - rate(a),
  );
}

export function errorText(samples: readonly HttpSample[]): string {
  const sum = (of: (sample: HttpSample) => number) => samples.reduce((total, sample) => total + of(sample), 0);
  const errors = sum((sample) => sample.errors);
  if (errors === 0) return "0";
  const [wrong, sockets] = [sum((s) => s.wrongStatus ?? 0), sum((s) => s.socketErrors ?? 0)];
  return `${errors} (${wrong} wrong status, ${sockets} sockets)`;
}

function serverRow(id: string, samples: readonly HttpSample[]): string[] {
  const of = (pick: (sample: HttpSample) => number) => spread(samples.map(pick));
  const bound = samples.filter(generatorBound).length;
  const perTenThousand = (seconds: (s: HttpSample) => number) => of((s) => (seconds(s) / s.requests) * 1e4).median;
  const busy = `${whole(of((s) => s.serverUtilisation).median * 100)} / ${whole(of((s) => s.generatorUtilisation).median * 100)} %`;
  return [
    titleOf(id),
    withSpread(of(requestsPerSecond), whole),
    whole(of((s) => s.p50Us).median),
    whole(of((s) => s.p99Us).median),
    withSpread(
      of((s) => s.p999Us ?? Number.NaN),
      whole,
    ),
    `${perTenThousand((s) => s.serverCpuSeconds).toFixed(3)} (${perTenThousand((s) => s.serverSystemSeconds).toFixed(3)})`,
    `${megabytes(Math.max(...samples.map((s) => s.peakRssBytes)))} (${megabytes(of((s) => s.pssBytes ?? Number.NaN).median)})`,
    errorText(samples),
    `${busy}${bound > 0 ? ` (generator-bound: ${bound} of ${samples.length})` : ""}`,
  ];
}

const TOOL_TEXT: Readonly<Record<HttpSample["tool"], string>> = {
  wrk: "wrk",
  autocannon: "autocannon",
  loop: "a closed loop on connections that stood before",
};

const HEAD = [
  "server",
  "requests/s",
  "p50 µs",
  "p99 µs",
  "p99.9 µs",
  "CPU s / 10,000 (kernel)",
  "peak MB (PSS)",
  "errors",
  "busy: server / generator",
];

function ratioRows(result: BenchResult, suite: string, ids: readonly string[]): string[][] {
  const rows: string[][] = [];
  for (const ours of ids.filter(isOurs)) {
    for (const theirs of ids.filter((id) => !isOurs(id))) {
      const rate = compare(result, suite, ours, theirs);
      const cpu = compare(result, suite, ours, theirs, cpuPerRequest);
      if (rate === undefined || cpu === undefined) continue;
      rows.push([
        `${titleOf(ours)} / ${titleOf(theirs)}`,
        rate.ofMedians.toFixed(2),
        withSpread(rate.perRound, (value) => value.toFixed(2)),
        cpu.ofMedians.toFixed(2),
      ]);
    }
  }
  return rows;
}

function rowParts(result: BenchResult, suite: string): string[] {
  const { about, cores, connections, serverCpus, generatorCpus, samples } = result.http[suite];
  const ids = orderedIds(result, suite);
  if (ids.length === 0) return [];
  const tool = preferredTool(Object.values(samples).flat());
  const ratios = ratioRows(result, suite, ids);
  const companions = ids.flatMap((id) => {
    const said = samplesOf(result, suite, id).flatMap((sample) => sample.companions ?? []);
    return said.length === 0 ? [] : [`${titleOf(id)}: ${said.at(-1)}`];
  });
  return [
    `### ${suite}`,
    `${about}; ${connections} connections, ${TOOL_TEXT[tool]}. ${cores === 1 ? "Server on core" : "Servers on cores"} ${serverCpus?.join(", ")}, load on ${generatorCpus?.join(", ")}.`,
    table([HEAD, ...ids.map((id) => serverRow(id, samplesOf(result, suite, id)))]),
    ...(ratios.length === 0
      ? []
      : [table([["ratio", "of medians", "per round (quartiles)", "CPU time per request"], ...ratios])]),
    ...(companions.length === 0 ? [] : [`In the last round: ${companions.join("; ")}.`]),
  ];
}

/** Peers that could not be had. */
export function missingText(result: BenchResult): string[] {
  const missing = Object.entries(result.missing ?? {});
  if (missing.length === 0) return [];
  const lines = missing.map(([id, reason]) => `- ${titleOf(id)}: ${reason}`);
  return [`### missing: ${missing.length} ${missing.length === 1 ? "peer" : "peers"}`, lines.join("\n")];
}

export function rowsSection(result: BenchResult): string[] {
  const suites = Object.keys(result.http).filter((suite) => isWorkloadRow(result.http[suite]));
  const parts = suites.flatMap((suite) => rowParts(result, suite));
  if (parts.length > 0) {
    parts.push(
      "CPU time is that of all of a server's processes, user and system. Peak memory is the sum of the processes' own peaks; the proportional set size (PSS), at the end of the load, counts what they share once. wrk waits for an answer before it asks again, and corrects its latencies for that afterwards; the first request of each connection is among them, and with it how quickly a server accepts 64 connections at once.",
    );
  }
  return parts;
}
