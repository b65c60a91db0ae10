/**
 * The ring between a connection (producer) and its application (consumer): request body pieces by reference,
 * no promise and no allocation per record. See layout.ts for the picture.
 *
 * Both sides run on one thread, so publishing is the order of the stores: the record first, then the counter.
 */
import { RING_SLOTS, SLOT_DATA, SLOT_END, SLOT_NONE } from "./layout.ts";

export class ByteRing {
  /** The array of the record last taken; valid until the next `take`. */
  bytes: Uint8Array | null = null;
  start = 0;
  end = 0;
  /** Bytes kept alive by the records in the ring: the whole arrays they refer to, each counted once. */
  pinnedBytes = 0;

  readonly #mask: number;
  readonly #kinds: Uint8Array;
  readonly #refs: (Uint8Array | null)[];
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  #head = 0;
  #tail = 0;

  /** @param slots a power of two. */
  constructor(slots: number = RING_SLOTS) {
    if (slots < 2 || (slots & (slots - 1)) !== 0)
      throw new RangeError(`ring slots must be a power of two, not ${slots}`);
    this.#mask = slots - 1;
    this.#kinds = new Uint8Array(slots);
    this.#refs = new Array<Uint8Array | null>(slots).fill(null);
    this.#starts = new Int32Array(slots);
    this.#ends = new Int32Array(slots);
  }

  /** Records in the ring. */
  get size(): number {
    return (this.#head - this.#tail) >>> 0;
  }

  /** One slot is always kept for the end record. */
  get full(): boolean {
    return this.size >= this.#mask;
  }

  /** Kind of the next record without taking it. */
  peek(): number {
    return this.#head === this.#tail ? SLOT_NONE : this.#kinds[this.#tail & this.#mask];
  }

  /** Length in bytes of the next record, 0 when there is none or it is the end. */
  peekLength(): number {
    if (this.#head === this.#tail) return 0;
    const slot = this.#tail & this.#mask;
    return this.#ends[slot] - this.#starts[slot];
  }

  /** Publishes a piece; false when the ring is full (nothing is kept then). */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.full) return false;
    const head = this.#head;
    const slot = head & this.#mask;
    const sharesPrevious = head !== this.#tail && this.#refs[(head - 1) & this.#mask] === bytes;
    if (!sharesPrevious) this.pinnedBytes += bytes.byteLength;
    this.#kinds[slot] = SLOT_DATA;
    this.#refs[slot] = bytes;
    this.#starts[slot] = start;
    this.#ends[slot] = end;
    this.#head = (head + 1) >>> 0;
    return true;
  }

  /** Publishes the end; there is always room for it, once. */
  pushEnd(): void {
    const slot = this.#head & this.#mask;
    this.#kinds[slot] = SLOT_END;
    this.#refs[slot] = null;
    this.#starts[slot] = 0;
    this.#ends[slot] = 0;
    this.#head = (this.#head + 1) >>> 0;
  }

  /** Takes the next record and returns its kind; a piece stands in `bytes`, `start` and `end`. */
  take(): number {
    if (this.#head === this.#tail) return SLOT_NONE;
    const slot = this.#tail & this.#mask;
    const kind = this.#kinds[slot];
    const bytes = this.#refs[slot];
    this.bytes = bytes;
    this.start = this.#starts[slot];
    this.end = this.#ends[slot];
    this.#refs[slot] = null;
    this.#tail = (this.#tail + 1) >>> 0;
    if (bytes !== null) {
      const sharesNext = this.#head !== this.#tail && this.#refs[this.#tail & this.#mask] === bytes;
      if (!sharesNext) this.pinnedBytes -= bytes.byteLength;
    }
    return kind;
  }

  /** Drops every record and reference: the ring is as new. */
  clear(): void {
    while (this.#head !== this.#tail) {
      this.#refs[this.#tail & this.#mask] = null;
      this.#tail = (this.#tail + 1) >>> 0;
    }
    this.#head = 0;
    this.#tail = 0;
    this.bytes = null;
    this.pinnedBytes = 0;
  }
}
