/** Received bytes that wait behind the current request, in order. */
import { cutTaken } from "../channel/queue.ts";

const CR = 0x0d;
const LF = 0x0a;
const NO_BYTES = new Uint8Array(0);

/** Chunks below this are gathered, since an array each would cost many times what it holds. */
const GATHER_BELOW_BYTES = 1024;
const GATHERED_BYTES = 8 * 1024;

/** How much of CRLF CRLF the bytes so far end with. */
const IN_TEXT = 0;
const AFTER_CR = 1;
const AFTER_CRLF = 2;
const AFTER_CRLF_CR = 3;

export class HeldInput {
  /** Bytes held. */
  bytes = 0;
  /** Ends of heads seen in them, wherever chunks are cut: an upper bound of the requests (a body may look like one). */
  heads = 0;
  readonly #chunks: Uint8Array[] = [];
  readonly #headsOf: number[] = [];
  #first = 0;
  /** Memory behind the last chunk that has room for more. */
  #gather: Uint8Array | null = null;
  #gathered = 0;
  #state = IN_TEXT;

  get empty(): boolean {
    return this.#first === this.#chunks.length;
  }

  /** @param kept the chunk stays as it is; else its bytes are copied */
  add(chunk: Uint8Array, length: number, kept: boolean): void {
    const heads = this.#countHeads(chunk, length);
    this.bytes += length;
    this.heads += heads;
    const gather = this.#gather;
    if (gather !== null && length < GATHER_BELOW_BYTES && this.#gathered + length <= gather.length) {
      gather.set(chunk.subarray(0, length), this.#gathered);
      this.#gathered += length;
      const last = this.#chunks.length - 1;
      this.#chunks[last] = gather.subarray(0, this.#gathered);
      this.#headsOf[last] += heads;
      return;
    }
    this.#chunks.push(this.#keep(chunk, length, kept));
    this.#headsOf.push(heads);
  }

  /** Takes the first chunk out. */
  shift(): Uint8Array | undefined {
    if (this.empty) return undefined;
    const chunk = this.#chunks[this.#first];
    this.bytes -= chunk.length;
    this.heads -= this.#headsOf[this.#first];
    this.#chunks[this.#first++] = NO_BYTES;
    if (this.empty) this.#gather = null;
    // Of a client that is always a little ahead it is never empty.
    const taken = this.#first;
    this.#first = cutTaken(this.#chunks, taken);
    cutTaken(this.#headsOf, taken);
    return chunk;
  }

  #keep(chunk: Uint8Array, length: number, kept: boolean): Uint8Array {
    this.#gather = null;
    if (length >= GATHER_BELOW_BYTES) {
      if (!kept) return chunk.slice(0, length);
      return length === chunk.length ? chunk : chunk.subarray(0, length);
    }
    // The first one is likely to be alone.
    this.#gather = new Uint8Array(this.empty ? GATHER_BELOW_BYTES : GATHERED_BYTES);
    this.#gather.set(chunk.subarray(0, length));
    this.#gathered = length;
    return this.#gather.subarray(0, length);
  }

  #countHeads(chunk: Uint8Array, length: number): number {
    let count = 0;
    let state = this.#state;
    for (let at = 0; at < length; at++) {
      if (state === IN_TEXT) {
        at = chunk.indexOf(CR, at);
        if (at < 0 || at >= length) break;
        state = AFTER_CR;
        continue;
      }
      const byte = chunk[at];
      if (byte === LF && state !== AFTER_CRLF) {
        if (state === AFTER_CRLF_CR) count++;
        state = state === AFTER_CR ? AFTER_CRLF : IN_TEXT;
      } else if (byte === CR) state = state === AFTER_CRLF ? AFTER_CRLF_CR : AFTER_CR;
      else state = IN_TEXT;
    }
    this.#state = state;
    return count;
  }
}
