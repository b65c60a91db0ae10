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
  const { buffer, byteLength, byteOffset } = bytes;
  if (byteLength < WORTH_BYTES || byteOffset + byteLength !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
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
