/**
 * When a ratio to a peer has fallen: the judgement of `npm run bench:check`.
 */
import { compare, cpuPerRequest, requestsPerSecond } from "./goals.ts";
import { quantile, type Ratio, type Spread } from "./load/stats.ts";
import type { BenchResult, HttpSample } from "./load/types.ts";

/** More is better in each. What others do to the cores moves the second less, and waiting moves the first alone. */
export type CheckedMeasure = "requests/s" | "requests/CPU s" | "best requests/CPU s";

/** A fall of less than this share is no fall, however steady the rounds are. */
export const TOLERATED_SHARE = 0.05;
/**
 * The same for the best rounds, which have no spread of their own. Of an unchanged server the best of seven rounds did not
 * differ by more, the best of five in 3 of 100 samples, on a machine that others used too (docs/benchmarks.md, Falls).
 */
const BEST_TOLERATED_SHARE = 0.2;

interface Checked {
  of(sample: HttpSample): number;
  /** What is compared of the ratio. */
  spread(ratio: Ratio): Spread;
  readonly toleratedShare: number;
}

const perCpuSecond = (sample: HttpSample): number => 1 / cpuPerRequest(sample);

const MEASURES: Readonly<Record<CheckedMeasure, Checked>> = {
  "requests/s": { of: requestsPerSecond, spread: ({ perRound }) => perRound, toleratedShare: TOLERATED_SHARE },
  "requests/CPU s": { of: perCpuSecond, spread: ({ perRound }) => perRound, toleratedShare: TOLERATED_SHARE },
  // A neighbour makes requests dearer, never cheaper: each server's best round says most of it, though not of steadiness.
  "best requests/CPU s": {
    of: perCpuSecond,
    spread: ({ ofGreatest, perRound: { count } }) => ({ count, q1: ofGreatest, median: ofGreatest, q3: ofGreatest }),
    toleratedShare: BEST_TOLERATED_SHARE,
  },
};

/** Ours over theirs as `measure` has it; undefined when one of them was not measured. */
function measured(result: BenchResult, { suite, ours, theirs }: Pair, measure: CheckedMeasure): Spread | undefined {
  const found = compare(result, suite, ours, theirs, MEASURES[measure].of);
  return found === undefined ? undefined : MEASURES[measure].spread(found);
}

/** Ours over theirs in one suite, by rounds. */
export interface RecordedRatio extends Pair {
  readonly measure: CheckedMeasure;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
}

export interface Recorded {
  readonly recordedAt: string;
  /** The processor: another machine has other ratios. */
  readonly cpu: string;
  readonly revision: string;
  readonly ratios: readonly RecordedRatio[];
}

export type Verdict = "ok" | "better" | "fell" | "not measured";

/**
 * It fell when the middle half of the rounds lies below the recorded middle half, and the median by more than the
 * tolerated share. With a wide spread the halves overlap and nothing is claimed.
 */
export function judge(
  recorded: Pick<RecordedRatio, "q1" | "median" | "q3">,
  now: Spread | undefined,
  toleratedShare = TOLERATED_SHARE,
): Verdict {
  if (now === undefined || Number.isNaN(now.median)) return "not measured";
  if (now.q3 < recorded.q1 && now.median < recorded.median * (1 - toleratedShare)) return "fell";
  if (now.q1 > recorded.q3 && now.median > recorded.median * (1 + toleratedShare)) return "better";
  return "ok";
}

export interface Judged {
  readonly recorded: RecordedRatio;
  readonly now: Spread | undefined;
  readonly verdict: Verdict;
  /** A fall, or ours was not measured; a peer that can't be had is no failure. */
  readonly failed: boolean;
}

export function judgeAll(recorded: readonly RecordedRatio[], result: BenchResult): Judged[] {
  return recorded.map((ratio) => {
    const now = measured(result, ratio, ratio.measure);
    const verdict = judge(ratio, now, MEASURES[ratio.measure].toleratedShare);
    const peerMissing = result.missing?.[ratio.theirs] !== undefined;
    return {
      recorded: ratio,
      now,
      verdict,
      failed: verdict === "fell" || (verdict === "not measured" && !peerMissing),
    };
  });
}

export interface Pair {
  readonly suite: string;
  readonly ours: string;
  readonly theirs: string;
}

/** The ratios of a run, to be recorded. @returns those of `pairs` that were measured */
export function ratiosOf(result: BenchResult, pairs: readonly Pair[]): RecordedRatio[] {
  const rounded = (value: number) => Math.round(value * 1e3) / 1e3;
  return pairs.flatMap(({ suite, ours, theirs }) =>
    (Object.keys(MEASURES) as CheckedMeasure[]).flatMap((measure) => {
      const found = measured(result, { suite, ours, theirs }, measure);
      if (found === undefined || Number.isNaN(found.median)) return [];
      const { q1, median, q3 } = found;
      return [{ suite, ours, theirs, measure, q1: rounded(q1), median: rounded(median), q3: rounded(q3) }];
    }),
  );
}

/** New records replace those of the same pair and measure; the others stay. */
export function mergeRatios(old: readonly RecordedRatio[], fresh: readonly RecordedRatio[]): RecordedRatio[] {
  const key = ({ suite, ours, theirs, measure }: RecordedRatio) => `${suite} ${ours} ${theirs} ${measure}`;
  const merged = new Map([...old, ...fresh].map((ratio) => [key(ratio), ratio]));
  return [...merged.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Widest spread of the measured ratios, as a share of the median: how small a fall this run could have seen. */
export function resolution(judged: readonly Judged[]): number {
  const widths = judged.flatMap(({ now }) => (now === undefined ? [] : [(now.q3 - now.q1) / now.median]));
  return quantile(widths, 1);
}
