/**
 * Latencies counted in buckets: 1 µs wide up to a millisecond, then a five-hundredth of their value. Histograms of several
 * processes can be added.
 */

/** Buckets of one doubling of the value; below twice this, a bucket is one microsecond. */
const HALF = 512;

export type Buckets = Map<number, number>;

/** The bucket of a value in microseconds; negative ones count as 0. */
export function bucketOf(us: number): number {
  const value = Math.max(0, Math.round(us));
  if (value < 2 * HALF) return value;
  const doublings = Math.floor(Math.log2(value / HALF));
  return doublings * HALF + Math.floor(value / 2 ** doublings);
}

/** The middle of a bucket, in microseconds. */
export function middleOf(bucket: number): number {
  if (bucket < 2 * HALF) return bucket;
  const doublings = Math.floor(bucket / HALF) - 1;
  const width = 2 ** doublings;
  return (bucket - doublings * HALF) * width + (width - 1) / 2;
}

export function count(buckets: Buckets, us: number): void {
  const bucket = bucketOf(us);
  buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
}

export function added(all: readonly (readonly (readonly [bucket: number, count: number])[])[]): Buckets {
  const sum: Buckets = new Map();
  for (const [bucket, times] of all.flat()) sum.set(bucket, (sum.get(bucket) ?? 0) + times);
  return sum;
}

/** Microseconds that the share `q` of the values does not exceed. @returns NaN when there are none */
export function percentile(buckets: Buckets, q: number): number {
  let total = 0;
  for (const times of buckets.values()) total += times;
  if (total === 0) return Number.NaN;
  // A product such as 0.999 * 1000 may lie above the whole number that it is.
  const wanted = Math.max(1, Math.ceil(q * total - 1e-9 * total));
  let seen = 0;
  for (const bucket of [...buckets.keys()].sort((a, b) => a - b)) {
    seen += buckets.get(bucket)!;
    if (seen >= wanted) return middleOf(bucket);
  }
  return Number.NaN;
}
