/**
 * A whole result on one page, in Markdown: a line for each row, Ringcorn beside the fastest of its peers, and the goals.
 * The report (report.ts) has every figure.
 */
import { compare, preferredTool, requestsPerSecond, samplesOf, titleOf } from "./goals.ts";
import { median, roundsText, spread } from "./load/stats.ts";
import type { BenchResult, HttpSample } from "./load/types.ts";
import { goalsSection, machineLine } from "./report.ts";
import {
  curvesSection,
  errorText,
  isOurs,
  missingText,
  plannedSection,
  spreadLegend,
  whole,
  withSpread,
} from "./report-rows.ts";
import { table } from "./table.ts";

const milliseconds = (us: number) => (Number.isFinite(us) ? (us / 1e3).toFixed(1) : "–");

const HEAD = [
  "row",
  "Ringcorn on Bun",
  "on Deno",
  "fastest peer",
  "Bun over it",
  "Deno over it",
  "p99 ms: Bun, Deno, peer",
];

/** The server of ours that runs on a runtime; rows of Python's name it otherwise than those of TypeScript. */
function oursOn(runtime: string, ids: readonly string[]): string | undefined {
  return ids.find((id) => isOurs(id) && id.startsWith(`ringcorn-${runtime}`));
}

function rateOf(result: BenchResult, suite: string, id: string): number {
  return median(samplesOf(result, suite, id).map(requestsPerSecond));
}

function ratioCell(result: BenchResult, suite: string, ours: string | undefined, theirs: string | undefined): string {
  const found = ours === undefined || theirs === undefined ? undefined : compare(result, suite, ours, theirs);
  if (found === undefined || !Number.isFinite(found.ofMedians)) return "–";
  const few = withSpread(found.perRound, (value) => value.toFixed(2));
  return found.perRound.count === 1 ? found.ofMedians.toFixed(2) : `${found.ofMedians.toFixed(2)}; rounds ${few}`;
}

function rowOf(result: BenchResult, suite: string): string[] {
  const ids = Object.keys(result.http[suite].samples);
  const answered = (id: string) => Number.isFinite(rateOf(result, suite, id));
  const [bun, deno] = [oursOn("bun", ids), oursOn("deno", ids)];
  const [peer] = ids
    .filter((id) => !isOurs(id) && answered(id))
    .sort((a, b) => rateOf(result, suite, b) - rateOf(result, suite, a));
  const samples = (id: string | undefined) => (id === undefined ? [] : samplesOf(result, suite, id));
  const rate = (of: readonly HttpSample[]) => {
    if (of.length === 0) return "–";
    const errors = errorText(of);
    return `${whole(median(of.map(requestsPerSecond)))}${errors === "0" ? "" : `, ${errors} errors`}`;
  };
  const p99 = (id: string | undefined) => milliseconds(median(samples(id).map((sample) => sample.p99Us)));
  const tool = preferredTool(Object.values(result.http[suite].samples).flat());
  return [
    `${suite}, ${tool === "own" || tool === "loop" || tool === "socket" ? "own client" : tool}`,
    rate(samples(bun)),
    rate(samples(deno)),
    peer === undefined ? "–" : `${titleOf(peer)} ${rate(samples(peer))}`,
    ratioCell(result, suite, bun, peer),
    ratioCell(result, suite, deno, peer),
    [bun, deno, peer].map(p99).join(", "),
  ];
}

const kilobytes = (bytes: number) => (bytes / 1024).toFixed(2);

function idleSection(result: BenchResult): string[] {
  const rows = Object.entries(result.idle).map(([id, samples]) => [
    titleOf(id),
    withSpread(spread(samples.map((sample) => sample.rssPerConnection)), kilobytes),
  ]);
  return rows.length === 0 ? [] : ["## Idle connections", table([["server", "KB a connection"], ...rows])];
}

/** Says what the figures of the rows are. */
function roundsOf(result: BenchResult, rows: readonly string[]): string {
  const counts = rows.map((suite) =>
    Math.max(...Object.keys(result.http[suite].samples).map((id) => samplesOf(result, suite, id).length)),
  );
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const rounds = least === most ? roundsText(least) : `${least} to ${roundsText(most)}`;
  const hints =
    least < 3
      ? " How much they vary is not known: they are hints, and the fastest of several is often the luckiest."
      : "";
  return `Requests or messages a second and latencies are medians of ${rounds}; the fastest peer is the one with the highest median, and a ratio above 1 says that Ringcorn was faster.${hints}`;
}

/** Throughput and latency of every row, idle connections, curves, goals, and what was missing. */
export function renderSummary(result: BenchResult): string {
  const suites = Object.keys(result.http);
  const rows = suites.filter((suite) => Object.keys(result.http[suite].samples).length > 0);
  const figures = [
    ...(rows.length === 0 ? [] : ["## Rows", table([HEAD, ...rows.map((suite) => rowOf(result, suite))])]),
    ...idleSection(result),
    ...curvesSection(result).map((part) => part.replace(/^###/, "##")),
    ...goalsSection(result).map((part) => part.replace(/^###/, "##")),
  ];
  return [
    "# A whole run of the suite",
    "[Benchmarks](benchmarks.md) says what the rows ask, how the servers are started and what is fair about it; [performance](performance.md), where the time goes.",
    machineLine(result),
    `By \`${result.command}\`.`,
    ...(rows.length === 0 ? [] : [roundsOf(result, rows)]),
    ...figures,
    ...spreadLegend(figures),
    ...missingText(result).map((part) => part.replace(/^###/, "##")),
    ...plannedSection(),
  ].join("\n\n");
}
