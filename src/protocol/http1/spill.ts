/** A growing buffer for the bytes of a head or a trailer section that arrives in pieces. */
import { POSITION_MAX } from "./limits.ts";

/** Size of the first allocation: most heads fit. */
const FIRST_BYTES = 1024;
/** What is kept between connections: a larger head is rare, and many at once come from those who mean no good. */
const KEPT_BYTES = 4 * 1024;
/** Below this a loop is cheaper than a view for `set`. */
const LOOP_BYTES = 32;

export class Spill {
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  /** Gives memory of a large head back. */
  shrink(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = new Uint8Array(0);
  }

  /** Appends `chunk[start, end)`. The buffer doubles, so a byte is moved less than twice on average. */
  append(chunk: Uint8Array, start: number, end: number): void {
    const count = end - start;
    if (this.length + count > this.bytes.length) this.#grow(this.length + count);
    const { bytes, length } = this;
    if (count <= LOOP_BYTES) {
      for (let i = 0; i < count; i++) bytes[length + i] = chunk[start + i];
    } else {
      bytes.set(chunk.subarray(start, end), length);
    }
    this.length = length + count;
  }

  #grow(needed: number): void {
    if (needed > POSITION_MAX) throw new Error("A head or a trailer section has no room beyond 1 GiB.");
    let size = Math.max(FIRST_BYTES, this.bytes.length);
    while (size < needed) size *= 2;
    const grown = new Uint8Array(size);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
