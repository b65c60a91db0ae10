/**
 * How far bytes of one class go: the scanners' inner loops. RFC 9110 section 5.5 says what a field value may hold.
 *
 * Two habits of the loops here and of those that call them are for V8, which they make a fifth faster; JavaScriptCore
 * doesn't mind. It looks a constant that is imported or exported up at each use, and knows no size of such a table: a
 * module's own constant is compiled in. And it checks each sum for overflow unless it sees that there can be none:
 * positions are masked once, by what they never exceed (POSITION_MAX).
 */
import { POSITION_MAX } from "./limits.ts";
import { CLASS, VALUE } from "./tables.ts";

const classes = CLASS;
const POSITIONS = POSITION_MAX;

/** So much of a value is looked at byte by byte: a view of the words costs as much as this does. */
const BEFORE_WORDS = 128;

/** Behind the run of bytes of class `bit` that begins at `from`. Eight at a time, then four: fewer branches. */
export function plainRun(bytes: Uint8Array, from: number, to: number, bit: number): number {
  const c = classes;
  const stop = to & POSITIONS;
  let p = from & POSITIONS;
  for (const last = stop - 8; p <= last; p += 8) {
    const left = c[bytes[p]] & c[bytes[p + 1]] & c[bytes[p + 2]] & c[bytes[p + 3]];
    const right = c[bytes[p + 4]] & c[bytes[p + 5]] & c[bytes[p + 6]] & c[bytes[p + 7]];
    if ((left & right & bit) === 0) break;
  }
  if (p <= stop - 4 && (c[bytes[p]] & c[bytes[p + 1]] & c[bytes[p + 2]] & c[bytes[p + 3]] & bit) !== 0) p += 4;
  while (p < stop && (c[bytes[p]] & bit) !== 0) p++;
  return p;
}

/**
 * What `plainRun` returns for VALUE, faster for values of some hundred bytes and more, at the price of a view: most of
 * a long value is passed over by `textWords`, and the table has the last word.
 */
export function longValueRun(bytes: Uint8Array, from: number, stop: number): number {
  const near = Math.min(stop, from + BEFORE_WORDS);
  const p = plainRun(bytes, from, near, VALUE);
  return p < near || p === stop ? p : plainRun(bytes, textWords(bytes, p, stop), stop, VALUE);
}

/**
 * A position between `from` and the first byte behind it that is not SP or VCHAR: as near to that as whole words allow.
 *
 * Of four bytes at once, 0x20 subtracted from each sets the high bit of the lowest that is a control character, and 1
 * added to each that of the lowest DEL: what is carried comes from bytes below, one of which has its bit set then. Bytes
 * above 0x7f and their neighbours may be taken for such, and end it too.
 */
function textWords(bytes: Uint8Array, from: number, stop: number): number {
  // The words of the underlying memory: the first holds up to three bytes before the array.
  const before = bytes.byteOffset & 3;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset - before, (bytes.length + before) >> 2);
  let i = ((from + before) & POSITIONS) >> 2;
  for (const last = (((stop + before) & POSITIONS) >> 2) - 4; i <= last; i += 4) {
    const a = words[i];
    const b = words[i + 1];
    const c = words[i + 2];
    const d = words[i + 3];
    const controls = (a - 0x20202020) | (b - 0x20202020) | (c - 0x20202020) | (d - 0x20202020);
    const deletes = (a + 0x01010101) | (b + 0x01010101) | (c + 0x01010101) | (d + 0x01010101);
    if (((controls | deletes) & 0x80808080) !== 0) break;
  }
  return Math.max(from, i * 4 - before);
}
