/**
 * When requests are due in a load of fixed rate. A schedule goes on whatever the server does: what could not be sent in time
 * waits, and its latency counts from when it was due, so that nothing is omitted that a user would have noticed.
 */

export interface Schedule {
  /** Requests a second of all processes together. */
  readonly rate: number;
  /** Of so many processes, this one; their requests interleave. */
  readonly part: number;
  readonly parts: number;
}

/**
 * Milliseconds from the beginning at which this process's request number `index` is due: in the middle of its share of the
 * time, so that none falls on the edge of a measurement.
 */
export function dueMs({ rate, part, parts }: Schedule, index: number): number {
  return ((index * parts + part + 0.5) / rate) * 1e3;
}

/** `N` split over the processes as evenly as can be. */
export function shareOf(count: number, part: number, parts: number): number {
  return Math.floor(count / parts) + (part < count % parts ? 1 : 0);
}

/** The fixed rate of `--rate`: so many requests a second, or a share of what each server has just been measured at. */
export type RateChoice = { readonly perSecond: number } | { readonly share: number };

/** The rate that a choice means for a server that reached `peak`, a whole number from 1. */
export function rateFor(choice: RateChoice, peak: number): number {
  return Math.max(1, Math.round("share" in choice ? choice.share * peak : choice.perSecond));
}
