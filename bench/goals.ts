/**
 * What the project sets itself, and whether a run's figures reach it.
 */
import { pythonOutcomes } from "./goals-python.ts";
import { socketOutcomes } from "./goals-websocket.ts";
import { ROW_SERVERS } from "./load/row-groups.ts";
import { parseVariant, splitText } from "./load/row-servers.ts";
import { EXTRA_SERVERS, SERVERS } from "./load/servers.ts";
import { median, type Ratio, type RoundValue, ratio, ratioText } from "./load/stats.ts";
import { TOOLS } from "./load/tools.ts";
import type { BenchResult, HttpSample } from "./load/types.ts";
import { timesAsFast } from "./micro/rounds.ts";

/** One goal with what was measured. */
export interface Outcome {
  readonly what: string;
  readonly goal: string;
  readonly measured: string;
  /** Undefined when the run did not measure it. */
  readonly reached: boolean | undefined;
}

interface HttpGoal {
  readonly suite: string;
  readonly ours: string;
  readonly theirs: string;
  readonly atLeast: number;
}

export const HTTP_GOALS: readonly HttpGoal[] = [
  { suite: "http/hello", ours: "ringcorn-bun", theirs: "bun-serve", atLeast: 1.0 },
  { suite: "http/hello", ours: "ringcorn-deno", theirs: "deno-serve", atLeast: 0.9 },
  { suite: "http/hello", ours: "ringcorn-bun", theirs: "node-http", atLeast: 1.4 },
  { suite: "http/hello", ours: "ringcorn-deno", theirs: "node-http", atLeast: 1.4 },
  { suite: "http/pipelined", ours: "ringcorn-bun", theirs: "bun-serve", atLeast: 5 },
  { suite: "http/pipelined", ours: "ringcorn-deno", theirs: "deno-serve", atLeast: 5 },
];

/** Bytes per idle connection above the idle process. */
const IDLE_GOALS: readonly { ours: string; atMost: number }[] = [
  { ours: "ringcorn-bun", atMost: 4 * 1024 },
  { ours: "ringcorn-deno", atMost: 12 * 1024 },
];

/** Growth of the process during a long transfer. */
const MEMORY_GOAL_BYTES = 40_000_000;

/** How many times as fast as the runtime's own binding of llhttp. */
const PARSER_OVER_LLHTTP = 3;

const PARSER_GOALS: readonly { runtime: "bun" | "deno"; atLeast: number }[] = [
  { runtime: "bun", atLeast: 1.2 },
  { runtime: "deno", atLeast: 0.9 },
];

const TITLES = new Map([...ROW_SERVERS, ...SERVERS, ...EXTRA_SERVERS].map((spec) => [spec.id, spec.title]));

/** The title of a server, `granian*2` included. */
export function titleOf(id: string): string {
  const { id: plain, ...split } = parseVariant(id);
  const title = TITLES.get(plain) ?? plain;
  return split.workers === undefined ? title : `${title}, ${splitText(split)}`;
}

/** wrk's samples where there are any, since others are often the bottleneck themselves. */
export function preferredTool(samples: readonly HttpSample[]): HttpSample["tool"] {
  const used = (tool: HttpSample["tool"]) => samples.some((sample) => sample.tool === tool);
  return TOOLS.find(used) ?? samples[0]?.tool ?? "wrk";
}

export function samplesOf(result: BenchResult, suite: string, id: string, tool?: HttpSample["tool"]): HttpSample[] {
  const samples = result.http[suite]?.samples[id] ?? [];
  const wanted = tool ?? preferredTool(samples);
  return samples.filter((sample) => sample.tool === wanted);
}

type Measure = (sample: HttpSample) => number;

export const requestsPerSecond: Measure = (sample) => sample.requestsPerSecond;

/** Seconds; what others do to the core moves it less than it moves requests a second. */
export const cpuPerRequest: Measure = (sample) => sample.serverCpuSeconds / sample.requests;

function valuesOf(samples: readonly HttpSample[], of: Measure): RoundValue[] {
  return samples.map((sample) => ({ round: sample.round, value: of(sample) }));
}

/** Ours against theirs; undefined when one of them was not measured. */
export function compare(
  result: BenchResult,
  suite: string,
  ours: string,
  theirs: string,
  of: Measure = requestsPerSecond,
  tool?: HttpSample["tool"],
): Ratio | undefined {
  const mine = valuesOf(samplesOf(result, suite, ours, tool), of);
  const other = valuesOf(samplesOf(result, suite, theirs, tool), of);
  return mine.length === 0 || other.length === 0 ? undefined : ratio(mine, other);
}

function httpOutcomes(result: BenchResult): Outcome[] {
  return HTTP_GOALS.map(({ suite, ours, theirs, atLeast }) => {
    const found = compare(result, suite, ours, theirs);
    return {
      what: `${suite}, requests/s: ${titleOf(ours)} over ${titleOf(theirs)}`,
      goal: `≥ ${atLeast.toFixed(1)}`,
      measured: found === undefined ? "–" : ratioText(found),
      // Both views must agree: on a noisy machine one of them alone may be luck.
      reached: found === undefined ? undefined : Math.min(found.ofMedians, found.perRound.median) >= atLeast,
    };
  });
}

function latencyOutcome(result: BenchResult): Outcome {
  const [mine, other] = ["ringcorn-bun", "bun-serve"].map((id) =>
    median(samplesOf(result, "http/hello", id).map((sample) => sample.p99Us)),
  );
  const known = !Number.isNaN(mine) && !Number.isNaN(other);
  return {
    what: "http/hello, p99: Ringcorn on Bun against Bun.serve",
    goal: "no worse",
    measured: known ? `${Math.round(mine)} µs against ${Math.round(other)} µs` : "–",
    reached: known ? mine <= other : undefined,
  };
}

function idleOutcomes(result: BenchResult): Outcome[] {
  return IDLE_GOALS.map(({ ours, atMost }) => {
    const samples = result.idle[ours] ?? [];
    const bytes = median(samples.map((sample) => sample.rssPerConnection));
    const count = samples[0]?.connections;
    return {
      what: `idle, bytes a connection: ${titleOf(ours)}`,
      goal: `≤ ${atMost / 1024} KB`,
      measured:
        samples.length === 0 ? "–" : `${(bytes / 1024).toFixed(2)} KB (${count?.toLocaleString("en")} connections)`,
      reached: samples.length === 0 ? undefined : bytes <= atMost,
    };
  });
}

function memoryOutcomes(result: BenchResult): Outcome[] {
  return ["ringcorn-bun", "ringcorn-deno"].map((id) => {
    const samples = result.memory[id] ?? [];
    const worst = Math.max(...samples.map((sample) => sample.growthBytes));
    return {
      what: `memory, growth in long transfers, the worst: ${titleOf(id)}`,
      goal: `≤ ${MEMORY_GOAL_BYTES / 1e6} MB`,
      measured: samples.length === 0 ? "–" : `${(worst / 1e6).toFixed(1)} MB`,
      reached: samples.length === 0 ? undefined : worst <= MEMORY_GOAL_BYTES,
    };
  });
}

function parserOutcomes(result: BenchResult): Outcome[] {
  return PARSER_GOALS.flatMap(({ runtime, atLeast }) => {
    // The parser's file begins with the classic browser request, through the whole parser and through llhttp.
    const cases = result.micro.filter((micro) => micro.runtime === runtime && micro.suite.startsWith("parser"));
    const [found] = cases;
    const llhttp = cases.find((micro) => micro.name.endsWith("llhttp"));
    const rate = found?.bytes === undefined ? Number.NaN : found.bytes / found.p50Ns;
    const title = `parser, ${found?.name ?? "browser request"} on ${runtime === "bun" ? "Bun" : "Deno"}`;
    const times = found === undefined || llhttp === undefined ? Number.NaN : timesAsFast(found, llhttp);
    // A processor that was slowed down all the time says nothing about a goal in GB/s, unless it was reached all the same.
    const excused = found?.throttled === true && rate < atLeast;
    return [
      {
        what: title,
        goal: `≥ ${atLeast.toFixed(1)} GB/s`,
        measured: Number.isNaN(rate) ? "–" : `${rate.toFixed(3)} GB/s${excused ? ", throttled: not judged" : ""}`,
        reached: Number.isNaN(rate) || excused ? undefined : rate >= atLeast,
      },
      {
        what: `${title}, over llhttp`,
        goal: `≥ ${PARSER_OVER_LLHTTP} times`,
        measured: Number.isNaN(times) ? "–" : `${times.toFixed(2)} times`,
        reached: Number.isNaN(times) ? undefined : times >= PARSER_OVER_LLHTTP,
      },
    ];
  });
}

export function outcomes(result: BenchResult): Outcome[] {
  return [
    ...parserOutcomes(result),
    ...httpOutcomes(result),
    latencyOutcome(result),
    ...idleOutcomes(result),
    ...memoryOutcomes(result),
    ...pythonOutcomes(result),
    ...socketOutcomes(result),
  ];
}
