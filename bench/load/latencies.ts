/** Latencies as counts by their size, so that the load keeps no number for each message. */

/** A step for each microsecond up to this; each further step is a hundredth wider. */
const FINE_US = 1000;
const GROWTH = 1.01;
const STEPS = FINE_US + 1200;
const LOG_GROWTH = Math.log(GROWTH);

export class LatencyHistogram {
  readonly #counts: Float64Array = new Float64Array(STEPS);

  add(ms: number): void {
    const us = ms * 1e3;
    const step = us < FINE_US ? us | 0 : Math.min(STEPS - 1, FINE_US + ((Math.log(us / FINE_US) / LOG_GROWTH) | 0));
    this.#counts[step]++;
  }

  /** To be added up with others' and handed to `percentileUs`. */
  counts(): number[] {
    return Array.from(this.#counts);
  }
}

/** Those of several processes together. */
export function summed(all: readonly (readonly number[])[]): number[] {
  return Array.from({ length: STEPS }, (_, step) => all.reduce((sum, counts) => sum + (counts[step] ?? 0), 0));
}

/** The value in microseconds that a share of all latencies lies below; NaN when there are none. */
export function percentileUs(counts: readonly number[], share: number): number {
  const rank = share * counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (let step = 0; step < counts.length; step++) {
    seen += counts[step];
    if (seen > 0 && seen >= rank)
      return step < FINE_US ? step + 1 : Math.round(FINE_US * GROWTH ** (step + 1 - FINE_US));
  }
  return Number.NaN;
}
