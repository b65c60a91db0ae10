/**
 * A section of field lines, of a head or of trailers: RFC 9112 section 5, strictly.
 * Only CR LF ends a line; no white space before the colon; no folding (section 5.2); values as RFC 9110 section 5.5.
 */
import { BAD_FIELD_NAME, BAD_FIELD_VALUE, BAD_LINE_END, FOLDED_FIELD, type Http1Error } from "./errors.ts";
import { POSITION_MAX } from "./limits.ts";
import { longValueRun, plainRun } from "./runs.ts";
import { CLASS, endOfName, internName, TOKEN, VALUE } from "./tables.ts";

/** Where a scan stands within the section. */
const LINE_START = 0;
const NAME = 1;
const BEFORE_VALUE = 2;
const IN_VALUE = 3;
const LINE_LF = 4;
const LAST_LF = 5;
const DONE = 6;

const HTAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const COLON = 0x3a;

/** Offsets a line: nameStart, nameEnd, valueStart, valueEnd. */
const STRIDE = 4;
export const FIELD_STRIDE: number = STRIDE;

/** The module's own, for V8: see runs.ts. */
const classes = CLASS;
const NAME_BYTES = TOKEN;
const VALUE_BYTES = VALUE;
const POSITIONS = POSITION_MAX;

/** Field lines that reach beyond it are looked at for long values: those of most requests do not. */
const SHORT_SECTION_BYTES = 1024;

/** Lines that the first growth makes room for. */
const ROOM_LEAST = 8;

/**
 * Takes the whole lines that begin at `from`, the usual case, without keeping any state: anything else (an incomplete
 * line, the section's end, a violation, no room) ends it at the start of a line. Returns the count of lines then; where
 * the next line begins stands in that line's first offset.
 *
 * The name that stood in this place of the last section is tried first: a client repeats itself.
 */
function takeWholeLines(
  bytes: Uint8Array,
  from: number,
  to: number,
  offsets: Int32Array,
  ids: Uint8Array,
  known: number,
): number {
  const c = classes;
  const room = ids.length;
  const stop = to & POSITIONS;
  let p = from & POSITIONS;
  let count = known & POSITIONS;
  const near = Math.min(stop, p + SHORT_SECTION_BYTES);
  for (;;) {
    const at = count * STRIDE;
    const nameStart = p;
    offsets[at] = p;
    if (count === room || p >= stop || bytes[p] === CR) return count;
    p = endOfName(bytes, nameStart, stop, ids[count]);
    if (p < 0) {
      p = nameStart;
      while (p < stop && (c[bytes[p]] & NAME_BYTES) !== 0) p++;
      if (p >= stop || bytes[p] !== COLON || p === nameStart) return count;
      ids[count] = internName(bytes, nameStart, p);
    }
    offsets[at + 1] = p++;
    while (p < stop && (bytes[p] === SP || bytes[p] === HTAB)) p++;
    const valueStart = p;
    p = plainRun(bytes, p, near, VALUE_BYTES);
    if (p + 1 >= near) {
      if (p < stop) p = longValueRun(bytes, p, stop);
      if (p + 1 >= stop) return count;
    }
    if (bytes[p] !== CR || bytes[p + 1] !== LF) return count;
    offsets[at + 2] = valueStart;
    offsets[at + 3] = trimmedEnd(bytes, valueStart, p);
    p = (p + 2) & POSITIONS;
    count = (count + 1) & POSITIONS;
  }
}

function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--;
  return end;
}

function nameError(byte: number, isFirst: boolean): Http1Error {
  if (byte === LF || byte === CR) return BAD_LINE_END;
  return isFirst && (byte === SP || byte === HTAB) ? FOLDED_FIELD : BAD_FIELD_NAME;
}

export class FieldSection {
  /** FIELD_STRIDE offsets for each of the `count` lines, and room for one more line than there are `ids`. */
  offsets: Int32Array;
  /** Ids of the names; beyond `count` those of earlier sections. */
  ids: Uint8Array;
  count = 0;
  error: Http1Error | undefined = undefined;
  readonly #maxCount: number;
  readonly #tooMany: Http1Error;
  #state = LINE_START;
  /** Of the line that is being scanned. */
  #nameStart = 0;
  #nameEnd = 0;
  #valueStart = 0;

  /** `tooMany` is the refusal of more than `maxCount` lines. Room for `roomFor` lines is allocated at once. */
  constructor(maxCount: number, tooMany: Http1Error, roomFor: number) {
    this.#maxCount = maxCount;
    this.#tooMany = tooMany;
    const room = Math.min(maxCount, roomFor);
    this.offsets = new Int32Array((room + 1) * FIELD_STRIDE);
    this.ids = new Uint8Array(room);
  }

  get done(): boolean {
    return this.#state === DONE;
  }

  clear(): void {
    this.count = 0;
    this.error = undefined;
    this.#state = LINE_START;
  }

  /** The bytes scanned so far now stand `distance` earlier. */
  rebase(distance: number): void {
    const { offsets } = this;
    for (let i = this.count * FIELD_STRIDE - 1; i >= 0; i--) offsets[i] -= distance;
    this.#nameStart -= distance;
    this.#nameEnd -= distance;
    this.#valueStart -= distance;
  }

  /**
   * Scans `bytes[from, stop)`, going on where the last scan ended. Returns the position it came to: behind the section
   * when `done`, at the offending byte when `error`, else `stop`.
   */
  scan(bytes: Uint8Array, from: number, stop: number): number {
    let p = from;
    while (p < stop) {
      if (this.#state === LINE_START) {
        this.count = takeWholeLines(bytes, p, stop, this.offsets, this.ids, this.count);
        p = this.offsets[this.count * FIELD_STRIDE];
        if (p + 1 < stop && bytes[p] === CR && bytes[p + 1] === LF) {
          this.#state = DONE;
          return p + 2;
        }
        if (p === stop) break;
      }
      p = this.#scanLine(bytes, p, stop);
      if (this.error !== undefined || this.#state === DONE) break;
    }
    return p;
  }

  /** One line, or what there is of it: resumable at any byte. */
  #scanLine(bytes: Uint8Array, p: number, stop: number): number {
    if (this.#state === LINE_START) {
      this.#state = bytes[p] === CR ? LAST_LF : NAME;
      if (this.#state === LAST_LF) p++;
      else if (this.count === this.#maxCount) return this.#fail(p, this.#tooMany);
      this.#nameStart = p;
    }
    if (this.#state === NAME) {
      while (p < stop && (classes[bytes[p]] & NAME_BYTES) !== 0) p++;
      if (p === stop) return p;
      const isFirst = p === this.#nameStart;
      if (bytes[p] !== COLON || isFirst) return this.#fail(p, nameError(bytes[p], isFirst));
      this.#nameEnd = p++;
      this.#state = BEFORE_VALUE;
    }
    if (this.#state === BEFORE_VALUE) {
      while (p < stop && (bytes[p] === SP || bytes[p] === HTAB)) p++;
      if (p === stop) return p;
      this.#valueStart = p;
      this.#state = IN_VALUE;
    }
    if (this.#state === IN_VALUE) {
      p = plainRun(bytes, p, stop, VALUE_BYTES);
      if (p === stop) return p;
      if (bytes[p] !== CR) return this.#fail(p, bytes[p] === LF ? BAD_LINE_END : BAD_FIELD_VALUE);
      this.#keep(bytes, p++);
      this.#state = LINE_LF;
    }
    if (p === stop) return p;
    if (bytes[p] !== LF) return this.#fail(p, BAD_LINE_END);
    this.#state = this.#state === LAST_LF ? DONE : LINE_START;
    return p + 1;
  }

  /** Records the line whose value ends before the CR at `end`. */
  #keep(bytes: Uint8Array, end: number): void {
    const { count } = this;
    if (count === this.ids.length) this.#grow();
    const { offsets } = this;
    const at = count * FIELD_STRIDE;
    offsets[at] = this.#nameStart;
    offsets[at + 1] = this.#nameEnd;
    offsets[at + 2] = this.#valueStart;
    offsets[at + 3] = trimmedEnd(bytes, this.#valueStart, end);
    this.ids[count] = internName(bytes, this.#nameStart, this.#nameEnd);
    this.count = count + 1;
  }

  #fail(p: number, error: Http1Error): number {
    this.error = error;
    return p;
  }

  #grow(): void {
    const room = Math.min(this.#maxCount, Math.max(ROOM_LEAST, this.ids.length * 2));
    const offsets = new Int32Array((room + 1) * FIELD_STRIDE);
    offsets.set(this.offsets);
    this.offsets = offsets;
    const ids = new Uint8Array(room);
    ids.set(this.ids);
    this.ids = ids;
  }
}
