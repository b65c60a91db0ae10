/**
 * What requests and WebSockets share of their answers: reading what a worker sent, refusing it, and answering in its
 * stead. The records are drawn in docs/bridge.md.
 */
import type { HttpCall } from "../asgi/call.ts";
import { ProtocolViolation } from "../asgi/errors.ts";
import { FieldBlock } from "../asgi/response-fields.ts";
import type { SentHeader } from "../asgi/types.ts";
import type { WebSocketCall } from "../asgi/websocket-call.ts";
import * as wire from "./wire.ts";

const UTF8 = new TextEncoder();
const PLAIN_TEXT = "text/plain; charset=utf-8";
/** Characters of each half of a REFUSED record; what is longer is cut. */
const REFUSAL_LENGTH = 1000;
/** A WebSocket is denied with the same answer under other names (ASGI extension websocket.http.response). */
const EVENTS = {
  http: { start: "http.response.start", body: "http.response.body" },
  websocket: { start: "websocket.http.response.start", body: "websocket.http.response.body" },
} as const;

/** The application ended without a whole response; the worker has logged why. */
export class ApplicationFailed extends Error {
  override readonly name = "ApplicationFailed";
  constructor(message: string) {
    super(message);
    this.stack = message;
  }
}

export function ignore(): void {}

export function reason(error: unknown): string {
  return error instanceof ProtocolViolation ? error.message : String(error);
}

/** A REFUSED record's payload: why, NUL, the request's line. */
export function refusalText(error: unknown, line: string): Uint8Array {
  const text = reason(error).replaceAll("\0", "");
  return UTF8.encode(`${text.slice(0, REFUSAL_LENGTH)}\0${line.slice(0, REFUSAL_LENGTH)}`);
}

/** Where the fields of a RESPONSE end. @throws WireError */
export function fieldsEnd(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < wire.START_BYTES) throw new wire.WireError("a response without its start");
  const fieldsStop = start + wire.START_BYTES + wire.u16(bytes, start + 4);
  if (fieldsStop > end) throw new wire.WireError("fields beyond their record");
  return fieldsStop;
}

/** Where the body begins behind the fields of a RESPONSE. @throws WireError */
export function bodyStart(flags: number, fieldsStop: number, end: number): number {
  const at = fieldsStop + (flags & wire.ROOM ? wire.ROOM_BYTES : 0);
  if (at > end) throw new wire.WireError("room beyond its record");
  return at;
}

/** The fields of a RESPONSE whose payload begins at `start`. @throws WireError when they are not as many as it says */
export function responseFields(bytes: Uint8Array, start: number, fieldsStop: number): FieldBlock {
  const fieldsStart = start + wire.START_BYTES;
  wire.checkFields(bytes, fieldsStart, fieldsStop, wire.u16(bytes, start + 2));
  return new FieldBlock(bytes, fieldsStart, fieldsStop);
}

/** `credit` and what a RESPONSE_CREDIT adds. @throws WireError when that is more than a window */
export function moreCredit(credit: number, bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== 4) throw new wire.WireError("credit that is no number");
  const sum = credit + wire.u32(bytes, start);
  if (sum > wire.WINDOW_BYTES) throw new wire.WireError("more credit than a window");
  return sum;
}

/** Ends a call as DONE says. */
export function endCall(call: HttpCall | WebSocketCall, flags: number, why: string): void {
  if (flags & wire.RAISED) call.raised(new ApplicationFailed(why));
  else call.returned();
}

/** Answers in the worker's stead, and ends the call. */
export function answerInstead(
  call: HttpCall | WebSocketCall,
  status: number,
  text: string,
  more: readonly SentHeader[],
  type = PLAIN_TEXT,
): void {
  const body = UTF8.encode(text);
  const headers: SentHeader[] = [["content-type", type], ["content-length", `${body.length}`], ...more];
  const events = EVENTS[call.scope.type];
  const end = () => call.returned();
  call.send({ type: events.start, status, headers }).catch(ignore);
  call.send({ type: events.body, body }).then(end, end);
}
