/**
 * Which frame may follow which: RFC 6455 sections 5.4 (fragmentation), 5.5 (control frames) and 7.1 (closing).
 * What is missing in the table is a violation. docs/websocket.md shows it.
 */
import {
  FIN,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_CONTINUATION,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
} from "./codes.ts";

/** Between messages. */
export const BETWEEN = 0;
/** Fragments of a text message have arrived, the last one has not. */
export const IN_TEXT = 1;
export const IN_BINARY = 2;
/** A close frame has arrived; what follows is ignored. */
export const CLOSED = 3;
/** Refused; what follows is ignored. */
export const FAILED = 4;

export const STATE_NAMES: readonly string[] = ["between", "in-text", "in-binary", "closed", "failed"];

export const TEXT_WHOLE = 0;
export const TEXT_FIRST = 1;
export const BINARY_WHOLE = 2;
export const BINARY_FIRST = 3;
export const FRAGMENT = 4;
export const FRAGMENT_LAST = 5;
export const PING_FRAME = 6;
export const PONG_FRAME = 7;
export const CLOSE_FRAME = 8;
export const VIOLATION = 9;

export const KIND_NAMES: readonly string[] = [
  "whole text",
  "first of text",
  "whole binary",
  "first of binary",
  "fragment",
  "last fragment",
  "ping",
  "pong",
  "close",
  "violation or limit",
];

/** `[state, kind of frame, next state]`: everything that may happen. */
export const TRANSITIONS: readonly (readonly [from: number, kind: number, to: number])[] = [
  [BETWEEN, TEXT_WHOLE, BETWEEN],
  [BETWEEN, TEXT_FIRST, IN_TEXT],
  [BETWEEN, BINARY_WHOLE, BETWEEN],
  [BETWEEN, BINARY_FIRST, IN_BINARY],
  [IN_TEXT, FRAGMENT, IN_TEXT],
  [IN_TEXT, FRAGMENT_LAST, BETWEEN],
  [IN_BINARY, FRAGMENT, IN_BINARY],
  [IN_BINARY, FRAGMENT_LAST, BETWEEN],
  [BETWEEN, PING_FRAME, BETWEEN],
  [IN_TEXT, PING_FRAME, IN_TEXT],
  [IN_BINARY, PING_FRAME, IN_BINARY],
  [BETWEEN, PONG_FRAME, BETWEEN],
  [IN_TEXT, PONG_FRAME, IN_TEXT],
  [IN_BINARY, PONG_FRAME, IN_BINARY],
  [BETWEEN, CLOSE_FRAME, CLOSED],
  [IN_TEXT, CLOSE_FRAME, CLOSED],
  [IN_BINARY, CLOSE_FRAME, CLOSED],
  [BETWEEN, VIOLATION, FAILED],
  [IN_TEXT, VIOLATION, FAILED],
  [IN_BINARY, VIOLATION, FAILED],
];

export const ILLEGAL = 255;
const KINDS = KIND_NAMES.length;
const table = new Uint8Array(STATE_NAMES.length * KINDS).fill(ILLEGAL);
for (const [from, kind, to] of TRANSITIONS) table[from * KINDS + kind] = to;

/** The state that a frame of this kind leads to, ILLEGAL when it may not stand here. */
export function follow(state: number, kind: number): number {
  return table[state * KINDS + kind];
}

/** Kind of a frame by its first byte without the reserved bits; ILLEGAL for other opcodes and fragmented control frames. */
export const KIND_OF: Uint8Array = new Uint8Array(256).fill(ILLEGAL);
for (const [byte, kind] of [
  [FIN | OPCODE_TEXT, TEXT_WHOLE],
  [OPCODE_TEXT, TEXT_FIRST],
  [FIN | OPCODE_BINARY, BINARY_WHOLE],
  [OPCODE_BINARY, BINARY_FIRST],
  [OPCODE_CONTINUATION, FRAGMENT],
  [FIN | OPCODE_CONTINUATION, FRAGMENT_LAST],
  [FIN | OPCODE_PING, PING_FRAME],
  [FIN | OPCODE_PONG, PONG_FRAME],
  [FIN | OPCODE_CLOSE, CLOSE_FRAME],
]) {
  KIND_OF[byte] = kind;
}
