/** Where output begins in its memory. */

/**
 * Where in its memory an array begins that large pieces are copied into behind a few bytes: a frame's head, a record's, a
 * chunk's line. What a socket has read begins with a page of memory, and so does a large array. A copy from there to a
 * few bytes behind the start of a page takes 20 to 50 times as long on some processors: with `rep movsb`, each load waits
 * for a store that only looks like one to the same place. Measured with Bun 1.4.5 and Deno 2.9.6 on an AMD EPYC: 10 KB
 * in 4 to 6 µs at offset 12, in 0.2 µs at 268.
 */
const OFF_PAGE_BYTES = 256;

/**
 * An array for output: `sizeBytes` long, and never at the start of a page. One into which whole arrays of this kind are
 * copied begins further inside: behind a few bytes at the same place the copy would be as slow.
 */
export function offPage(sizeBytes: number, places = 1): Uint8Array {
  const start = places * OFF_PAGE_BYTES;
  return new Uint8Array(new ArrayBuffer(sizeBytes + start), start);
}
