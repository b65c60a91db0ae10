/**
 * The arithmetic of the micro benchmarks' rounds: which of them the machine disturbed, and what is quoted of the others.
 */
import { median, quantile, ratio } from "../load/stats.ts";

/** A round is disturbed when the calibration beside it ran slower than this share of the fastest one known. */
export const STEADY_SHARE = 0.8;
/** And when the process had less than this share of its core: others were in between. */
export const BUSY_SHARE = 0.9;
/** With fewer undisturbed rounds than this, a row is throttled: what is quoted then is of all its rounds. */
export const STEADY_ROUNDS_LEAST = 3;

export interface MicroRound {
  /** Rows that took turns have the same numbers. */
  readonly round: number;
  readonly p25Ns: number;
  readonly p50Ns: number;
  readonly p75Ns: number;
  /** Million steps a second of the calibration before and after, the slower of the two. */
  readonly calibration: number;
  /** Processor time of the process over the time that passed. */
  readonly busy: number;
}

/** What is quoted of a row. */
export interface Settled {
  /** Nanoseconds an operation: median of the undisturbed rounds' medians, and their quartiles. */
  readonly p25Ns: number;
  readonly p50Ns: number;
  readonly p75Ns: number;
  /** Median of the calibration beside those rounds. */
  readonly calibration: number;
  /** Disturbed rounds, which stay in the raw figures. */
  readonly discarded: number;
  /** There were too few others. */
  readonly throttled: boolean;
}

export interface MicroFigures extends Partial<Settled> {
  readonly name: string;
  readonly p25Ns: number;
  readonly p50Ns: number;
  readonly p75Ns: number;
  /** Bytes that one operation works on; gives a throughput. */
  readonly bytes?: number;
  /** Bytes that one operation allocates on the runtime's heap and for array buffers. */
  readonly allocatedBytes?: number;
  /** As they were measured, disturbed ones included. */
  readonly rounds?: readonly MicroRound[];
}

/** @param fastest the fastest calibration known of this runtime on this machine */
export function isFast(calibration: number, fastest: number): boolean {
  return calibration >= fastest * STEADY_SHARE;
}

export function isSteady({ calibration, busy }: MicroRound, fastest: number): boolean {
  return isFast(calibration, fastest) && busy >= BUSY_SHARE;
}

/** @param fastest the fastest calibration known of this runtime on this machine */
export function settle(rounds: readonly MicroRound[], fastest: number): Settled {
  const steady = rounds.filter((round) => isSteady(round, fastest));
  const throttled = steady.length < STEADY_ROUNDS_LEAST;
  const used = throttled ? rounds : steady;
  const medians = used.map((round) => round.p50Ns);
  return {
    p25Ns: quantile(medians, 0.25),
    p50Ns: median(medians),
    p75Ns: quantile(medians, 0.75),
    calibration: median(used.map((round) => round.calibration)),
    discarded: rounds.length - steady.length,
    throttled,
  };
}

/** The rows settled again, when a faster calibration has become known since. Rows without rounds stay as they are. */
export function resettle<Row extends MicroFigures>(rows: readonly Row[], fastest: number): Row[] {
  return rows.map((row) => (row.rounds === undefined ? row : { ...row, ...settle(row.rounds, fastest) }));
}

/** How many times as fast as theirs, in rounds that both have, so that the machine's speed cancels out. */
export function timesAsFast(ours: MicroFigures, theirs: MicroFigures): number {
  const values = ({ rounds = [] }: MicroFigures) => rounds.map(({ round, p50Ns }) => ({ round, value: p50Ns }));
  const found = ratio(values(theirs), values(ours)).perRound.median;
  return Number.isNaN(found) ? theirs.p50Ns / ours.p50Ns : found;
}

const nanoseconds = (ns: number) => (ns < 100 ? ns.toFixed(1) : Math.round(ns).toLocaleString("en"));

export function timeText({ p25Ns, p50Ns, p75Ns }: MicroFigures): string {
  return `${nanoseconds(p50Ns)} ns (${nanoseconds(p25Ns)} to ${nanoseconds(p75Ns)})`;
}

/** Such as `1.23 GB/s`; empty where an operation works on no bytes. */
export function throughputText({ bytes, p50Ns }: MicroFigures): string {
  return bytes === undefined ? "" : `${(bytes / p50Ns).toFixed(2)} GB/s`;
}

/** Such as `48 B`; empty where it was not measured. */
export function allocationText({ allocatedBytes }: MicroFigures): string {
  if (allocatedBytes === undefined) return "";
  return `${allocatedBytes < 10 ? Number(allocatedBytes.toFixed(1)) : Math.round(allocatedBytes).toLocaleString("en")} B`;
}

/** Such as `812 M/s, 2 of 9 discarded`, or `401 M/s, throttled`; empty for rows of before there were rounds. */
export function steadinessText({ calibration, discarded, throttled, rounds }: MicroFigures): string {
  if (calibration === undefined) return "";
  const lost = discarded ? `, ${discarded} of ${rounds?.length ?? "?"} discarded` : "";
  return `${Math.round(calibration)} M/s${throttled ? ", throttled" : lost}`;
}

/** One line for people: "name: 12.3 ns (12.1 to 12.6), 1.23 GB/s, 48 B [812 M/s]". */
export function formatFigures(figures: MicroFigures): string {
  const allocation = allocationText(figures);
  const parts = [timeText(figures), throughputText(figures), allocation === "" ? "" : `allocates ${allocation}`].filter(
    (part) => part !== "",
  );
  const steadiness = steadinessText(figures);
  return `${figures.name}: ${parts.join(", ")}${steadiness === "" ? "" : ` [${steadiness}]`}`;
}
