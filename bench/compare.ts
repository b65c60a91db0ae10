/**
 * The difference between two runs, and which rows are too unsteady to say anything.
 */
import { cpuPerRequest, preferredTool, requestsPerSecond, samplesOf, titleOf } from "./goals.ts";
import { type Spread, spread } from "./load/stats.ts";
import type { BenchResult, HttpSample, MicroResult } from "./load/types.ts";
import { table } from "./table.ts";

/** Quartiles further apart than this share of the median: the figure is a hint, not a measurement. */
export const WIDE_SHARE = 0.1;

/** True when the middle half of the rounds lies too far apart. */
export function isWide({ q1, median, q3 }: Spread): boolean {
  return median > 0 && (q3 - q1) / median > WIDE_SHARE;
}

export interface Change {
  /** The row, such as `python/hello@1`. */
  readonly suite: string;
  /** The server; of micro benchmarks the case and the runtime. */
  readonly server: string;
  readonly what: string;
  readonly tool?: HttpSample["tool"];
  readonly before: Spread;
  readonly after: Spread;
  /** Medians: after over before. */
  readonly ratio: number;
  /** The quartiles of the two runs lie apart. Within one machine's noise otherwise. */
  readonly clear: boolean;
  /** Whether more is better. */
  readonly moreIsBetter: boolean;
}

function changeOf(parts: Omit<Change, "ratio" | "clear">): Change[] {
  const { before, after } = parts;
  if (before.count === 0 || after.count === 0 || !Number.isFinite(before.median + after.median)) return [];
  // Nothing that stays nothing is no news.
  if (before.median === 0 && after.median === 0) return [];
  const clear = after.q1 > before.q3 || after.q3 < before.q1;
  return [{ ...parts, ratio: after.median / before.median, clear }];
}

const cpuMicroseconds = (sample: HttpSample) => cpuPerRequest(sample) * 1e6;

/** Rates, and processor time of a request, of the rows that both runs measured with the same tool. */
function rowChanges(before: BenchResult, after: BenchResult): Change[] {
  return Object.entries(after.http).flatMap(([suite, { samples }]) =>
    Object.entries(samples).flatMap(([server, these]): Change[] => {
      const tool = preferredTool(these);
      const of = (result: BenchResult, measure: (sample: HttpSample) => number) =>
        spread(samplesOf(result, suite, server, tool).map(measure));
      const change = (what: string, measure: (sample: HttpSample) => number, moreIsBetter: boolean) =>
        changeOf({
          ...{ suite, server: titleOf(server), what, tool, moreIsBetter },
          before: of(before, measure),
          after: of(after, measure),
        });
      return [...change("requests/s", requestsPerSecond, true), ...change("CPU µs a request", cpuMicroseconds, false)];
    }),
  );
}

/** Rows of one file by server: bytes of an idle connection, growth during a transfer. */
function sampleChanges<Sample>(
  suite: string,
  what: string,
  before: Readonly<Record<string, readonly Sample[]>>,
  after: Readonly<Record<string, readonly Sample[]>>,
  measure: (sample: Sample) => number,
): Change[] {
  return Object.entries(after).flatMap(([server, samples]) =>
    changeOf({
      ...{ suite, server: titleOf(server), what, moreIsBetter: false },
      before: spread((before[server] ?? []).map(measure)),
      after: spread(samples.map(measure)),
    }),
  );
}

/** Times and allocations of the micro benchmarks. A row that was throttled in one of the runs is never clear. */
function microChanges(before: BenchResult, after: BenchResult): Change[] {
  return after.micro.flatMap((row) => {
    const { suite, name, runtime } = row;
    const old = before.micro.find((each) => each.suite === suite && each.name === name && each.runtime === runtime);
    if (old === undefined) return [];
    const common = { suite, server: `${name}, ${runtime}`, moreIsBetter: false };
    const times = ({ p25Ns: q1, p50Ns: middle, p75Ns: q3 }: MicroResult): Spread => ({
      count: 1,
      q1,
      median: middle,
      q3,
    });
    const throttled = (row.throttled ?? false) || (old.throttled ?? false);
    const time = changeOf({ ...common, what: "ns", before: times(old), after: times(row) });
    const bytes = [old, row].map(({ allocatedBytes }) => spread(allocatedBytes === undefined ? [] : [allocatedBytes]));
    return [
      ...time.map((each) => ({ ...each, clear: each.clear && !throttled })),
      ...changeOf({ ...common, what: "bytes allocated", before: bytes[0], after: bytes[1] }),
    ];
  });
}

/** What both runs measured. */
export function changes(before: BenchResult, after: BenchResult): Change[] {
  return [
    ...rowChanges(before, after),
    ...sampleChanges("idle", "bytes a connection", before.idle, after.idle, (sample) => sample.rssPerConnection),
    ...sampleChanges("memory", "bytes of growth", before.memory, after.memory, (sample) => sample.growthBytes),
    ...microChanges(before, after),
  ];
}

/** Why two results can't be compared figure by figure; empty when they can. */
export function differentConditions(before: BenchResult, after: BenchResult): string[] {
  const found: string[] = [];
  const differ = (what: string, old: unknown, now: unknown) => {
    if (JSON.stringify(old) !== JSON.stringify(now)) found.push(`${what}: ${String(old)} then, ${String(now)} now`);
  };
  differ("processor", before.machine.cpu, after.machine.cpu);
  differ("cores", before.machine.cores, after.machine.cores);
  differ("kernel", before.machine.kernel, after.machine.kernel);
  differ("seconds of a load", before.settings.seconds, after.settings.seconds);
  for (const [name, version] of Object.entries(after.machine.versions)) {
    const old = before.machine.versions[name];
    if (name !== "ringcorn" && old !== undefined) differ(name, old, version);
  }
  return found;
}

const whole = (value: number) => Math.round(value).toLocaleString("en");

function cells({ suite, server, what, before, after, ratio, clear, moreIsBetter }: Change): string[] {
  const percent = !Number.isFinite(ratio)
    ? "from nothing"
    : `${ratio >= 1 ? "+" : ""}${((ratio - 1) * 100).toFixed(1)} %`;
  const said = clear ? (ratio > 1 === moreIsBetter ? "better" : "worse") : "within the spread";
  const figure = (value: number) => (value < 100 ? value.toFixed(1) : whole(value));
  return [suite, server, what, figure(before.median), figure(after.median), percent, said];
}

/** Markdown: what changed since `before`. */
export function renderDifference(before: BenchResult, after: BenchResult): string {
  const found = changes(before, after);
  const revision = (result: BenchResult) => `${result.machine.versions.ringcorn ?? "?"}, ${result.startedAt}`;
  const heading = `### difference: ${revision(before)} -> ${revision(after)}`;
  if (found.length === 0) return `${heading}\n\nThe two runs have no row in common.`;
  const head = ["row", "server or case", "of", "before", "now", "change", ""];
  const conditions = differentConditions(before, after).map((line) => `- not the same: ${line}`);
  return [heading, table([head, ...found.map(cells)]), ...(conditions.length > 0 ? [conditions.join("\n")] : [])].join(
    "\n\n",
  );
}
