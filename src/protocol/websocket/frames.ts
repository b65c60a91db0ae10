/**
 * The decoder of a client's frames: bytes in, events out; no IO. RFC 6455 section 5, RFC 7692 section 7.2.2.
 *
 * A pull parser: `feed` a chunk, call `next` until it says NEED_DATA. It stops and goes on at any byte. Payloads are
 * unmasked in the fed chunk, large ones aside. A message that arrived whole, in one frame, is handed out where it lies
 * then; any other is put together in an array that is handed over, or used again where nobody keeps it. Between messages
 * the decoder holds no bytes. What it refuses is final: the caller answers with a close frame (`error.closeCode`,
 * `error.reason`). Behind a close frame nothing is accepted.
 */
import {
  BAD_CLOSE_CODE,
  BAD_CLOSE_PAYLOAD,
  BAD_CLOSE_REASON,
  BAD_COMPRESSION,
  BAD_UTF8,
  CLOSE_NO_CODE,
  CONTROL_BYTES,
  type FrameError,
  isCloseCode,
  MESSAGE_TOO_BIG,
  TOO_MANY_FRAGMENTS,
} from "./codes.ts";
import { INFLATE_CORRUPT, INFLATE_TOO_LARGE, type MessageInflater } from "./deflate.ts";
import { FrameHead } from "./head.ts";
import { COPIED_BYTES, type WebSocketLimits } from "./limits.ts";
import { asideFor, rotateKey, unmask, unmaskAside } from "./mask.ts";
import { giveSpare, takeSpare } from "./spares.ts";
import {
  BETWEEN,
  BINARY_WHOLE,
  CLOSE_FRAME,
  CLOSED,
  FAILED,
  FRAGMENT,
  FRAGMENT_LAST,
  follow,
  IN_TEXT,
  PING_FRAME,
  TEXT_FIRST,
  TEXT_WHOLE,
  VIOLATION,
} from "./states.ts";
import { type TextCodec, UTF8_ACCEPT, UTF8_REJECT, utf8Continue } from "./utf8.ts";
import { WIDE_START } from "./wide.ts";

/** `next()`: the fed chunk is consumed; `feed` the next one. Also for all that follows a close frame. */
export const NEED_DATA = 0;
/** `next()`: a whole text message. */
export const TEXT = 1;
/** `next()`: a whole binary message. */
export const BINARY = 2;
export const PING = 3;
export const PONG = 4;
/** `next()`: the peer's close frame; final. */
export const CLOSE = 5;
/** `next()`: a violation or a limit; final. */
export const ERROR = 6;

/** No event yet: `next` goes on where it has come to. */
const CONTINUE = -1;

/** What `next` does first. */
const AT_HEAD = 0;
const IN_DATA = 1;
const IN_CONTROL = 2;
const OVER = 3;

/**
 * The array of a message in pieces grows to this times what has arrived, and in the message's last frame to no more
 * than is announced.
 */
const GROWTH = 2;
const GROWTH_IN_LAST = 4;
/**
 * By how much the compressed form of the largest message may be larger: an eighth, since the fixed codes of a fast
 * compressor take up to 9 bits a byte, and the ends of blocks.
 */
const EXPANSION_SHARE = 8;
const EXPANSION_BYTES = 64;

const NO_BYTES = new Uint8Array(0);

export interface DecoderOptions {
  readonly limits: WebSocketLimits;
  readonly text: TextCodec;
  /** Texts as strings in `text`; false: as checked UTF-8, as binary messages are handed out. */
  readonly strings: boolean;
  /** Takes arrays of the decoder's own that nobody needs any more. */
  readonly release?: (bytes: Uint8Array) => void;
}

export class FrameDecoder {
  /** What has not been consumed of the fed chunk is `chunk[position, limit)`. */
  chunk: Uint8Array = NO_BYTES;
  position = 0;
  limit = 0;

  /** After TEXT, when the options ask for strings. */
  text = "";
  /** After BINARY, PING, PONG, and TEXT as bytes: the payload is `payload[payloadStart, payloadEnd)`. */
  payload: Uint8Array = NO_BYTES;
  payloadStart = 0;
  payloadEnd = 0;
  /**
   * `payload` is the caller's to keep. Else it is a part of the chunk, or of memory that all decoders or decompressors
   * share: to be copied or used before any decoder goes on.
   */
  payloadOwned = false;
  /** After CLOSE: its code, 1005 when it had none; and its reason. */
  closeCode = 0;
  closeReason = "";
  /** After ERROR: what was wrong. */
  error: FrameError | undefined = undefined;

  readonly #options: DecoderOptions;
  readonly #inflater: MessageInflater | undefined;
  readonly #head: FrameHead;
  #stage = AT_HEAD;
  #state = BETWEEN;
  /** Bytes of the frame's payload that are still to come, and how many have come. */
  #remaining = 0;
  #arrived = 0;
  /** The message in pieces, or a control frame's payload in pieces: `[0, length)`. */
  #message: Uint8Array = NO_BYTES;
  #length = 0;
  /** `#message`, or the payload that has been handed out last, is a spare array. */
  #isSpare = false;
  #lent: Uint8Array | null = null;
  #control: Uint8Array = NO_BYTES;
  #fragments = 0;
  #compressed = false;
  #utf8 = UTF8_ACCEPT;
  /** Nothing but ASCII has come of the message in pieces. */
  #ascii = true;

  /** @param inflater when compression was agreed upon; it is closed by whoever opened it */
  constructor(options: DecoderOptions, inflater?: MessageInflater) {
    this.#options = options;
    this.#inflater = inflater;
    this.#head = new FrameHead(options.limits, inflater !== undefined);
  }

  /** How much of the payload is still to come of a data frame whose head has been read; 0 otherwise. */
  get remaining(): number {
    return this.#stage === IN_DATA ? this.#remaining : 0;
  }

  /** Between messages, and not one byte of a next frame is there. */
  get idle(): boolean {
    return this.#state === BETWEEN && this.#stage === AT_HEAD && !this.#head.begun && this.position === this.limit;
  }

  /**
   * Hands over `chunk[start, end)`, which will be written to; only when `next()` has said NEED_DATA, or at the start.
   * After CLOSE and ERROR it is ignored.
   * @throws Error when bytes of the last chunk are not consumed yet.
   */
  feed(chunk: Uint8Array, start: number, end: number): void {
    if (this.#stage === OVER) return;
    if (this.position !== this.limit) throw new Error("The decoder was fed before it asked for more.");
    this.chunk = chunk;
    this.position = start;
    this.limit = end;
  }

  /** Copies what has not been consumed: the caller is about to write to the chunk again. Between events only. */
  keepInput(): void {
    this.chunk = new Uint8Array(this.chunk.subarray(this.position, this.limit));
    this.limit -= this.position;
    this.position = 0;
  }

  /** Lets go of all bytes; nothing more is accepted. */
  close(): void {
    this.#over();
  }

  /** One event. */
  next(): number {
    if (this.#lent !== null) this.#takeBack();
    for (;;) {
      let event: number;
      switch (this.#stage) {
        case AT_HEAD:
          event = this.#readHead();
          break;
        case IN_DATA:
          event = this.#readData();
          break;
        case IN_CONTROL:
          event = this.#readControl();
          break;
        default:
          return this.#state === FAILED ? ERROR : NEED_DATA;
      }
      if (event !== CONTINUE) return event;
    }
  }

  #readHead(): number {
    const head = this.#head;
    const position = head.read(this.chunk, this.position, this.limit, this.#state);
    this.position = position;
    if (head.error !== undefined) return this.#refuse(head.error);
    if (!head.done) return this.#rest();
    const { kind, length } = head;
    this.#remaining = length;
    this.#arrived = 0;
    if (kind >= PING_FRAME) {
      this.#stage = IN_CONTROL;
      return CONTINUE;
    }
    return kind === FRAGMENT || kind === FRAGMENT_LAST ? this.#goOn(length) : this.#begin(kind, length);
  }

  /** The first frame of a message. */
  #begin(kind: number, length: number): number {
    this.#compressed = this.#head.compressed;
    if (length > this.#messageBytes()) return this.#refuse(MESSAGE_TOO_BIG);
    const { position } = this;
    const end = position + length;
    if (kind !== TEXT_WHOLE && kind !== BINARY_WHOLE) {
      this.#fragments = 1;
    } else if (end <= this.limit) {
      this.position = end;
      const { key } = this.#head;
      const isText = kind === TEXT_WHOLE;
      // A larger binary message stays in the chunk, which may become the application's with it.
      const mayMove = isText || !this.#options.strings || length <= COPIED_BYTES;
      const aside = mayMove ? asideFor(this.chunk, position, length) : null;
      if (aside !== null) {
        const ascii = unmaskAside(this.chunk, position, end, key);
        return this.#finish(aside, WIDE_START, WIDE_START + length, isText, ascii, false);
      }
      const ascii = unmask(this.chunk, position, end, key);
      return this.#finish(this.chunk, position, end, isText, ascii, false);
    }
    this.#length = 0;
    this.#utf8 = UTF8_ACCEPT;
    this.#ascii = true;
    this.#stage = IN_DATA;
    return CONTINUE;
  }

  /** A later frame of a message. */
  #goOn(length: number): number {
    if (++this.#fragments > this.#options.limits.fragments) return this.#refuse(TOO_MANY_FRAGMENTS);
    if (this.#length + length > this.#messageBytes()) return this.#refuse(MESSAGE_TOO_BIG);
    this.#stage = IN_DATA;
    return CONTINUE;
  }

  /** How many bytes of payloads a message may have. */
  #messageBytes(): number {
    const { messageBytes } = this.#options.limits;
    return this.#compressed
      ? messageBytes + Math.floor(messageBytes / EXPANSION_SHARE) + EXPANSION_BYTES
      : messageBytes;
  }

  /** Takes what is there of a frame of a message in pieces. */
  #readData(): number {
    const count = Math.min(this.limit - this.position, this.#remaining);
    if (count === 0 && this.#remaining > 0) return this.#rest();
    let { chunk, position } = this;
    let end = position + count;
    this.position = end;
    const key = rotateKey(this.#head.key, this.#arrived);
    const aside = asideFor(chunk, position, count);
    let ascii: boolean;
    if (aside === null) ascii = unmask(chunk, position, end, key);
    else {
      ascii = unmaskAside(chunk, position, end, key);
      chunk = aside;
      position = WIDE_START;
      end = position + count;
    }
    const { kind } = this.#head;
    const isText = this.#state === IN_TEXT || kind === TEXT_WHOLE || kind === TEXT_FIRST;
    this.#append(chunk, position, end, isText);
    this.#remaining -= count;
    this.#arrived += count;
    if (!ascii) this.#ascii = false;
    if (isText && !this.#compressed && !(ascii && this.#utf8 === UTF8_ACCEPT)) {
      this.#utf8 = utf8Continue(this.#utf8, chunk, position, end, this.#options.text);
      if (this.#utf8 === UTF8_REJECT) return this.#refuse(BAD_UTF8);
    }
    if (this.#remaining > 0) return this.#rest();
    this.#stage = AT_HEAD;
    this.#state = follow(this.#state, kind);
    if (this.#state !== BETWEEN) return CONTINUE;
    const message = this.#message;
    this.#message = NO_BYTES;
    if (this.#isSpare) {
      this.#isSpare = false;
      this.#lent = message;
    }
    return this.#finish(message, 0, this.#length, isText, this.#ascii, true);
  }

  /** A message is complete. @param owned it has been put together, and checked piece by piece */
  #finish(bytes: Uint8Array, start: number, end: number, isText: boolean, ascii: boolean, owned: boolean): number {
    if (this.#compressed) {
      const inflater = this.#inflater as MessageInflater;
      const count = inflater.inflate(bytes, start, end, this.#options.limits.messageBytes);
      if (count === INFLATE_TOO_LARGE) return this.#refuse(MESSAGE_TOO_BIG);
      if (count === INFLATE_CORRUPT) return this.#refuse(BAD_COMPRESSION);
      bytes = inflater.bytes;
      start = 0;
      end = count;
      owned = inflater.owned;
      inflater.forget();
      ascii = false;
    }
    if (isText) {
      const { text: codec, strings } = this.#options;
      if (strings) {
        const text = ascii ? codec.ascii(bytes, start, end) : codec.decode(bytes, start, end);
        if (text === undefined) return this.#refuse(BAD_UTF8);
        if (owned && this.#lent === null) this.#options.release?.(bytes);
        this.text = text;
        return TEXT;
      }
      // A message in pieces has been checked piece by piece, except for its end.
      const checked = owned && !this.#compressed;
      if (checked ? this.#utf8 !== UTF8_ACCEPT : !ascii && !codec.isUtf8(bytes, start, end)) {
        return this.#refuse(BAD_UTF8);
      }
    }
    this.#handOut(bytes, start, end, owned && this.#lent !== bytes);
    return isText ? TEXT : BINARY;
  }

  #readControl(): number {
    const { chunk, position } = this;
    const count = Math.min(this.limit - position, this.#remaining);
    const end = position + count;
    this.position = end;
    const { kind, length } = this.#head;
    if (count === length) {
      unmask(chunk, position, end, this.#head.key);
      return this.#endControl(kind, chunk, position, end, false);
    }
    if (this.#arrived === 0) this.#control = new Uint8Array(CONTROL_BYTES);
    unmask(chunk, position, end, rotateKey(this.#head.key, this.#arrived));
    this.#control.set(chunk.subarray(position, end), this.#arrived);
    this.#arrived += count;
    this.#remaining -= count;
    if (this.#remaining > 0) return this.#rest();
    const control = this.#control;
    this.#control = NO_BYTES;
    return this.#endControl(kind, control, 0, length, true);
  }

  #endControl(kind: number, bytes: Uint8Array, start: number, end: number, owned: boolean): number {
    if (kind === CLOSE_FRAME) return this.#readClose(bytes, start, end);
    this.#stage = AT_HEAD;
    this.#handOut(bytes, start, end, owned);
    return kind === PING_FRAME ? PING : PONG;
  }

  /** RFC 6455 section 5.5.1: nothing, or a code of two bytes and a reason in UTF-8. */
  #readClose(bytes: Uint8Array, start: number, end: number): number {
    this.closeCode = CLOSE_NO_CODE;
    this.closeReason = "";
    if (end === start + 1) return this.#refuse(BAD_CLOSE_PAYLOAD);
    if (end > start) {
      const code = (bytes[start] << 8) | bytes[start + 1];
      if (!isCloseCode(code)) return this.#refuse(BAD_CLOSE_CODE);
      const reason = this.#options.text.decode(bytes, start + 2, end);
      if (reason === undefined) return this.#refuse(BAD_CLOSE_REASON);
      this.closeCode = code;
      this.closeReason = reason;
    }
    this.#over();
    this.#state = CLOSED;
    return CLOSE;
  }

  /** The chunk is used up: neither it nor what was handed out of it is held on to. */
  #rest(): number {
    this.chunk = NO_BYTES;
    this.position = 0;
    this.limit = 0;
    this.payload = NO_BYTES;
    this.text = "";
    return NEED_DATA;
  }

  #handOut(bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    this.payload = bytes;
    this.payloadStart = start;
    this.payloadEnd = end;
    this.payloadOwned = owned;
  }

  /**
   * The array grows with what has arrived, never with what a head alone announces; it stops at the announced end, so
   * that the array of a message in one frame has no bytes to spare.
   */
  #append(chunk: Uint8Array, start: number, end: number, isText: boolean): void {
    const length = this.#length;
    const needed = length + end - start;
    if (needed > this.#message.length) {
      // Nobody keeps the array of a text, nor of what is handed on as bytes.
      const spare = isText || !this.#options.strings ? takeSpare(needed) : null;
      const grown = spare ?? new Uint8Array(this.#sizeFor(needed));
      grown.set(this.#message.subarray(0, length));
      this.#drop();
      this.#message = grown;
      this.#isSpare = spare !== null;
    }
    this.#message.set(chunk.subarray(start, end), length);
    this.#length = needed;
  }

  #sizeFor(needed: number): number {
    const { kind } = this.#head;
    const isLast = kind === TEXT_WHOLE || kind === BINARY_WHOLE || kind === FRAGMENT_LAST;
    return isLast ? Math.min(this.#length + this.#remaining, GROWTH_IN_LAST * needed) : GROWTH * needed;
  }

  /** The array of the message in pieces is not needed any more. */
  #drop(): void {
    if (this.#isSpare) giveSpare(this.#message);
    else this.#options.release?.(this.#message);
    this.#message = NO_BYTES;
    this.#isSpare = false;
  }

  #takeBack(): void {
    giveSpare(this.#lent as Uint8Array);
    this.#lent = null;
  }

  #refuse(error: FrameError): number {
    this.error = error;
    this.#over();
    this.#state = follow(this.#state, VIOLATION);
    return ERROR;
  }

  #over(): void {
    this.#stage = OVER;
    this.#rest();
    this.#drop();
    if (this.#lent !== null) this.#takeBack();
    this.#control = NO_BYTES;
  }
}
