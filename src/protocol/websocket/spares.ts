/**
 * Arrays in which messages in pieces are put together and which nobody keeps: used again by all decoders, since a new one
 * is filled with zeroes first. As many as are of use at once when each message is decoded as soon as it is whole.
 */
import { offPage } from "../off-page.ts";

const SIZES = [64 * 1024, 256 * 1024] as const;
/** What is put into smaller ones comes from a client that has not sent much: it must not hold one. */
const SPARE_FROM_BYTES = 16 * 1024;
/** Of each size. Those that wait for the rest of a message count. */
const MOST = 8;

const free: Uint8Array[][] = SIZES.map(() => []);
const made = SIZES.map(() => 0);

/** One for at least `count` bytes, of any content; null: none is left, or it would not pay. */
export function takeSpare(count: number): Uint8Array | null {
  if (count < SPARE_FROM_BYTES || count > SIZES[1]) return null;
  const size = count <= SIZES[0] ? 0 : 1;
  const spare = free[size].pop();
  if (spare !== undefined) return spare;
  if (made[size] === MOST) return null;
  made[size]++;
  // Off the places where its content comes from, and where it is copied to.
  return offPage(SIZES[size], 3);
}

/** Takes one back that nothing refers to any more. */
export function giveSpare(spare: Uint8Array): void {
  free[spare.length === SIZES[0] ? 0 : 1].push(spare);
}
