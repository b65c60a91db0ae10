/** The head of a frame: RFC 6455 section 5.2. Checked byte by byte, so that the first wrong one is refused at once. */
import {
  BAD_LENGTH,
  BAD_RSV1,
  CONTROL_BYTES,
  FIN,
  FRAGMENTED_CONTROL,
  FRAME_TOO_BIG,
  type FrameError,
  LENGTH_16,
  LENGTH_NOT_MINIMAL,
  LONG_CONTROL,
  MASK,
  MESSAGE_OPEN,
  NOT_MASKED,
  NOTHING_TO_CONTINUE,
  OPCODE_CLOSE,
  OPCODE_PONG,
  RESERVED_BIT,
  RESERVED_OPCODE,
  RSV_UNUSED,
  RSV1,
} from "./codes.ts";
import type { WebSocketLimits } from "./limits.ts";
import { maskingKey } from "./mask.ts";
import { FRAGMENT, FRAGMENT_LAST, follow, ILLEGAL, KIND_OF, PING_FRAME } from "./states.ts";

/** Two bytes, an extended length of eight, a masking key. */
const LONGEST_BYTES = 14;
const KEY_BYTES = 4;
const OPCODE = 0x0f;
/** A 64-bit length must exceed this (section 5.2: the minimal number of bytes). */
const GREATEST_16 = 0xffff;
const MOST_INT32 = 0x7fffffff;
const TWO_TO_32 = 0x1_0000_0000;
const SIGN_32 = 0x8000_0000;

const NO_BYTES = new Uint8Array(0);

export class FrameHead {
  /** The head is complete; the facts below are those of its frame. */
  done = false;
  kind = 0;
  /** RSV1: the message that begins here is compressed (RFC 7692 section 6). */
  compressed = false;
  length = 0;
  key = 0;
  error: FrameError | undefined = undefined;

  readonly #limits: WebSocketLimits;
  readonly #compression: boolean;
  /** A head that arrives in pieces. */
  #held: Uint8Array = NO_BYTES;
  #heldLength = 0;

  constructor(limits: WebSocketLimits, compression: boolean) {
    this.#limits = limits;
    this.#compression = compression;
  }

  /** Some bytes of a head have arrived, but not all. */
  get begun(): boolean {
    return this.#heldLength > 0;
  }

  /** Reads on from `chunk[position, limit)`, where the decoder is in `state`. Returns the position it came to. */
  read(chunk: Uint8Array, position: number, limit: number, state: number): number {
    this.done = false;
    if (this.#heldLength === 0) {
      const length = this.#parse(chunk, position, limit - position, state);
      if (length > 0 || this.error !== undefined || position === limit) return position + length;
      if (this.#held.length === 0) this.#held = new Uint8Array(LONGEST_BYTES);
    }
    while (position < limit) {
      this.#held[this.#heldLength++] = chunk[position++];
      if (this.#parse(this.#held, 0, this.#heldLength, state) > 0) {
        this.#heldLength = 0;
        this.#held = NO_BYTES;
        return position;
      }
      if (this.error !== undefined) return position;
    }
    return position;
  }

  /** Returns the length of the head at `bytes[at, at + available)`; 0 when it is wrong or not complete. */
  #parse(bytes: Uint8Array, at: number, available: number, state: number): number {
    if (available < 1) return 0;
    const first = bytes[at];
    if ((first & RSV_UNUSED) !== 0) return this.#refuse(RESERVED_BIT);
    const kind = KIND_OF[first & ~RSV1];
    const compressed = (first & RSV1) !== 0;
    if (kind === ILLEGAL) return this.#refuse(illegalOpcode(first));
    if (compressed && (!this.#compression || kind >= FRAGMENT)) return this.#refuse(BAD_RSV1);
    if (follow(state, kind) === ILLEGAL) {
      return this.#refuse(kind === FRAGMENT || kind === FRAGMENT_LAST ? NOTHING_TO_CONTINUE : MESSAGE_OPEN);
    }
    if (available < 2) return 0;
    const second = bytes[at + 1];
    if ((second & MASK) === 0) return this.#refuse(NOT_MASKED);
    let length = second & ~MASK;
    if (kind >= PING_FRAME && length > CONTROL_BYTES) return this.#refuse(LONG_CONTROL);
    let headLength = 2;
    if (length >= LENGTH_16) {
      headLength = length === LENGTH_16 ? 4 : 10;
      if (available < headLength) return 0;
      length = length === LENGTH_16 ? this.#length16(bytes, at + 2) : this.#length64(bytes, at + 2);
      if (this.error !== undefined) return 0;
    }
    if (length > this.#limits.frameBytes) return this.#refuse(FRAME_TOO_BIG);
    if (available < headLength + KEY_BYTES) return 0;
    this.kind = kind;
    this.compressed = compressed;
    this.length = length;
    this.key = maskingKey(bytes, at + headLength);
    this.done = true;
    return headLength + KEY_BYTES;
  }

  #length16(bytes: Uint8Array, at: number): number {
    const length = (bytes[at] << 8) | bytes[at + 1];
    return length < LENGTH_16 ? this.#refuse(LENGTH_NOT_MINIMAL) : length;
  }

  #length64(bytes: Uint8Array, at: number): number {
    const high = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
    const low = ((bytes[at + 4] << 24) | (bytes[at + 5] << 16) | (bytes[at + 6] << 8) | bytes[at + 7]) >>> 0;
    if (high >= SIGN_32) return this.#refuse(BAD_LENGTH);
    // A product with 2^32 is a floating-point number to the engines, and so would all positions be that follow from it, in
    // loops over bytes too: those of small frames took twice as long once a frame of 64 KB had come.
    // Above 2^53 this is not exact, and far above every limit.
    const length = high === 0 && low <= MOST_INT32 ? low | 0 : high * TWO_TO_32 + low;
    return length <= GREATEST_16 ? this.#refuse(LENGTH_NOT_MINIMAL) : length;
  }

  #refuse(error: FrameError): number {
    this.error = error;
    return 0;
  }
}

/** RFC 6455 section 5.5: control frames are those with the opcode's highest bit. */
function illegalOpcode(first: number): FrameError {
  const opcode = first & OPCODE;
  const isControl = opcode >= OPCODE_CLOSE && opcode <= OPCODE_PONG;
  return isControl && (first & FIN) === 0 ? FRAGMENTED_CONTROL : RESERVED_OPCODE;
}
