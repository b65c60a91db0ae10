/**
 * The TypeScript half of the wire format between a front and a Python worker. Drawn in docs/bridge.md; wire.py is the
 * other half, and test/python/vectors.json holds both to the same bytes.
 *
 *      0       2       3       4               8              12
 *     +-------+-------+-------+---------------+---------------+---------------+
 *     | length| type  | flags | request id    | generation    | payload ...   |
 *     +-------+-------+-------+---------------+---------------+---------------+
 *
 * Numbers are little-endian; `length` counts the payload's bytes. What comes from a worker is checked here as if it
 * came from anybody.
 */
import { offPage } from "../runtime/off-page.ts";

export const WIRE_VERSION = 1;
export const HEADER_BYTES = 12;
/** So that no record, header included, is longer than 64 KiB. */
export const MOST_PAYLOAD_BYTES = 64 * 1024 - HEADER_BYTES;
/** Body bytes that may be on their way per request and direction (as HTTP/2's windows). */
export const WINDOW_BYTES = 256 * 1024;
/** What CREDIT says to PATHSEND with MORE, which no body follows: the file is open, or, where trailers follow, has been sent. */
export const FILE_OPEN = 1;
/** Credit is given back once this much of a window has been used. */
export const CREDIT_BYTES = WINDOW_BYTES / 4;

// From the front.
export const HELLO = 1;
export const HEAD = 2;
export const BODY = 3;
export const CREDIT = 4;
export const DISCONNECT = 5;
export const REFUSED = 6;
export const PING = 7;
export const DRAIN = 8;
export const WS_CONNECT = 9;
export const WS_MESSAGE = 10;
export const WS_CLOSED = 11;

// From the worker.
export const READY = 32;
export const FAILED = 33;
export const RESPONSE = 34;
export const RESPONSE_BODY = 35;
export const RESPONSE_TRAILERS = 36;
export const EARLY_HINT = 37;
export const PATHSEND = 38;
export const RESPONSE_CREDIT = 39;
export const DONE = 40;
export const BEAT = 41;
export const STOPPED = 42;
export const RETIRING = 43;
export const WS_ACCEPT = 44;
export const WS_SEND = 45;
export const WS_CLOSE = 46;

// Flags.
export const LAST = 1;
export const MORE = 2;
export const ON_DEMAND = 4;
export const TRAILERS = 8;
export const GONE = 16;
export const RAISED = 32;
export const TEXT = 64;
/** Of a RESPONSE only. */
export const ROOM = 128;
/** Never on the wire, of a WS_SEND only: a part of a WS_SEND record, not the last, which is told as it arrives. */
export const PASSED = 128;

/** What stands before fields: status, their count, their bytes; two bytes each. */
export const START_BYTES = 6;
/** Between the fields and the body of a RESPONSE with ROOM: the front writes the head there, and both leave at once. */
export const ROOM_BYTES = 512;
/** What stands before a subprotocol and fields: the length of the one, the count of the others; two bytes each. */
export const ACCEPT_BYTES = 4;
/** token u32, lag in ms u32, processor time in µs u64, requests in flight u32. */
export const BEAT_BYTES = 20;

const UTF8 = new TextDecoder();

/** The worker sent something that no worker sends: it is to be replaced. */
export class WireError extends Error {
  override readonly name = "WireError";
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset);
}

/** A growing buffer that records are written into. */
export class RecordBuffer {
  bytes: Uint8Array;
  length = 0;
  #view: DataView;

  constructor(sizeBytes: number) {
    this.bytes = offPage(sizeBytes);
    this.#view = viewOf(this.bytes);
  }

  /** Makes room for `count` more bytes. */
  ensure(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = offPage(Math.max(2 * this.bytes.length, this.length + count));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
    this.#view = viewOf(larger);
  }

  /** Writes a header over the bytes at `at`. */
  header(at: number, length: number, type: number, flags: number, id: number, generation: number): void {
    const view = this.#view;
    view.setUint16(at, length, true);
    view.setUint8(at + 2, type);
    view.setUint8(at + 3, flags);
    view.setUint32(at + 4, id, true);
    view.setUint32(at + 8, generation, true);
  }

  /** Appends a record of `payload[start, end)`. */
  record(
    type: number,
    flags: number,
    id: number,
    generation: number,
    payload: Uint8Array,
    start = 0,
    end = payload.length,
  ): void {
    const count = end - start;
    this.ensure(HEADER_BYTES + count);
    this.header(this.length, count, type, flags, id, generation);
    const at = this.length + HEADER_BYTES;
    if (count > 0) this.bytes.set(start === 0 && end === payload.length ? payload : payload.subarray(start, end), at);
    this.length = at + count;
  }

  /** Appends a record whose payload is one number of four bytes. */
  number(type: number, flags: number, id: number, generation: number, value: number): void {
    this.ensure(HEADER_BYTES + 4);
    this.header(this.length, 4, type, flags, id, generation);
    this.#view.setUint32(this.length + HEADER_BYTES, value, true);
    this.length += HEADER_BYTES + 4;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.ensure(end - start);
    this.bytes.set(bytes.subarray(start, end), this.length);
    this.length += end - start;
  }
}

/**
 * Takes each record; the payload is `bytes[start, end)` and may be kept, as long as its owner says that it is. The
 * HEADER_BYTES in front of it are nobody's any more, unless it is PASSED. `records` that stand behind one another and
 * are one body or message may be told as one.
 */
export interface RecordTaker {
  /**
   * The header of a record whose payload has not arrived whole: garbage must not be waited for.
   * @throws WireError when no such record can come
   */
  expects(type: number, id: number, generation: number): void;
  took(
    type: number,
    flags: number,
    id: number,
    generation: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    records: number,
  ): void;
}

/** A body record at least this long is passed on as it arrives, in two or more, rather than gathered. */
const PASSED_BYTES = 16 * 1024;
/** Bodies of which one is at least this long are joined when they stand behind one another. */
const JOINED_BYTES = 4 * 1024;

/**
 * Cuts a byte stream into records, copying only what is small. Response bodies are one stream of bytes to everybody:
 * what arrives of a long record is told at once as a record of its own, and neighbours are told as one.
 */
export class RecordReader {
  readonly #taker: RecordTaker;
  /** A record of which a part has arrived; its size is the whole one's once the header is there. */
  #partial: Uint8Array = new Uint8Array(HEADER_BYTES);
  #have = 0;
  #want = HEADER_BYTES;
  /** Bytes still to come of a body that is passed on as it arrives, and what its header said. */
  #passing = 0;
  #type = RESPONSE_BODY;
  #flags = 0;
  #id = 0;
  #generation = 0;

  constructor(taker: RecordTaker) {
    this.#taker = taker;
  }

  /**
   * Writes into `chunk` where it joins bodies.
   * @throws WireError for a record longer than 64 KiB
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    const end = chunk.length;
    if (this.#have > 0) {
      at = this.#finishPartial(chunk);
      if (this.#have > 0) return;
    }
    if (this.#passing > 0) at = this.#pass(chunk, at);
    const taker = this.#taker;
    while (end - at >= HEADER_BYTES) {
      const length = checkedLength(chunk, at);
      const start = at + HEADER_BYTES;
      const stop = start + length;
      if (stop > end) break;
      const type = chunk[at + 2];
      if ((type === RESPONSE || type === RESPONSE_BODY) && end - stop >= HEADER_BYTES) at = this.#join(chunk, at, stop);
      else if (type === WS_SEND && (chunk[at + 3] & MORE) !== 0) at = this.#joinMessage(chunk, at, stop);
      else {
        taker.took(type, chunk[at + 3], u32(chunk, at + 4), u32(chunk, at + 8), chunk, start, stop, 1);
        at = stop;
      }
    }
    if (at < end) this.#keep(chunk, at);
  }

  /** Tells the record at `at` with the bodies behind it that go on where it ends; returns where they all end. */
  #join(chunk: Uint8Array, at: number, stop: number): number {
    const type = chunk[at + 2];
    let flags = chunk[at + 3];
    const id = u32(chunk, at + 4);
    const generation = u32(chunk, at + 8);
    const start = at + HEADER_BYTES;
    let to = stop;
    let from = stop;
    while ((flags & LAST) === 0 && (type !== RESPONSE || (flags & MORE) === 0) && chunk.length - from >= HEADER_BYTES) {
      const length = u16(chunk, from);
      const next = from + HEADER_BYTES;
      if (length > MOST_PAYLOAD_BYTES || next + length > chunk.length || chunk[from + 2] !== RESPONSE_BODY) break;
      if (u32(chunk, from + 4) !== id || u32(chunk, from + 8) !== generation) break;
      if (length < JOINED_BYTES && to - start < JOINED_BYTES) break;
      flags |= chunk[from + 3] & LAST;
      chunk.copyWithin(to, next, next + length);
      to += length;
      from = next + length;
    }
    this.#taker.took(type, flags, id, generation, chunk, start, to, 1);
    return from;
  }

  /** Tells the part of a message at `at` with those behind it; returns where they all end. */
  #joinMessage(chunk: Uint8Array, at: number, stop: number): number {
    let flags = chunk[at + 3];
    const id = u32(chunk, at + 4);
    const generation = u32(chunk, at + 8);
    let to = stop;
    let from = stop;
    let records = 1;
    while ((flags & MORE) !== 0 && chunk.length - from >= HEADER_BYTES) {
      const length = u16(chunk, from);
      const next = from + HEADER_BYTES;
      if (length > MOST_PAYLOAD_BYTES || next + length > chunk.length || chunk[from + 2] !== WS_SEND) break;
      if (u32(chunk, from + 4) !== id || u32(chunk, from + 8) !== generation) break;
      flags = chunk[from + 3];
      chunk.copyWithin(to, next, next + length);
      to += length;
      from = next + length;
      records += 1;
    }
    this.#taker.took(WS_SEND, flags, id, generation, chunk, at + HEADER_BYTES, to, records);
    return from;
  }

  /** Tells what has arrived of a long body, `chunk` from `at` on; returns where it ends. */
  #pass(chunk: Uint8Array, at: number): number {
    const stop = Math.min(chunk.length, at + this.#passing);
    if (stop === at) return at;
    this.#passing -= stop - at;
    const flags = this.#passing === 0 ? this.#flags : passedFlags(this.#type, this.#flags);
    this.#taker.took(this.#type, flags, this.#id, this.#generation, chunk, at, stop, 1);
    return stop;
  }

  #keep(chunk: Uint8Array, at: number): void {
    const count = chunk.length - at;
    this.#want = HEADER_BYTES;
    if (count >= HEADER_BYTES) {
      const length = checkedLength(chunk, at);
      this.#want += length;
      this.#taker.expects(chunk[at + 2], u32(chunk, at + 4), u32(chunk, at + 8));
      if (length >= PASSED_BYTES && this.#begin(chunk, at, length)) return;
    }
    this.#partial = new Uint8Array(this.#want);
    this.#partial.set(chunk.subarray(at));
    this.#have = count;
  }

  /** Begins to pass on the record at `at`, of which `chunk` has the header and a part; false when it can't be. */
  #begin(chunk: Uint8Array, at: number, length: number): boolean {
    const type = chunk[at + 2];
    const flags = chunk[at + 3];
    const start = at + HEADER_BYTES;
    const stop = chunk.length;
    if (type === RESPONSE) {
      const room = flags & ROOM ? ROOM_BYTES : 0;
      const body = start + START_BYTES + room + (stop - start < START_BYTES ? length : u16(chunk, start + 4));
      if ((flags & MORE) !== 0 || body >= stop) return false;
    } else if (type !== RESPONSE_BODY && type !== WS_SEND) return false;
    this.#type = type === RESPONSE ? RESPONSE_BODY : type;
    this.#id = u32(chunk, at + 4);
    this.#generation = u32(chunk, at + 8);
    this.#flags = type === WS_SEND ? flags : flags & LAST;
    this.#passing = length - (stop - start);
    if (stop > start) {
      this.#taker.took(type, passedFlags(type, flags), this.#id, this.#generation, chunk, start, stop, 1);
    }
    return true;
  }

  /** Adds to the begun record; returns how many bytes of the chunk it took. */
  #finishPartial(chunk: Uint8Array): number {
    let at = 0;
    while (this.#have < this.#want) {
      const count = Math.min(this.#want - this.#have, chunk.length - at);
      if (count === 0) return at;
      this.#partial.set(chunk.subarray(at, at + count), this.#have);
      this.#have += count;
      at += count;
      if (this.#have === HEADER_BYTES && this.#want === HEADER_BYTES) {
        const header = this.#partial;
        const length = checkedLength(header, 0);
        this.#want += length;
        this.#taker.expects(header[2], u32(header, 4), u32(header, 8));
        if (length >= PASSED_BYTES && this.#begin(header, 0, length)) {
          this.#have = 0;
          return at;
        }
        const whole = new Uint8Array(this.#want);
        whole.set(header);
        this.#partial = whole;
      }
    }
    const whole = this.#partial;
    this.#have = 0;
    this.#taker.took(whole[2], whole[3], u32(whole, 4), u32(whole, 8), whole, HEADER_BYTES, whole.length, 1);
    return at;
  }
}

/** Of a part that others follow. */
function passedFlags(type: number, flags: number): number {
  return type === WS_SEND ? flags | MORE | PASSED : flags & ~LAST;
}

/** The payload's length, before anything is allocated for it. */
function checkedLength(bytes: Uint8Array, at: number): number {
  const length = u16(bytes, at);
  if (length > MOST_PAYLOAD_BYTES) throw new WireError(`a record of ${length} bytes`);
  return length;
}

export function u16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

export function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Whether `bytes[start, end)` is as many fields as were counted. @throws WireError when not */
export function checkFields(bytes: Uint8Array, start: number, end: number, count: number): void {
  let separators = 0;
  for (let i = start; i < end; i++) if (bytes[i] === 0) separators++;
  if (count === 0 ? start !== end : separators !== 2 * count - 1) {
    throw new WireError("another number of fields than counted");
  }
}

/** Pairs of names and values from `bytes[start, end)`: name NUL value NUL name ... @throws WireError */
export function decodeFields(bytes: Uint8Array, start: number, end: number, count: number): [Uint8Array, Uint8Array][] {
  checkFields(bytes, start, end, count);
  const pairs: [Uint8Array, Uint8Array][] = [];
  let at = start;
  while (pairs.length < count) {
    const nameEnd = bytes.indexOf(0, at);
    const next = pairs.length === count - 1 ? end : bytes.indexOf(0, nameEnd + 1);
    pairs.push([bytes.subarray(at, nameEnd), bytes.subarray(nameEnd + 1, next)]);
    at = next + 1;
  }
  return pairs;
}

/** What a record of JSON says. @throws WireError */
export function messageIn(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new WireError("a message that is no JSON object");
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
