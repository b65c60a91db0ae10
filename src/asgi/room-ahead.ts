/** Lets what waits to be sent leave with a large body in one write, where there is room in front of the body's array. */
import type { OutBuffer } from "../protocol/buffer.ts";

/** Copying less costs less than a write of its own. */
const WORTH_BYTES = 16 * 1024;

/**
 * Moves what waits in `out` in front of `bytes`.
 * @param room so many bytes in front of `bytes`, in the same memory, are nobody's
 * @returns the array with both; null when there is nothing to move, or no room for it
 */
export function joinAhead(out: OutBuffer, bytes: Uint8Array, room: number): Uint8Array | null {
  const count = out.committed - out.start;
  if (count === 0 || count > room || bytes.length < WORTH_BYTES || out.committed !== out.end) return null;
  const joined = new Uint8Array(bytes.buffer, bytes.byteOffset - count, count + bytes.length);
  joined.set(out.bytes.subarray(out.start, out.committed));
  out.clear();
  return joined;
}
