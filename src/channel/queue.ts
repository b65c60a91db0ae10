/**
 * Queues in arrays whose first entries have been taken: `shift` would move all the others each time. A queue that is
 * never empty, as with a sender that is always a little ahead, must be cut now and then, or it grows by all that passes.
 */

/** Below this a cut is not worth a call. */
const CUT_FROM = 64;

/**
 * Cuts the first `taken` entries off where they are many, and half of all: each entry moves once at most, on average.
 * Returns how many taken entries are left in front.
 */
export function cutTaken(queue: unknown[], taken: number): number {
  if (taken < CUT_FROM || 2 * taken < queue.length) return taken;
  queue.copyWithin(0, taken);
  queue.length -= taken;
  return 0;
}
