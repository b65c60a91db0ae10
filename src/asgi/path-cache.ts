/**
 * Paths that were asked for before, as the strings they were decoded to: most requests ask for one of few, comparing a
 * few bytes is cheaper than decoding them, and a router finds a string that it has seen before faster.
 */

/** One path a place: a power of two. */
const PLACES = 256;
/** Longer paths are decoded each time: comparing them is no gain, and they would be kept for nothing. */
const LONGEST_BYTES = 64;

export class PathCache {
  readonly #decode: (bytes: Uint8Array, start: number, end: number) => string;
  /** The bytes of each place's path, LONGEST_BYTES a place. */
  readonly #bytes = new Uint8Array(PLACES * LONGEST_BYTES);
  readonly #texts: string[] = new Array(PLACES).fill("");

  /** @param decode of `bytes[start, end)` to a character each; the same text for the same bytes */
  constructor(decode: (bytes: Uint8Array, start: number, end: number) => string) {
    this.#decode = decode;
  }

  /** The text of `bytes[start, end)`, which is not empty. */
  text(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length > LONGEST_BYTES) return this.#decode(bytes, start, end);
    // The last byte, the middle and the third quarter tell most paths of one application apart.
    const middle = bytes[start + (length >> 1)];
    const place = (length * 31 + bytes[end - 1] * 7 + middle * 131 + bytes[end - 1 - (length >> 2)]) & (PLACES - 1);
    const known = this.#bytes;
    const at = place * LONGEST_BYTES;
    if (this.#texts[place].length === length) {
      let i = 0;
      while (i < length && known[at + i] === bytes[start + i]) i++;
      if (i === length) return this.#texts[place];
    }
    const text = this.#decode(bytes, start, end);
    for (let i = 0; i < length; i++) known[at + i] = bytes[start + i];
    this.#texts[place] = text;
    return text;
  }
}
