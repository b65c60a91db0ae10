/**
 * The arithmetic of the reports: medians, quartiles and ratios. Means are not used; one disturbed round would bend them.
 */

export interface Spread {
  readonly count: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
}

/**
 * The value below which the share `q` (0 to 1) of the values lies, interpolated between neighbours
 * (type 7 of Hyndman and Fan, what R and NumPy do by default).
 * Values that are no finite number (what a tool could not tell) are left out.
 * @returns NaN when there are no values.
 */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  if (sorted.length === 0) return Number.NaN;
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function spread(values: readonly number[]): Spread {
  return {
    count: values.length,
    q1: quantile(values, 0.25),
    median: median(values),
    q3: quantile(values, 0.75),
  };
}

/** Fewer rounds than this do not show how much a figure varies. */
export const FEW_ROUNDS = 3;

/** Such as `1 round`. */
export function roundsText(count: number): string {
  return `${count} round${count === 1 ? "" : "s"}`;
}

/** The ratio of a table of goals: of the medians, and within rounds. */
export function ratioText({ ofMedians, perRound }: Ratio): string {
  const { count, median: within } = perRound;
  return `${ofMedians.toFixed(2)} (${count < FEW_ROUNDS ? `${roundsText(count)} only` : `rounds ${within.toFixed(2)}`})`;
}

/** A value with the round it was taken in. */
export interface RoundValue {
  readonly round: number;
  readonly value: number;
}

export interface Ratio {
  /** Median of ours over median of theirs. */
  readonly ofMedians: number;
  /** Greatest of ours over greatest of theirs: of what a disturbance can only lessen, the values that met the fewest. */
  readonly ofGreatest: number;
  /** Ours over theirs within each round that has both, so that drift of the machine cancels out. */
  readonly perRound: Spread;
}

export function ratio(ours: readonly RoundValue[], theirs: readonly RoundValue[]): Ratio {
  const values = (samples: readonly RoundValue[]) => samples.map((sample) => sample.value);
  const byRound = new Map(theirs.map((sample) => [sample.round, sample.value]));
  const paired: number[] = [];
  for (const { round, value } of ours) {
    const other = byRound.get(round);
    if (other !== undefined && other !== 0) paired.push(value / other);
  }
  return {
    ofMedians: median(values(ours)) / median(values(theirs)),
    ofGreatest: quantile(values(ours), 1) / quantile(values(theirs), 1),
    perRound: spread(paired),
  };
}

/** `items` starting at another one each round, so that no server always follows the same neighbour's warm core. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  if (items.length === 0) return [];
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
