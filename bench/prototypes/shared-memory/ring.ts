/**
 * A byte ring in memory that two processes share: one writes, one reads. `rings.py` is the other half. The bytes are
 * those of the wire format, with nothing in between.
 *
 *     page 0: numbers of four bytes, each in a cache line of its own     then        then
 *     +----------------------+----------------------+--------------+-----------------+-----------------+
 *     | 0 tail     to worker | 4 tail      to front |  rest of the | bytes to worker | bytes to front  |
 *     | 1 sleeps             | 5 sleeps             |  page        | RING_BYTES      | RING_BYTES      |
 *     | 2 head               | 6 head               |              |                 |                 |
 *     | 3 stuck              | 7 stuck              |              |                 |                 |
 *     +----------------------+----------------------+--------------+-----------------+-----------------+
 *
 * The writer owns `tail` (bytes ever written, modulo 2^32) and `stuck` (how often it found no room); the reader owns
 * `head` (bytes ever read) and `sleeps` (how often it went to sleep). Nobody writes another's number, and everybody
 * keeps its own in private: what stands here only tells the other side. Who sees a new `sleeps` or `stuck` owes one
 * doorbell byte.
 */

export const RING_BYTES = 1024 * 1024;
const PAGE_BYTES = 4096;
/** Numbers of four bytes in a cache line. */
const LINE = 16;
/** A doorbell with each write, so that the socket's own locks order everything and no number is looked at in between. */
export const ALWAYS_BELL = process.env.RING_BELLS === "always";
export const FILE_BYTES = PAGE_BYTES + 2 * RING_BYTES;

const TAIL = 0;
const SLEEPS = LINE;
const HEAD = 2 * LINE;
const STUCK = 3 * LINE;
const RING_LINES = 4 * LINE;

/** The other side wrote a position that can't be. */
export class RingError extends Error {
  override readonly name = "RingError";
}

/** `which`: 0 is the ring to the worker, 1 the one to the front. */
function parts(map: Uint8Array, which: 0 | 1): { words: Uint32Array; bytes: Uint8Array } {
  const start = map.byteOffset + which * RING_LINES * 4;
  return {
    words: new Uint32Array(map.buffer, start, RING_LINES),
    bytes: map.subarray(PAGE_BYTES + which * RING_BYTES, PAGE_BYTES + (which + 1) * RING_BYTES),
  };
}

export class RingWriter {
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  #tail = 0;
  /** The reader's position when it was last looked at. */
  #head = 0;
  #stuck = 0;
  /** The sleep that a doorbell has been sent for. */
  #rung = 0;

  constructor(map: Uint8Array, which: 0 | 1) {
    const { words, bytes } = parts(map, which);
    this.#words = words;
    this.#bytes = bytes;
  }

  /** Copies what there is room for; returns how much. The rest: when a doorbell comes. @throws RingError */
  write(bytes: Uint8Array, start: number, end: number): number {
    let room = RING_BYTES - ((this.#tail - this.#head) >>> 0);
    if (room < end - start) room = this.#look();
    if (room < end - start) {
      this.#stuck += 1;
      Atomics.store(this.#words, STUCK, this.#stuck);
      room = this.#look();
    }
    const count = Math.min(room, end - start);
    if (count === 0) return 0;
    const at = this.#tail & (RING_BYTES - 1);
    const first = Math.min(count, RING_BYTES - at);
    this.#bytes.set(bytes.subarray(start, start + first), at);
    if (first < count) this.#bytes.set(bytes.subarray(start + first, start + count), 0);
    this.#tail = (this.#tail + count) >>> 0;
    Atomics.store(this.#words, TAIL, this.#tail);
    return count;
  }

  /** After `write`: whether the reader sleeps and nobody has woken it. */
  owesBell(): boolean {
    if (ALWAYS_BELL) return true;
    const sleeps = Atomics.load(this.#words, SLEEPS);
    if (sleeps === this.#rung) return false;
    this.#rung = sleeps;
    return true;
  }

  #look(): number {
    this.#head = Atomics.load(this.#words, HEAD);
    const used = (this.#tail - this.#head) >>> 0;
    if (used > RING_BYTES) throw new RingError("it read more than was written");
    return RING_BYTES - used;
  }
}

export class RingReader {
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  #head = 0;
  #sleeps = 0;
  /** The writer's `stuck` that a doorbell has been sent for. */
  #rung = 0;

  constructor(map: Uint8Array, which: 0 | 1) {
    const { words, bytes } = parts(map, which);
    this.#words = words;
    this.#bytes = bytes;
  }

  /**
   * Hands over what is there, as copies: what is checked must not change afterwards. Returns whether there was
   * anything. @throws RingError
   */
  read(take: (chunk: Uint8Array) => void): boolean {
    const count = this.#available();
    if (count === 0) return false;
    const at = this.#head & (RING_BYTES - 1);
    const first = Math.min(count, RING_BYTES - at);
    const chunk = this.#bytes.slice(at, at + first);
    const second = first < count ? this.#bytes.slice(0, count - first) : undefined;
    this.#head = (this.#head + count) >>> 0;
    Atomics.store(this.#words, HEAD, this.#head);
    take(chunk);
    if (second !== undefined) take(second);
    return true;
  }

  /** After `read`: whether the writer waits for room and nobody has woken it. */
  owesBell(): boolean {
    const stuck = Atomics.load(this.#words, STUCK);
    if (stuck === this.#rung) return false;
    this.#rung = stuck;
    return true;
  }

  /** Says that the reader goes to sleep; false when something has come meanwhile. @throws RingError */
  sleep(): boolean {
    this.#sleeps = (this.#sleeps + 1) >>> 0;
    Atomics.store(this.#words, SLEEPS, this.#sleeps);
    return this.#available() === 0;
  }

  #available(): number {
    const count = (Atomics.load(this.#words, TAIL) - this.#head) >>> 0;
    if (count > RING_BYTES) throw new RingError("it wrote more than there is room for");
    return count;
  }
}
