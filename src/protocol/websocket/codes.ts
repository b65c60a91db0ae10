/**
 * Opcodes, close codes and what can be wrong with frames: RFC 6455 sections 5.2 (opcodes), 7.4 (close codes).
 */

/** Opcodes, RFC 6455 section 11.8. */
export const OPCODE_CONTINUATION = 0x0;
export const OPCODE_TEXT = 0x1;
export const OPCODE_BINARY = 0x2;
export const OPCODE_CLOSE = 0x8;
export const OPCODE_PING = 0x9;
export const OPCODE_PONG = 0xa;

/** First byte of a frame. */
export const FIN = 0x80;
export const RSV1 = 0x40;
/** RSV2 and RSV3: no extension that is known here uses them. */
export const RSV_UNUSED = 0x30;
/** Second byte of a frame. */
export const MASK = 0x80;
/** Payload lengths up to here stand in the second byte (section 5.2). */
export const SHORT_LENGTH = 125;
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;
/** A control frame's payload has at most this many bytes (section 5.5). */
export const CONTROL_BYTES = 125;
/** What the code leaves of a close frame for the reason (section 5.5.1). */
export const REASON_BYTES = CONTROL_BYTES - 2;

/** Close codes, RFC 6455 section 7.4.1 and the IANA registry. */
export const CLOSE_NORMAL = 1000;
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_UNSUPPORTED_DATA = 1003;
/** Never on the wire: the close frame had no code. */
export const CLOSE_NO_CODE = 1005;
/** Never on the wire: the connection ended without a close frame. */
export const CLOSE_ABNORMAL = 1006;
export const CLOSE_INVALID_DATA = 1007;
export const CLOSE_POLICY = 1008;
export const CLOSE_TOO_BIG = 1009;
export const CLOSE_INTERNAL_ERROR = 1011;
export const CLOSE_SERVICE_RESTART = 1012;
export const CLOSE_TRY_AGAIN_LATER = 1013;

/** The last code of the protocol's own range that is registered (1014, Bad Gateway). */
const LAST_REGISTERED = 1014;
/** 1004 is reserved without a meaning. */
const FIRST_UNSENDABLE = 1004;
const LAST_UNSENDABLE = CLOSE_ABNORMAL;
/** 3000 to 3999 are for registration, 4000 to 4999 for private use (section 7.4.2). */
const FIRST_OF_APPLICATIONS = 3000;
const LAST_OF_APPLICATIONS = 4999;

/** Whether a close frame may carry this code. */
export function isCloseCode(code: number): boolean {
  if (code >= FIRST_OF_APPLICATIONS) return code <= LAST_OF_APPLICATIONS && Number.isInteger(code);
  if (code < CLOSE_NORMAL || code > LAST_REGISTERED || !Number.isInteger(code)) return false;
  return code < FIRST_UNSENDABLE || code > LAST_UNSENDABLE;
}

/** A violation or a limit. Constants only: no byte of the peer is ever part of one. */
export interface FrameError {
  /** Stable, for logs, metrics and tests. */
  readonly code: string;
  /** What the close frame in answer says. */
  readonly closeCode: 1002 | 1007 | 1009;
  /** One sentence; it fits into the close frame. */
  readonly reason: string;
}

function violation(closeCode: FrameError["closeCode"], code: string, reason: string): FrameError {
  return Object.freeze({ code, closeCode, reason });
}

export const RESERVED_BIT = violation(1002, "reserved-bit", "A reserved bit is set.");
export const BAD_RSV1 = violation(1002, "bad-rsv1", "RSV1 is set where no compression is agreed or possible.");
export const RESERVED_OPCODE = violation(1002, "reserved-opcode", "The opcode is reserved.");
export const FRAGMENTED_CONTROL = violation(1002, "fragmented-control", "A control frame is fragmented.");
export const LONG_CONTROL = violation(1002, "long-control", "A control frame has more than 125 bytes.");
export const NOT_MASKED = violation(1002, "not-masked", "A frame of the client is not masked.");
export const LENGTH_NOT_MINIMAL = violation(1002, "length-not-minimal", "A payload length is not encoded minimally.");
export const BAD_LENGTH = violation(1002, "bad-length", "A payload length has its highest bit set.");
export const NOTHING_TO_CONTINUE = violation(1002, "nothing-to-continue", "A continuation continues no message.");
export const MESSAGE_OPEN = violation(1002, "message-open", "A message begins before the last one has ended.");
export const BAD_CLOSE_PAYLOAD = violation(1002, "bad-close-payload", "A close frame has half a code.");
export const BAD_CLOSE_CODE = violation(1002, "bad-close-code", "A close frame has a code that may not be sent.");
export const BAD_UTF8 = violation(1007, "bad-utf8", "A text is not UTF-8.");
export const BAD_CLOSE_REASON = violation(1007, "bad-close-reason", "The reason of a close frame is not UTF-8.");
export const BAD_COMPRESSION = violation(1007, "bad-compression", "A compressed message can't be decompressed.");
export const FRAME_TOO_BIG = violation(1009, "frame-too-big", "A frame has more bytes than allowed.");
export const MESSAGE_TOO_BIG = violation(1009, "message-too-big", "A message has more bytes than allowed.");
export const TOO_MANY_FRAGMENTS = violation(1009, "too-many-fragments", "A message has more fragments than allowed.");
