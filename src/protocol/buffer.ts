/** A growable output buffer: encoders append, the connection takes from the front. Pooled, so it keeps its size. */
import { offPage } from "./off-page.ts";

/** Enough for the head and a small body of a response, or sixteen short pipelined ones. */
export const BUFFER_INITIAL_BYTES = 4 * 1024;
/** Past this much a response is written straight from the application's array. */
export const BUFFER_MAX_BYTES = 64 * 1024;

/** Few sizes, so that arrays can be used again by others. */
const GROWTH = 4;

/**
 * Arrays of the greatest size that have done their service are kept for the next response that needs one, up to so many:
 * a fresh one has to be cleared, and its pages found, which costs more than to copy a file into it.
 */
const MOST_SPARES = 32;
const spares: Uint8Array[] = [];

/** Up to this length a loop is faster than `set`. */
const LOOP_BYTES = 20;

export class OutBuffer {
  bytes: Uint8Array = offPage(BUFFER_INITIAL_BYTES);
  /** What stands in `bytes[start, committed)` may leave. */
  start = 0;
  committed = 0;
  /** End of what has been encoded; `[committed, end)` is a head that may still be taken back. */
  end = 0;

  /** Makes room for `count` more bytes. False when that would exceed the greatest size. */
  ensure(count: number): boolean {
    if (this.end + count <= this.bytes.length) return true;
    if (this.start > 0) this.#compact();
    const need = this.end + count;
    if (need <= this.bytes.length) return true;
    if (need > BUFFER_MAX_BYTES) return false;
    let size = this.bytes.length;
    while (size < need) size *= GROWTH;
    const grown = (size === BUFFER_MAX_BYTES ? spares.pop() : undefined) ?? offPage(size);
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
    return true;
  }

  /** How many more bytes could be taken in, growth included. */
  get room(): number {
    return BUFFER_MAX_BYTES - (this.end - this.start);
  }

  /** Appends as it is; the caller has made room. */
  append(source: Uint8Array, from: number, to: number): void {
    const count = to - from;
    if (count <= LOOP_BYTES) {
      const bytes = this.bytes;
      let at = this.end;
      for (let i = from; i < to; i++) bytes[at++] = source[i];
    } else {
      this.bytes.set(from === 0 && to === source.length ? source : source.subarray(from, to), this.end);
    }
    this.end += count;
  }

  commit(): void {
    this.committed = this.end;
  }

  /** Commits `source` in front of what is not committed yet. False when there is no room. */
  commitAhead(source: Uint8Array): boolean {
    const count = source.length;
    if (!this.ensure(count)) return false;
    this.bytes.copyWithin(this.committed + count, this.committed, this.end);
    this.bytes.set(source, this.committed);
    this.committed += count;
    this.end += count;
    return true;
  }

  /** Takes back what has not been committed. */
  rollback(): void {
    this.end = this.committed;
  }

  /** The front has left up to `position`. */
  took(position: number): void {
    this.start = position;
    if (position === this.end) this.clear();
  }

  clear(): void {
    this.start = 0;
    this.committed = 0;
    this.end = 0;
  }

  /** Gives memory beyond the initial size back before a long rest in the pool. */
  shrink(): void {
    this.clear();
    const { bytes } = this;
    if (bytes.length <= BUFFER_MAX_BYTES / 2) return;
    if (bytes.length === BUFFER_MAX_BYTES && spares.length < MOST_SPARES) spares.push(bytes);
    this.bytes = offPage(BUFFER_INITIAL_BYTES);
  }

  #compact(): void {
    this.bytes.copyWithin(0, this.start, this.end);
    this.committed -= this.start;
    this.end -= this.start;
    this.start = 0;
  }
}
