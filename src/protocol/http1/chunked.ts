/**
 * The line before each chunk: `chunk-size [ chunk-ext ] CRLF`, RFC 9112 section 7.1 and 7.1.1.
 * Extensions must follow the grammar, and are bounded and ignored.
 */
import {
  BAD_CHUNK_EXTENSION,
  BAD_CHUNK_SIZE,
  BAD_LINE_END,
  BODY_TOO_LARGE,
  CHUNK_EXTENSION_TOO_LARGE,
  type Http1Error,
} from "./errors.ts";
import type { Http1Limits } from "./limits.ts";
import { CLASS, HEX, TOKEN, VALUE } from "./tables.ts";

/** Digits of a chunk size: more than 2^53 needs, so that zeros in front of a size are bounded too. */
export const CHUNK_SIZE_DIGITS = 16;

/** So many make a number that the engines keep as an integer; chunks of 256 MB and more are rare. */
const PLAIN_DIGITS = 7;

const LF = 0x0a;
const CR = 0x0d;

/** Before the first digit, and within the digits. */
const START = 0;
const SIZE = 1;
const CR_SEEN = 10;
const DONE = 11;
const WRONG = 15;

/**
 * The line's automaton: a row for each state, a column for each class of byte, the next state in hexadecimal.
 * "." is no step: a violation. White space is legal only around ";" and "=" (BWS).
 *
 * Columns: x hex digit, t other tchar, ";", "=", quote, backslash, w white space, q other text, r CR, n LF.
 */
const ROWS: readonly (readonly [name: string, steps: string])[] = [
  //                   xt;="\wqrn
  ["START", /*      */ "1........."],
  ["SIZE", /*       */ "1.3...2.a."],
  ["BEFORE_SEMI", /**/ "..3...2..."],
  ["AFTER_SEMI", /* */ "44....3..."],
  ["NAME", /*       */ "4436..5.a."],
  ["AFTER_NAME", /* */ "..36..5..."],
  ["AFTER_EQUALS", /**/ "77..8.6..."],
  ["TOKEN_VALUE", /**/ "773...2.a."],
  ["QUOTED", /*     */ "8888c988.."],
  ["ESCAPED", /*    */ "88888888.."],
  ["CR_SEEN", /*    */ ".........b"],
  ["DONE", /*       */ ".........."],
  ["QUOTE_CLOSED", /**/ "..3...2.a."],
];
const COLUMNS = 16;

const steps = new Uint8Array(ROWS.length * COLUMNS).fill(WRONG);
ROWS.forEach(([, row], state) => {
  for (let column = 0; column < row.length; column++) {
    if (row[column] !== ".") steps[state * COLUMNS + column] = Number.parseInt(row[column], 16);
  }
});

const SPECIAL = ';="\\';
const COLUMN_HEX = 0;
const COLUMN_TOKEN = 1;
const COLUMN_SPECIAL = 2;
const COLUMN_SPACE = 6;
const COLUMN_TEXT = 7;
const COLUMN_CR = 8;
const COLUMN_LF = 9;
const COLUMN_NONE = 10;

/** Column of each byte. */
const columns = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x0d) return COLUMN_CR;
  if (byte === 0x0a) return COLUMN_LF;
  if (byte === 0x20 || byte === 0x09) return COLUMN_SPACE;
  const special = SPECIAL.indexOf(String.fromCharCode(byte));
  if (special >= 0) return COLUMN_SPECIAL + special;
  if ((CLASS[byte] & HEX) !== 0) return COLUMN_HEX;
  if ((CLASS[byte] & TOKEN) !== 0) return COLUMN_TOKEN;
  return (CLASS[byte] & VALUE) !== 0 ? COLUMN_TEXT : COLUMN_NONE;
});

/** Reads chunk-size lines and keeps count of what they announce. */
export class ChunkLine {
  /** The chunk's size, when `done`. */
  size = 0;
  error: Http1Error | undefined = undefined;
  readonly #limits: Http1Limits;
  #state = START;
  #digits = 0;
  #extensionBytes = 0;
  #extensionTotal = 0;
  /** Content that the body limit still allows. */
  #allowed = 0;

  constructor(limits: Http1Limits) {
    this.#limits = limits;
  }

  get done(): boolean {
    return this.#state === DONE;
  }

  /** A chunked body begins. */
  beginBody(): void {
    this.error = undefined;
    this.#extensionTotal = 0;
    this.#allowed = this.#limits.bodyBytes > 0 ? this.#limits.bodyBytes : Number.MAX_SAFE_INTEGER;
    this.#beginLine();
  }

  /** The chunk's line is read: the next one may follow. */
  beginNext(): void {
    this.#allowed -= this.size;
    this.#beginLine();
  }

  /** Scans `bytes[from, end)`. Returns the position it came to: behind the line when `done`, at a bad byte when `error`. */
  scan(bytes: Uint8Array, from: number, end: number): number {
    if (this.#state === START) {
      const behind = this.#takePlainLine(bytes, from, end);
      if (behind > from) return behind;
    }
    for (let p = from; p < end; p++) {
      const byte = bytes[p];
      const state = this.#state;
      const next = steps[state * COLUMNS + columns[byte]];
      if (next === WRONG) return this.#fail(p, violation(state, byte));
      this.#state = next;
      if (next === SIZE) {
        const error = this.#addDigit(byte);
        if (error !== undefined) return this.#fail(p, error);
      } else if (next === DONE) {
        return p + 1;
      } else if (next !== CR_SEEN && !this.#countExtension()) {
        return this.#fail(p, CHUNK_EXTENSION_TOO_LARGE);
      }
    }
    return end;
  }

  /** A whole line of a few digits, the usual case, in one go. Returns `from`, with nothing changed, for any other. */
  #takePlainLine(bytes: Uint8Array, from: number, end: number): number {
    let p = from;
    let size = 0;
    for (const last = Math.min(end, from + PLAIN_DIGITS); p < last && columns[bytes[p]] === COLUMN_HEX; p++) {
      size = size * 16 + digitValue(bytes[p]);
    }
    if (p === from || p + 1 >= end || bytes[p] !== CR || bytes[p + 1] !== LF || size > this.#allowed) return from;
    this.size = size;
    this.#state = DONE;
    return p + 2;
  }

  #beginLine(): void {
    this.#state = START;
    this.size = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
  }

  #addDigit(byte: number): Http1Error | undefined {
    if (++this.#digits > CHUNK_SIZE_DIGITS) return BAD_CHUNK_SIZE;
    this.size = this.size * 16 + digitValue(byte);
    if (this.size > Number.MAX_SAFE_INTEGER) return BAD_CHUNK_SIZE;
    return this.size > this.#allowed ? BODY_TOO_LARGE : undefined;
  }

  #countExtension(): boolean {
    this.#extensionTotal++;
    return (
      ++this.#extensionBytes <= this.#limits.chunkExtensionBytes &&
      this.#extensionTotal <= this.#limits.chunkExtensionTotalBytes
    );
  }

  #fail(p: number, error: Http1Error): number {
    this.error = error;
    return p;
  }
}

/** Of a hex digit. */
function digitValue(byte: number): number {
  return byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
}

function violation(state: number, byte: number): Http1Error {
  if (state === CR_SEEN || byte === 0x0a || byte === 0x0d) return state <= START ? BAD_CHUNK_SIZE : BAD_LINE_END;
  return state <= SIZE ? BAD_CHUNK_SIZE : BAD_CHUNK_EXTENSION;
}
