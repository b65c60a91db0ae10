/**
 * A section of field lines, of a head or of trailers: RFC 9112 section 5, strictly.
 * Only CR LF ends a line; no white space before the colon; no folding (section 5.2); values as RFC 9110 section 5.5.
 */
import { BAD_FIELD_NAME, BAD_FIELD_VALUE, BAD_LINE_END, FOLDED_FIELD, type Http1Error } from "./errors.ts";
import { CLASS, internName, TOKEN, VALUE } from "./tables.ts";

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
export const FIELD_STRIDE = 4;

export class FieldSection {
  /** FIELD_STRIDE offsets for each of the `count` lines. */
  offsets: Int32Array;
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
    this.offsets = new Int32Array(room * FIELD_STRIDE);
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
    const classes = CLASS;
    let state = this.#state;
    let p = from;
    while (p < stop) {
      if (state === LINE_START) {
        if (bytes[p] === CR) {
          state = LAST_LF;
          p++;
          continue;
        }
        if (this.count === this.#maxCount) return this.#fail(p, this.#tooMany);
        this.#nameStart = p;
        state = NAME;
      }
      if (state === NAME) {
        while (p < stop && (classes[bytes[p]] & TOKEN) !== 0) p++;
        if (p === stop) break;
        if (bytes[p] !== COLON || p === this.#nameStart) return this.#fail(p, this.#nameError(bytes[p], p));
        this.#nameEnd = p++;
        state = BEFORE_VALUE;
      }
      if (state === BEFORE_VALUE) {
        while (p < stop && (bytes[p] === SP || bytes[p] === HTAB)) p++;
        if (p === stop) break;
        this.#valueStart = p;
        state = IN_VALUE;
      }
      if (state === IN_VALUE) {
        while (p < stop && (classes[bytes[p]] & VALUE) !== 0) p++;
        if (p === stop) break;
        if (bytes[p] !== CR) return this.#fail(p, bytes[p] === LF ? BAD_LINE_END : BAD_FIELD_VALUE);
        this.#keep(bytes, p++);
        state = LINE_LF;
        if (p === stop) break;
      }
      if (bytes[p] !== LF) return this.#fail(p, BAD_LINE_END);
      p++;
      if (state === LAST_LF) {
        this.#state = DONE;
        return p;
      }
      state = LINE_START;
    }
    this.#state = state;
    return p;
  }

  /** Records the line whose value ends before the CR at `end`. */
  #keep(bytes: Uint8Array, end: number): void {
    const start = this.#valueStart;
    while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--;
    const { count } = this;
    if (count === this.ids.length) this.#grow();
    const { offsets } = this;
    const at = count * FIELD_STRIDE;
    offsets[at] = this.#nameStart;
    offsets[at + 1] = this.#nameEnd;
    offsets[at + 2] = start;
    offsets[at + 3] = end;
    this.ids[count] = internName(bytes, this.#nameStart, this.#nameEnd);
    this.count = count + 1;
  }

  #nameError(byte: number, p: number): Http1Error {
    if (byte === LF || byte === CR) return BAD_LINE_END;
    return p === this.#nameStart && (byte === SP || byte === HTAB) ? FOLDED_FIELD : BAD_FIELD_NAME;
  }

  #fail(p: number, error: Http1Error): number {
    this.error = error;
    return p;
  }

  #grow(): void {
    const room = Math.max(8, this.ids.length * 2);
    const offsets = new Int32Array(room * FIELD_STRIDE);
    offsets.set(this.offsets);
    this.offsets = offsets;
    const ids = new Uint8Array(room);
    ids.set(this.ids);
    this.ids = ids;
  }
}
