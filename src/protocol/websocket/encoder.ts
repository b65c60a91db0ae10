/**
 * The encoder of a server's frames, which are never masked: RFC 6455 sections 5.1, 5.2, 5.5; RFC 7692 section 7.2.1.
 * Each message leaves as one frame.
 */
import type { OutBuffer } from "../buffer.ts";
import {
  CONTROL_BYTES,
  FIN,
  isCloseCode,
  LENGTH_16,
  LENGTH_64,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  REASON_BYTES,
  RSV1,
  SHORT_LENGTH,
} from "./codes.ts";
import type { MessageDeflater } from "./deflate.ts";
import type { TextCodec } from "./utf8.ts";

/** The frame stands in the buffer. */
export const DONE = 0;
/** The frame's head stands in the buffer; `rest[restStart, restEnd)` must leave right behind it. */
export const REST = 1;
/** Nothing stands in the buffer that did not before: it must leave first. */
export const NO_ROOM = 2;

/** Two bytes and an extended length of eight. */
export const LONGEST_HEAD_BYTES = 10;
const MEDIUM_HEAD_BYTES = 4;
const SHORT_HEAD_BYTES = 2;
const GREATEST_16 = 0xffff;
const TWO_TO_32 = 0x1_0000_0000;
/** A code unit of a string takes at most this many bytes as UTF-8. */
const WIDEST_UNIT_BYTES = 3;
/** Up to this many code units, a loop over ASCII is faster than a call of the runtime. */
const LOOP_UNITS = 32;

/** Texts up to here are compared with the one before: what is kept is small, and so is what is compared in vain. */
const REPEATED_UNITS = 512;

const NO_BYTES = new Uint8Array(0);
const utf8 = new TextEncoder();
/** Texts on their way to the compressor; longer ones get an array of their own. */
const SCRATCH_BYTES = 48 * 1024;
const scratch = new Uint8Array(SCRATCH_BYTES);
const CLOSE_CODE_BYTES = 2;

function headBytes(length: number): number {
  if (length <= SHORT_LENGTH) return SHORT_HEAD_BYTES;
  return length <= GREATEST_16 ? MEDIUM_HEAD_BYTES : LONGEST_HEAD_BYTES;
}

/** Writes a head and returns the position behind it. */
function writeHead(into: Uint8Array, at: number, first: number, length: number): number {
  into[at] = first;
  if (length <= SHORT_LENGTH) {
    into[at + 1] = length;
    return at + SHORT_HEAD_BYTES;
  }
  if (length <= GREATEST_16) {
    into[at + 1] = LENGTH_16;
    into[at + 2] = length >>> 8;
    into[at + 3] = length;
    return at + MEDIUM_HEAD_BYTES;
  }
  const high = Math.floor(length / TWO_TO_32);
  into[at + 1] = LENGTH_64;
  for (let i = 0; i < 4; i++) {
    into[at + 2 + i] = high >>> (24 - 8 * i);
    into[at + 6 + i] = length >>> (24 - 8 * i);
  }
  return at + LONGEST_HEAD_BYTES;
}

/**
 * Writes the head of an uncompressed message in front of `bytes[start, end)`, where LONGEST_HEAD_BYTES are nobody's.
 * Returns where the frame begins.
 */
export function putHeadAhead(isText: boolean, bytes: Uint8Array, start: number, end: number): number {
  const at = start - headBytes(end - start);
  writeHead(bytes, at, FIN | (isText ? OPCODE_TEXT : OPCODE_BINARY), end - start);
  return at;
}

function putControl(out: OutBuffer, opcode: number, payload: Uint8Array, start: number, end: number): boolean {
  const count = end - start;
  if (count > CONTROL_BYTES) throw new Error("A control frame has at most 125 bytes.");
  if (!out.ensure(SHORT_HEAD_BYTES + count)) return false;
  out.end = writeHead(out.bytes, out.end, FIN | opcode, count);
  out.append(payload, start, end);
  return true;
}

/** Appends a ping with at most 125 bytes. False: no room. */
export function putPing(out: OutBuffer, payload: Uint8Array, start: number, end: number): boolean {
  return putControl(out, OPCODE_PING, payload, start, end);
}

/** Appends the pong for a ping's payload. False: no room. */
export function putPong(out: OutBuffer, payload: Uint8Array, start: number, end: number): boolean {
  return putControl(out, OPCODE_PONG, payload, start, end);
}

/**
 * Appends a close frame. A reason of more than 123 bytes is cut at a character. False: no room.
 * @param code undefined for a close frame without a code, whose reason is dropped
 * @throws Error when the code may not be sent (see `isCloseCode`)
 */
export function putClose(out: OutBuffer, code: number | undefined, reason = ""): boolean {
  if (code === undefined) return putControl(out, OPCODE_CLOSE, NO_BYTES, 0, 0);
  if (!isCloseCode(code)) throw new Error("The code may not be sent in a close frame.");
  const payload = new Uint8Array(CLOSE_CODE_BYTES + REASON_BYTES);
  payload[0] = code >>> 8;
  payload[1] = code;
  const { written } = utf8.encodeInto(reason, payload.subarray(CLOSE_CODE_BYTES));
  return putControl(out, OPCODE_CLOSE, payload, 0, CLOSE_CODE_BYTES + written);
}

/** Encodes the messages of one connection, or of all that share a compressor. */
export class MessageEncoder {
  /** After REST. The array is the application's, or one that nobody else has. */
  rest: Uint8Array = NO_BYTES;
  restStart = 0;
  restEnd = 0;

  readonly #text: TextCodec;
  readonly #deflater: MessageDeflater | undefined;
  readonly #thresholdBytes: number;
  #lastText = "";
  #lastFrame: Uint8Array | null = null;

  /** @param thresholdBytes messages of fewer bytes are not compressed; texts are judged by their code units */
  constructor(text: TextCodec, deflater?: MessageDeflater, thresholdBytes = 0) {
    this.#text = text;
    this.#deflater = deflater;
    // An empty message would leave the compressor nothing to say.
    this.#thresholdBytes = Math.max(1, thresholdBytes);
  }

  /** Whether a message of so many bytes is to be compressed. */
  compresses(count: number): boolean {
    return this.#deflater !== undefined && count >= this.#thresholdBytes;
  }

  /** Encodes a text message: DONE, REST or NO_ROOM. Lone surrogates become U+FFFD. */
  putText(out: OutBuffer, text: string): number {
    const units = text.length;
    if (this.#deflater !== undefined && units >= this.#thresholdBytes) {
      if (WIDEST_UNIT_BYTES * units <= SCRATCH_BYTES) return this.#putShortText(out, text, this.#deflater);
      const bytes = utf8.encode(text);
      return this.#putCompressed(out, OPCODE_TEXT, bytes, 0, bytes.length);
    }
    if (out.ensure(LONGEST_HEAD_BYTES + WIDEST_UNIT_BYTES * units)) {
      if (units > LOOP_UNITS && units <= REPEATED_UNITS) this.#putRepeated(out, text, units);
      else this.#writeText(out, text, units);
      return DONE;
    }
    const bytes = utf8.encode(text);
    return this.#putPlain(out, OPCODE_TEXT, bytes, 0, bytes.length);
  }

  /** Encodes a text message that is UTF-8 already, as the caller knows. */
  putUtf8(out: OutBuffer, bytes: Uint8Array, start: number, end: number): number {
    return this.#putMessage(out, OPCODE_TEXT, bytes, start, end);
  }

  putBinary(out: OutBuffer, bytes: Uint8Array, start: number, end: number): number {
    return this.#putMessage(out, OPCODE_BINARY, bytes, start, end);
  }

  /**
   * Compresses a text that the scratch array holds. One that many connections get, one after the other, is compressed
   * for the first two: its frame is kept then. Texts never change; the arrays of binary messages may.
   */
  #putShortText(out: OutBuffer, text: string, deflater: MessageDeflater): number {
    const isAgain = text === this.#lastText && !deflater.contextTakeover;
    const frame = isAgain ? this.#lastFrame : null;
    if (frame !== null) {
      if (!out.ensure(frame.length)) return NO_ROOM;
      out.append(frame, 0, frame.length);
      return DONE;
    }
    const before = out.end - out.start;
    const result = this.#putCompressed(out, OPCODE_TEXT, scratch, 0, this.#text.write(text, scratch, 0));
    // What does not shrink leaves as it is; the scratch array is the next text's.
    if (result === REST && this.rest === scratch) this.rest = scratch.slice(0, this.restEnd);
    // A compressor that remembers is one connection's, and must see each message.
    if (deflater.contextTakeover) return result;
    this.#lastText = text;
    const count = out.end - out.start - before;
    this.#lastFrame = isAgain && result === DONE ? out.bytes.slice(out.end - count, out.end) : null;
    return result;
  }

  /** A text that many connections get, one after the other, is encoded for the first two; the others get their frame. */
  #putRepeated(out: OutBuffer, text: string, units: number): void {
    const isAgain = text === this.#lastText;
    const frame = isAgain ? this.#lastFrame : null;
    if (frame !== null) {
      out.append(frame, 0, frame.length);
      return;
    }
    const { end } = out;
    this.#writeText(out, text, units);
    this.#lastText = text;
    this.#lastFrame = isAgain ? out.bytes.slice(end, out.end) : null;
  }

  /** The payload is written where it belongs if its length has as many digits as its units let expect; else it moves. */
  #writeText(out: OutBuffer, text: string, units: number): void {
    const { bytes, end } = out;
    const start = end + headBytes(units);
    const stop = this.#writePayload(bytes, start, text, units);
    const count = stop - start;
    const head = headBytes(count);
    if (end + head !== start) bytes.copyWithin(end + head, start, stop);
    out.end = writeHead(bytes, end, FIN | OPCODE_TEXT, count) + count;
  }

  #writePayload(bytes: Uint8Array, at: number, text: string, units: number): number {
    if (units > LOOP_UNITS) return this.#text.write(text, bytes, at);
    for (let i = 0; i < units; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 127) return this.#text.write(text, bytes, at);
      bytes[at + i] = unit;
    }
    return at + units;
  }

  #putMessage(out: OutBuffer, opcode: number, bytes: Uint8Array, start: number, end: number): number {
    if (this.#deflater === undefined || end - start < this.#thresholdBytes) {
      return this.#putPlain(out, opcode, bytes, start, end);
    }
    return this.#putCompressed(out, opcode, bytes, start, end);
  }

  #putCompressed(out: OutBuffer, opcode: number, bytes: Uint8Array, start: number, end: number): number {
    const deflater = this.#deflater as MessageDeflater;
    // With context takeover what was compressed must be sent: so the buffer must take a head before.
    if (!out.ensure(LONGEST_HEAD_BYTES)) return NO_ROOM;
    const count = deflater.deflate(bytes, start, end);
    const { bytes: made, owned } = deflater;
    deflater.forget();
    if (count >= end - start && !deflater.contextTakeover) return this.#putPlain(out, opcode, bytes, start, end);
    const first = FIN | RSV1 | opcode;
    if (out.ensure(LONGEST_HEAD_BYTES + count)) return this.#putFrame(out, first, made, 0, count);
    out.end = writeHead(out.bytes, out.end, first, count);
    return this.#follow(owned ? made : made.slice(0, count), 0, count);
  }

  #putPlain(out: OutBuffer, opcode: number, bytes: Uint8Array, start: number, end: number): number {
    const count = end - start;
    if (out.ensure(LONGEST_HEAD_BYTES + count)) return this.#putFrame(out, FIN | opcode, bytes, start, end);
    if (!out.ensure(LONGEST_HEAD_BYTES)) return NO_ROOM;
    out.end = writeHead(out.bytes, out.end, FIN | opcode, count);
    return this.#follow(bytes, start, end);
  }

  #putFrame(out: OutBuffer, first: number, bytes: Uint8Array, start: number, end: number): number {
    out.end = writeHead(out.bytes, out.end, first, end - start);
    out.append(bytes, start, end);
    return DONE;
  }

  #follow(bytes: Uint8Array, start: number, end: number): number {
    this.rest = bytes;
    this.restStart = start;
    this.restEnd = end;
    return REST;
  }
}
