/**
 * The HTTP/1 request parser: bytes in, events out; no IO. RFC 9112, RFC 9110.
 *
 * A pull parser: `feed` a chunk, call `next` until it says NEED_DATA. It stops and goes on at any byte.
 * After an event, the parser's fields say what it found, as offsets.
 */
import type { Http1Error } from "./errors.ts";
import type { Http1Limits } from "./limits.ts";

export type { Http1Error } from "./errors.ts";
export type { Http1Limits } from "./limits.ts";
export { HEADER_NAMES, METHODS } from "./tables.ts";

/** `next()`: the fed chunk is consumed; `feed` the next one. */
export const NEED_DATA = 0;
/** `next()`: a request's head is complete. */
export const HEAD = 1;
/** `next()`: a piece of its content. */
export const BODY = 2;
/** `next()`: the message is complete; its trailers are there. */
export const END = 3;
/** `next()`: a violation or a limit; final. */
export const ERROR = 4;

/** `targetForm` (RFC 9112 section 3.2). */
export const ORIGIN = 0;
export const ABSOLUTE = 1;
export const ASTERISK = 2;
export const AUTHORITY = 3;

const NO_BYTES = new Uint8Array(0);

export class Http1Parser {
  /** What has not been consumed of the fed chunk is `chunk[position, limit)`. */
  chunk: Uint8Array = NO_BYTES;
  position = 0;
  limit = 0;

  /** After HEAD, offsets refer to `head`: the fed chunk itself or, when the head arrived in pieces, a buffer of the parser. */
  head: Uint8Array = NO_BYTES;
  headStart = 0;
  headEnd = 0;
  /** `head` is the parser's own buffer, valid until the next message starts. */
  headOwned = false;
  methodStart = 0;
  methodEnd = 0;
  /** Index into METHODS, -1 for any other method. */
  methodId = -1;
  targetStart = 0;
  targetEnd = 0;
  targetForm = ORIGIN;
  /** Of origin and absolute form; an absolute target without path has `pathStart === pathEnd` and means "/". */
  pathStart = 0;
  pathEnd = 0;
  pathHasPercent = false;
  /** Behind the "?"; equals `queryEnd` when there is none. */
  queryStart = 0;
  queryEnd = 0;
  /** The host in force: the target's authority, else Host's value; -1 when there is neither (HTTP/1.0). */
  authorityStart = -1;
  authorityEnd = -1;
  /** 0 or 1: 1.2 to 1.9 count as 1.1. */
  minor = 1;
  /** Offset of the first field line. */
  fieldsStart = 0;
  fieldCount = 0;
  /** Four per field line: nameStart, nameEnd, valueStart, valueEnd (the value without the white space around it). */
  fields: Int32Array = new Int32Array(0);
  /** Per field line: index into HEADER_NAMES, 0 for any other name. */
  fieldIds: Uint8Array = NO_BYTES;
  /** -1 when there is no Content-Length. */
  contentLength = -1;
  chunked = false;
  keepAlive = true;
  expectContinue = false;
  /** Connection lists `upgrade` and there is an Upgrade field. */
  upgrade = false;
  /** Chunked, or a Content-Length above 0. */
  hasBody = false;

  /** After BODY: the piece is `chunk[bodyStart, bodyEnd)`, never empty. */
  bodyStart = 0;
  bodyEnd = 0;

  /** After END: trailers as `fields`, offsets in `trailer`. */
  trailerCount = 0;
  trailers: Int32Array = new Int32Array(0);
  trailer: Uint8Array = NO_BYTES;

  /** After ERROR. */
  error: Http1Error | undefined = undefined;

  constructor(readonly limits: Http1Limits) {}

  /** Between messages, and not one byte of a next one has been seen (an empty line before it does not count). */
  get idle(): boolean {
    return true;
  }

  /** Makes it ready for a new connection. Buffers are kept. */
  reset(): void {
    this.error = undefined;
  }

  /** Hands over `chunk[start, end)`; only when `next()` has said NEED_DATA, or at the start. */
  feed(chunk: Uint8Array, start: number, end: number): void {
    this.chunk = chunk;
    this.position = start;
    this.limit = end;
  }

  /** One event: NEED_DATA, HEAD, BODY, END or ERROR. */
  next(): number {
    return NEED_DATA;
  }
}
