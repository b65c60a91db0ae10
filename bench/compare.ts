/**
 * The difference between two runs, and which rows are too unsteady to say anything.
 */
import { cpuPerRequest, preferredTool, requestsPerSecond, samplesOf, titleOf } from "./goals.ts";
import { ROW_SERVERS } from "./load/row-groups.ts";
import { parseVariant } from "./load/row-servers.ts";
import { FEW_ROUNDS, median, type Spread, spread } from "./load/stats.ts";
import type { BenchResult, HttpSample, MicroResult, TransferName } from "./load/types.ts";
import { table } from "./table.ts";

/** Allocation is counted to a few per cent on Bun, where the growth of the process is what is read (docs/benchmarks.md). */
const ALLOCATION_ERROR = 0.05;

/** Quartiles further apart than this share of the median: the figure is a hint, not a measurement. */
export const WIDE_SHARE = 0.1;

/** True when the middle half of the rounds lies too far apart. */
export function isWide({ q1, median, q3 }: Spread): boolean {
  return median > 0 && (q3 - q1) / median > WIDE_SHARE;
}

const TRANSFER_NAMES: readonly TransferName[] = ["upload", "download", "upload, slow app", "download, slow reader"];

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
  /** The quartiles of the two runs lie apart. Within one machine's noise otherwise, or of rounds too few to have any. */
  readonly clear: boolean;
  /** One of them has too few rounds for quartiles. */
  readonly few: boolean;
  /** Whether more is better. */
  readonly moreIsBetter: boolean;
}

function changeOf(parts: Omit<Change, "ratio" | "clear" | "few">): Change[] {
  const { before, after } = parts;
  if (before.count === 0 || after.count === 0 || !Number.isFinite(before.median + after.median)) return [];
  // Nothing that stays nothing is no news.
  if (before.median === 0 && after.median === 0) return [];
  const few = Math.min(before.count, after.count) < FEW_ROUNDS;
  const clear = !few && (after.q1 > before.q3 || after.q3 < before.q1);
  return [{ ...parts, ratio: after.median / before.median, clear, few }];
}

/** How many rounds a micro benchmark has; of an earlier version's result that is not known, and they were nine. */
const roundsOf = ({ rounds }: MicroResult) => rounds?.length ?? MICRO_ROUNDS;
const MICRO_ROUNDS = 9;

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
      const [counted, one] = tool === "socket" ? ["messages/s", "message"] : ["requests/s", "request"];
      return [
        ...change(counted, requestsPerSecond, true),
        ...change(`CPU µs a ${one}`, cpuMicroseconds, false),
        ...change("p99 µs", (sample) => sample.p99Us, false),
      ];
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
    const times = (of: MicroResult): Spread => ({
      ...{ count: roundsOf(of), q1: of.p25Ns, median: of.p50Ns, q3: of.p75Ns },
    });
    const throttled = (row.throttled ?? false) || (old.throttled ?? false);
    const time = changeOf({ ...common, what: "ns", before: times(old), after: times(row) });
    // One figure each, counted and not timed; what of it is the counting's own is taken for the quartiles.
    const bytes = [old, row].map(({ allocatedBytes }): Spread => {
      if (allocatedBytes === undefined) return spread([]);
      const off = allocatedBytes * ALLOCATION_ERROR;
      return { count: FEW_ROUNDS, q1: allocatedBytes - off, median: allocatedBytes, q3: allocatedBytes + off };
    });
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
    ...TRANSFER_NAMES.flatMap((transfer) => {
      const of = ({ memory }: BenchResult) =>
        Object.fromEntries(
          Object.entries(memory).map(([id, samples]) => [id, samples.filter((sample) => sample.transfer === transfer)]),
        );
      return sampleChanges(`memory, ${transfer}`, "bytes of growth", of(before), of(after), (s) => s.growthBytes);
    }),
    ...[false, true].flatMap((compressed) => {
      const of = ({ idleSockets = {} }: BenchResult) =>
        Object.fromEntries(
          Object.entries(idleSockets).map(([id, samples]) => [id, samples.filter((s) => s.compressed === compressed)]),
        );
      const name = `idle WebSockets${compressed ? ", compressed" : ""}`;
      return sampleChanges(name, "bytes a socket", of(before), of(after), (sample) => sample.rssPerConnection);
    }),
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
  differ("the server's core", before.machine.serverCpu, after.machine.serverCpu);
  differ("the load generator's cores", before.machine.generatorCpus, after.machine.generatorCpus);
  differ("rounds", before.settings.rounds, after.settings.rounds);
  differ("seconds of a load", before.settings.seconds, after.settings.seconds);
  differ("seconds of warm-up", before.settings.warmupSeconds, after.settings.warmupSeconds);
  differ("idle connections", before.settings.idleConnections, after.settings.idleConnections);
  for (const [name, version] of Object.entries(after.machine.versions)) {
    const old = before.machine.versions[name];
    if (name !== "ringcorn" && old !== undefined) differ(name, old, version);
  }
  return found;
}

const MOST_NAMED = 12;
/** A median of fewer would be one peer's luck. */
const FEW_PEERS = 3;

const percentText = (ratio: number) => `${ratio >= 1 ? "+" : ""}${((ratio - 1) * 100).toFixed(1)} %`;

const whole = (value: number) => Math.round(value).toLocaleString("en");

function cells({ suite, server, what, before, after, ratio, clear, few, moreIsBetter }: Change): string[] {
  const percent = Number.isFinite(ratio) ? percentText(ratio) : "from nothing";
  const said = clear ? (ratio > 1 === moreIsBetter ? "better" : "worse") : few ? "too few rounds" : "within the spread";
  const figure = (value: number) => (value < 100 ? value.toFixed(1) : whole(value));
  return [suite, server, what, figure(before.median), figure(after.median), percent, said];
}

/** The rows and servers that only one of the two has: a server that is gone would be missed by nobody. */
function onlyIn(when: string, one: BenchResult, other: BenchResult): string[] {
  const names = (result: BenchResult) =>
    Object.entries(result.http).flatMap(([suite, { samples }]) =>
      Object.keys(samples).map((id) => `${suite} ${titleOf(id)}`),
    );
  const there = new Set(names(other));
  const alone = names(one).filter((name) => !there.has(name));
  if (alone.length === 0) return [];
  const rest = alone.length > MOST_NAMED ? ` and ${alone.length - MOST_NAMED} others` : "";
  return [`- measured only ${when}: ${alone.slice(0, MOST_NAMED).join(", ")}${rest}`];
}

/** How much the peers' own rows changed, whose code is not ours: so much of every change is the machine's, or their versions'. */
function ofPeers(before: BenchResult, after: BenchResult): string[] {
  const peers = (result: BenchResult): BenchResult => ({
    ...result,
    http: Object.fromEntries(
      Object.entries(result.http).map(([name, suite]) => {
        const theirs = Object.entries(suite.samples).filter(([id]) => !isOfOurs(id));
        return [name, { ...suite, samples: Object.fromEntries(theirs) }];
      }),
    ),
  });
  const found = rowChanges(peers(before), peers(after));
  const said = ["requests/s", "CPU µs a request"].flatMap((what) => {
    const ratios = found.filter((each) => each.what === what).map(({ ratio }) => ratio);
    return ratios.length < FEW_PEERS ? [] : [`${what} ${percentText(median(ratios))}`];
  });
  if (said.length === 0) return [];
  return [
    `- what is not ours changed too, by a median of ${said.join(", ")}: so much is the machine's, or the versions'`,
  ];
}

function isOfOurs(id: string): boolean {
  const { id: plain } = parseVariant(id);
  return ROW_SERVERS.some((spec) => spec.id === plain && spec.ours);
}

/** Markdown: what changed since `before`. */
export function renderDifference(before: BenchResult, after: BenchResult): string {
  const found = changes(before, after);
  const revision = (result: BenchResult) => `${result.machine.versions.ringcorn ?? "?"}, ${result.startedAt}`;
  const heading = `### difference: ${revision(before)} -> ${revision(after)}`;
  if (found.length === 0) return `${heading}\n\nThe two runs have no row in common.`;
  const head = ["row", "server or case", "of", "before", "now", "change", ""];
  const conditions = differentConditions(before, after).map((line) => `- not the same: ${line}`);
  const lines = [
    ...conditions,
    ...ofPeers(before, after),
    ...onlyIn("before", before, after),
    ...onlyIn("now", after, before),
  ];
  // What can't be compared is read before what was.
  return [heading, ...(lines.length > 0 ? [lines.join("\n")] : []), table([head, ...found.map(cells)])].join("\n\n");
}
