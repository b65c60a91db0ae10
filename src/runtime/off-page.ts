/** As protocol/off-page.ts, for what is exchanged with the output of connections and for records: protocol imports nothing. */

/** Bytes from the start of a page; protocol/off-page.ts says why. */
const OFF_PAGE_BYTES = 256;

/** An array that output or records are copied into. */
export function offPage(sizeBytes: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(sizeBytes + OFF_PAGE_BYTES), OFF_PAGE_BYTES);
}
