/**
 * Memory for received bytes that must outlive the buffer they stand in: many small copies in one array, since an
 * array each costs far more than the copy on some engines. Nothing is ever written twice.
 */

/** A scope that an application keeps pins one slab: small enough for that, large enough for dozens of heads. */
const SLAB_BYTES = 16 * 1024;
/** Larger pieces get an array of their own. */
const OWN_ARRAY_BYTES = SLAB_BYTES / 4;
/** Up to here a loop beats `set` with its view. */
const LOOP_BYTES = 48;

export class Slab {
  /** Where the last copy stands. */
  bytes: Uint8Array = new Uint8Array(0);
  #next = 0;
  #shared: Uint8Array = this.bytes;

  /** Copies `source[start, end)` and returns where it begins in `bytes`. */
  keep(source: Uint8Array, start: number, end: number): number {
    const count = end - start;
    if (count > OWN_ARRAY_BYTES) {
      this.bytes = source.slice(start, end);
      return 0;
    }
    if (this.#next + count > this.#shared.length) {
      this.#shared = new Uint8Array(SLAB_BYTES);
      this.#next = 0;
    }
    const into = this.#shared;
    const at = this.#next;
    if (count <= LOOP_BYTES) for (let i = 0; i < count; i++) into[at + i] = source[start + i];
    else into.set(source.subarray(start, end), at);
    this.#next = at + count;
    this.bytes = into;
    return at;
  }
}
