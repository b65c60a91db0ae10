/**
 * The HTTP/1 request parser: bytes in, events out; no IO. RFC 9112, RFC 9110.
 *
 * A pull parser: `feed` a chunk, call `next` until it says NEED_DATA. It stops and goes on at any byte, looks again at
 * no more than the last, incomplete line of a chunk, and allocates nothing in the ordinary case. After an event, the
 * parser's fields say what it found, as offsets. What it refuses is final: the caller answers with `error.status` and
 * closes.
 */
import { ChunkLine } from "./chunked.ts";
import {
  BAD_CHUNK_END,
  BAD_LINE_END,
  EXTRA_EMPTY_LINE,
  FORBIDDEN_TRAILER,
  type Http1Error,
  TOO_MANY_TRAILERS,
  TRAILERS_TOO_LARGE,
} from "./errors.ts";
import { FieldSection } from "./fields.ts";
import { readFraming } from "./framing.ts";
import { RequestHead } from "./head.ts";
import { type Http1Limits, POSITION_MAX } from "./limits.ts";
import { Spill } from "./spill.ts";
import { PHASES, STEPS, step } from "./states.ts";
import { TRAILER_FORBIDDEN } from "./tables.ts";

export type { Http1Error } from "./errors.ts";
export { ABSOLUTE, ASTERISK, AUTHORITY, ORIGIN } from "./head.ts";
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

const { IDLE, PRIMED, EMPTY_LINE, IN_HEAD, SIZED_BODY, TRAILERS, COMPLETE, FAILED } = PHASES;
const { CHUNK_SIZE, CHUNK_DATA, CHUNK_CR, CHUNK_LF } = PHASES;
const { SAW_CR, SAW_LF, SAW_REQUEST, LENGTH_REACHED, END_REPORTED, VIOLATION } = STEPS;
const { HEAD_WITHOUT_CONTENT, HEAD_WITH_LENGTH, HEAD_CHUNKED } = STEPS;
const { SAW_CHUNK_SIZE, SAW_LAST_CHUNK, TRAILERS_READ } = STEPS;

/** No event yet: `next` goes on in the phase that has been reached. */
const CONTINUE = -1;
/**
 * Where a head or a trailer section arrives in pieces, this much is copied at a time: what follows it in the same chunk
 * is not dragged along.
 */
const SPILL_STEP_BYTES = 1024;
/** The empty line behind the trailers, which their limit does not count. */
const LAST_LINE_BYTES = 2;
const LF = 0x0a;
const CR = 0x0d;
const NO_BYTES = new Uint8Array(0);

export class Http1Parser extends RequestHead {
  /** What has not been consumed of the fed chunk is `chunk[position, limit)`. */
  chunk: Uint8Array = NO_BYTES;
  position = 0;
  limit = 0;
  /** The fed chunk stays as it is: what has been found in it may be referred to. */
  inputKept = true;

  /** After BODY: the piece is `chunk[bodyStart, bodyEnd)`, never empty. */
  bodyStart = 0;
  bodyEnd = 0;

  /** After END: trailers as `fields`, offsets in `trailer`; both valid until the next message starts. */
  trailerCount = 0;
  trailers: Int32Array;
  /** Per trailer: index into HEADER_NAMES, 0 for any other name. */
  trailerIds: Uint8Array;
  trailer: Uint8Array = NO_BYTES;

  #phase: number = IDLE;
  /** Bytes of the content, or of its current chunk, that are still to come. */
  #remaining = 0;
  #trailerStart = 0;
  #trailerOwned = false;
  readonly #headSpill = new Spill();
  readonly #trailerSpill = new Spill();
  readonly #chunkLine: ChunkLine;
  readonly #trailerSection: FieldSection;

  constructor(limits: Http1Limits) {
    super(limits);
    this.#chunkLine = new ChunkLine(limits);
    this.#trailerSection = new FieldSection(limits.trailerCount, TOO_MANY_TRAILERS, 0);
    this.trailers = this.#trailerSection.offsets;
    this.trailerIds = this.#trailerSection.ids;
  }

  /** Between messages, and not one byte of a next one is there (an empty line before it, when whole, does not count). */
  get idle(): boolean {
    return (this.#phase === IDLE || this.#phase === PRIMED) && this.position === this.limit;
  }

  /** Makes it ready for a new connection. Buffers are kept; nothing refers to the old connection's chunks any more. */
  reset(): void {
    this.chunk = NO_BYTES;
    this.head = NO_BYTES;
    this.trailer = NO_BYTES;
    this.position = 0;
    this.limit = 0;
    this.trailerCount = 0;
    this.error = undefined;
    this.#phase = IDLE;
    this.#headSpill.shrink();
    this.#trailerSpill.shrink();
  }

  /**
   * Hands over `chunk[start, end)`; only when `next()` has said NEED_DATA, or at the start. After ERROR it is ignored.
   * @param kept the chunk is never written to again; otherwise call `keepInput` before it is
   * @throws Error when bytes of the last chunk are not consumed yet, or `end` is beyond POSITION_MAX.
   */
  feed(chunk: Uint8Array, start: number, end: number, kept = true): void {
    if (this.#phase === FAILED) return;
    if (this.position !== this.limit) throw new Error("The parser was fed before it asked for more.");
    if (end > POSITION_MAX) throw new Error("The parser takes chunks of less than 1 GiB.");
    this.chunk = chunk;
    this.inputKept = kept;
    this.position = start;
    this.limit = end;
  }

  /**
   * Copies what has not been consumed, unless the chunk is kept: the caller is about to write to it again.
   * Legal between events only; a head, a piece or trailers just reported must have been used.
   */
  keepInput(): void {
    if (this.inputKept || this.position === this.limit) return;
    this.inputKept = true;
    this.chunk = this.chunk.slice(this.position, this.limit);
    this.limit -= this.position;
    this.position = 0;
  }

  /** One event: NEED_DATA, HEAD, BODY, END or ERROR. Behind END it goes on with the next message of the same chunk. */
  next(): number {
    for (;;) {
      let event: number;
      switch (this.#phase) {
        case COMPLETE:
          this.#phase = step(COMPLETE, END_REPORTED);
          return END;
        case FAILED:
          return ERROR;
        case IN_HEAD:
          event = this.#readHead();
          break;
        case SIZED_BODY:
        case CHUNK_DATA:
          event = this.#readContent();
          break;
        case TRAILERS:
          event = this.#readTrailers();
          break;
        default:
          if (this.position === this.limit) return NEED_DATA;
          event = this.#phase === CHUNK_SIZE ? this.#readChunkSize() : this.#readMark(this.chunk[this.position]);
      }
      if (event !== CONTINUE) return event;
    }
  }

  /** Phases of which each byte is a step: before a request and behind a chunk. */
  #readMark(byte: number): number {
    const phase = this.#phase;
    const crExpected = phase === CHUNK_CR;
    const lfExpected = phase === EMPTY_LINE || phase === CHUNK_LF;
    if (lfExpected || crExpected) {
      if (byte !== (lfExpected ? LF : CR)) return this.#refuse(phase === EMPTY_LINE ? BAD_LINE_END : BAD_CHUNK_END);
      if (phase === CHUNK_LF) this.#chunkLine.beginNext();
      this.#phase = step(phase, lfExpected ? SAW_LF : SAW_CR);
      this.position++;
      return CONTINUE;
    }
    if (byte === LF) return this.#refuse(BAD_LINE_END);
    if (byte === CR) {
      if (phase === PRIMED) return this.#refuse(EXTRA_EMPTY_LINE);
      this.#phase = step(phase, SAW_CR);
      this.position++;
      return CONTINUE;
    }
    this.#phase = step(phase, SAW_REQUEST);
    this.trailerCount = 0;
    this.beginHead(this.position);
    return CONTINUE;
  }

  #readHead(): number {
    if (this.headOwned) return this.#readHeadInPieces();
    const { chunk, limit } = this;
    const p = this.scanHead(chunk, this.position, limit);
    this.position = p;
    if (this.error !== undefined) return this.#refuse(this.error);
    if (this.section.done) return this.#endHead(chunk, p);
    this.#headSpill.clear();
    this.#headSpill.append(chunk, this.headStart, limit);
    this.moveHead();
    return NEED_DATA;
  }

  #readHeadInPieces(): number {
    const spill = this.#headSpill;
    while (this.position < this.limit) {
      const before = spill.length;
      const room = this.limits.headBytes - before;
      spill.append(this.chunk, this.position, Math.min(this.limit, this.position + Math.min(SPILL_STEP_BYTES, room)));
      const p = this.scanHead(spill.bytes, before, spill.length);
      this.position += p - before;
      if (this.error !== undefined) return this.#refuse(this.error);
      if (this.section.done) return this.#endHead(spill.bytes, p);
    }
    return NEED_DATA;
  }

  #endHead(bytes: Uint8Array, end: number): number {
    const { section } = this;
    this.head = bytes;
    this.headEnd = end;
    this.fieldCount = section.count;
    this.fields = section.offsets;
    this.fieldIds = section.ids;
    const error = readFraming(this, bytes);
    if (error !== undefined) return this.#refuse(error);
    if (this.chunked) {
      this.#chunkLine.beginBody();
      this.#phase = step(IN_HEAD, HEAD_CHUNKED);
    } else if (this.hasBody) {
      this.#remaining = this.contentLength;
      this.#phase = step(IN_HEAD, HEAD_WITH_LENGTH);
    } else {
      this.#phase = step(IN_HEAD, HEAD_WITHOUT_CONTENT);
    }
    return HEAD;
  }

  /** A piece of content: as much as there is, up to the content's or the chunk's end. */
  #readContent(): number {
    const available = this.limit - this.position;
    if (available === 0) return NEED_DATA;
    // What remains may be more than the engines keep as an integer. A position that follows from that would be a
    // floating-point number to them, and so would all positions be from then on, those of small requests too.
    const count = Math.min(available, this.#remaining) | 0;
    this.bodyStart = this.position;
    this.bodyEnd = this.position + count;
    this.position = this.bodyEnd;
    this.#remaining -= count;
    if (this.#remaining === 0) this.#phase = step(this.#phase, LENGTH_REACHED);
    return BODY;
  }

  #readChunkSize(): number {
    const line = this.#chunkLine;
    this.position = line.scan(this.chunk, this.position, this.limit);
    if (line.error !== undefined) return this.#refuse(line.error);
    if (!line.done) return NEED_DATA;
    this.#remaining = line.size;
    if (line.size > 0) {
      this.#phase = step(CHUNK_SIZE, SAW_CHUNK_SIZE);
    } else {
      this.#phase = step(CHUNK_SIZE, SAW_LAST_CHUNK);
      this.#trailerSection.clear();
      this.#trailerStart = this.position;
      this.#trailerOwned = false;
    }
    return CONTINUE;
  }

  #readTrailers(): number {
    if (this.#trailerOwned) return this.#readTrailersInPieces();
    const { chunk, limit } = this;
    // The section may begin with the next chunk.
    if (this.#trailerStart === limit) {
      this.#trailerOwned = true;
      this.#trailerStart = 0;
      this.#trailerSpill.clear();
      return NEED_DATA;
    }
    const p = this.#scanTrailers(chunk, this.position, limit);
    this.position = p;
    if (this.error !== undefined) return this.#refuse(this.error);
    if (this.#trailerSection.done) return this.#endTrailers(chunk);
    this.#trailerSpill.clear();
    this.#trailerSpill.append(chunk, this.#trailerStart, limit);
    this.#trailerSection.rebase(this.#trailerStart);
    this.#trailerStart = 0;
    this.#trailerOwned = true;
    return NEED_DATA;
  }

  #readTrailersInPieces(): number {
    const spill = this.#trailerSpill;
    while (this.position < this.limit) {
      const before = spill.length;
      const room = this.limits.trailerBytes + LAST_LINE_BYTES - before;
      spill.append(this.chunk, this.position, Math.min(this.limit, this.position + Math.min(SPILL_STEP_BYTES, room)));
      const p = this.#scanTrailers(spill.bytes, before, spill.length);
      this.position += p - before;
      if (this.error !== undefined) return this.#refuse(this.error);
      if (this.#trailerSection.done) return this.#endTrailers(spill.bytes);
    }
    return NEED_DATA;
  }

  #scanTrailers(bytes: Uint8Array, from: number, end: number): number {
    const section = this.#trailerSection;
    const room = this.#trailerStart + this.limits.trailerBytes + LAST_LINE_BYTES;
    const p = section.scan(bytes, from, Math.min(end, room));
    this.error = section.error;
    if (p === room && !section.done && this.error === undefined) this.error = TRAILERS_TOO_LARGE;
    return p;
  }

  #endTrailers(bytes: Uint8Array): number {
    const section = this.#trailerSection;
    for (let i = 0; i < section.count; i++) {
      if (TRAILER_FORBIDDEN[section.ids[i]] === 1) return this.#refuse(FORBIDDEN_TRAILER);
    }
    this.trailer = bytes;
    this.trailerCount = section.count;
    this.trailers = section.offsets;
    this.trailerIds = section.ids;
    this.#phase = step(TRAILERS, TRAILERS_READ);
    return END;
  }

  #refuse(error: Http1Error): number {
    this.error = error;
    this.#phase = step(this.#phase, VIOLATION);
    return ERROR;
  }
}
