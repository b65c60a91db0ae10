/**
 * Gives the memory of a large array back at once, rather than when the collector finds it: what a stream brings in is
 * then read into memory that is warm and mapped, and an endless body needs no more of it than its window.
 */

/** Below this the engines' own ways cost less, and arrays may be parts of a pool. */
const WORTH_BYTES = 8 * 1024;

/**
 * `bytes` is empty afterwards, with every other view of its memory. Nothing may need these any more. An array that ends
 * before its memory does stays as it is: somebody may have got, or may yet get, what is behind it.
 */
export function giveBack(bytes: Uint8Array): void {
  const { byteLength, byteOffset } = bytes;
  // Not asked for in vain: on Bun a small array has no buffer before somebody does, and making one costs a microsecond.
  if (byteLength < WORTH_BYTES) return;
  const { buffer } = bytes;
  if (byteOffset + byteLength !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/**
 * A copy of `bytes[start, end)`, never a Buffer. Of a Buffer, as a runtime may hand over, `slice` is a view; of other arrays
 * it is a copy without another view of their memory, which on Bun costs up to a microsecond where the array is its first.
 */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return bytes.constructor === Uint8Array ? bytes.slice(start, end) : new Uint8Array(bytes.subarray(start, end));
}

/** Of what has been received from clients: bytes that were given back, and so are no garbage. */
export const returned = { bytes: 0 };

/** As `giveBack`, for a piece of a request's body. */
export function giveBackPiece(piece: Uint8Array): void {
  const { byteLength } = piece;
  giveBack(piece);
  if (piece.byteLength !== byteLength) returned.bytes += byteLength;
}

/** A chunk that came from a worker's stream, and how many still need it. */
export class Chunk {
  readonly #bytes: Uint8Array;
  #holders = 1;
  readonly release = () => {
    if (--this.#holders === 0) giveBack(this.#bytes);
  };

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  hold(): void {
    this.#holders++;
  }
}
