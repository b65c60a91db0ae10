/** Received chunks that wait behind the current request, in order. */

const CR = 0x0d;
const LF = 0x0a;

export class HeldInput {
  /** Bytes held. */
  bytes = 0;
  /** Ends of heads seen in the chunks: an upper bound of the requests that wait (a body may look like one). */
  heads = 0;
  readonly #chunks: Uint8Array[] = [];

  get empty(): boolean {
    return this.#chunks.length === 0;
  }

  add(chunk: Uint8Array, length: number): void {
    this.#chunks.push(length === chunk.length ? chunk : chunk.subarray(0, length));
    this.bytes += length;
    this.heads += countHeadEnds(chunk, length);
  }

  /** Takes the first chunk out. */
  shift(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.bytes -= chunk.length;
    this.heads -= countHeadEnds(chunk, chunk.length);
    return chunk;
  }
}

function countHeadEnds(chunk: Uint8Array, length: number): number {
  let count = 0;
  for (let at = chunk.indexOf(CR); at >= 0 && at + 3 < length; at = chunk.indexOf(CR, at + 1)) {
    if (chunk[at + 1] === LF && chunk[at + 2] === CR && chunk[at + 3] === LF) count++;
  }
  return count;
}
