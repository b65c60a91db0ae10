/**
 * One WebSocket on its way through a worker: takes the peer's messages to it, and its messages back. The worker sees whole
 * messages; frames, pings, compression and limits are the connection's. ASGI WebSocket specification 2.5; the records are
 * drawn in docs/websocket.md.
 */
import { ClientDisconnected } from "../asgi/errors.ts";
import type { SendEvent, SentHeader, WebSocketScope } from "../asgi/types.ts";
import type { WebSocketCall, WebSocketTaker } from "../asgi/websocket-call.ts";
import { cutTaken } from "../channel/queue.ts";
import {
  ApplicationFailed,
  answerInstead,
  bodyStart,
  endCall,
  fieldsEnd,
  ignore,
  moreCredit,
  reason,
  refusalText,
  responseFields,
} from "./answers.ts";
import { type Carried, completeHead } from "./carried.ts";
import type { WorkerHost } from "./host.ts";
import { putSocketScope } from "./socket-scope.ts";
import * as wire from "./wire.ts";

/** RFC 6455 section 7.4.1 and its registry: Service Restart, and that no close frame came. */
const CLOSE_SERVICE_RESTART = 1012;
const CLOSE_ABNORMAL = 1006;
const NOT_IMPLEMENTED = 501;
const UNAVAILABLE = 503;

/** What a record of a message counts for besides its bytes, in both directions. */
export const ENTRY_BYTES = 64;
/** A record may leave while there is credit, and take more than there is: by this much at most. */
const OVERDRAFT_BYTES = wire.MOST_PAYLOAD_BYTES + ENTRY_BYTES;
/** A worker's message; larger ones no `send` of a worker lets through. websocket.py has the same number. */
export const MOST_MESSAGE_BYTES = 256 * 1024 * 1024;
/** No rest: also of a message without bytes. */
const ALL_SENT = -1;
/** Where messages in parts are put together; one that has become larger is not kept. */
const PARTS_BYTES = 256 * 1024;
let spareParts: wire.RecordBuffer | null = null;

/** A turn of the round of bodies gives one socket so much. */
const TURN_BYTES = 16 * 1024;
/** Reading goes on once less than this share of what may wait does. */
const ROOM_SHARE = 0.5;

const TEXT = new TextDecoder("utf-8", { ignoreBOM: true });
const UTF8 = new TextEncoder();

type Phase =
  /** For a worker. */
  | "waiting"
  /** The worker has been asked, and has not answered the handshake. */
  | "connecting"
  | "denying"
  | "open"
  | "over";

/** A message, or what of it the worker has not been sent. */
interface Waiting {
  readonly isText: boolean;
  readonly bytes: Uint8Array;
  at: number;
}

/** Stands in the queue for a message that has left. */
const LEFT: Waiting = { isText: false, bytes: new Uint8Array(0), at: 0 };

export class SocketExchange implements Carried, WebSocketTaker {
  readonly scope: WebSocketScope;
  readonly isSocket = true;
  id = 0;
  written = false;
  inRound = false;
  readonly #call: WebSocketCall;
  #host: WorkerHost | null = null;
  #phase: Phase = "waiting";
  #onGone: () => void = ignore;
  /** Messages for the worker are `#queue[#first ...]`. */
  #queue: Waiting[] = [];
  #first = 0;
  #queuedBytes = 0;
  #credit = wire.WINDOW_BYTES;
  /** How the connection has ended; the worker is told behind all messages. */
  #end: { readonly code: number; readonly reason: string } | null = null;
  #endTold = false;
  /** Bytes from the worker that the peer's connection has not taken, and those that it has but the worker has no credit for. */
  #unsettled = 0;
  #settled = 0;
  /** Of a message that comes in parts. */
  #parts: wire.RecordBuffer | null = null;

  constructor(call: WebSocketCall) {
    this.scope = call.scope;
    this.#call = call;
    call.listen(this);
  }

  get isOver(): boolean {
    return this.#phase === "over";
  }

  // ---- to the worker ---------------------------------------------------------------------------------------

  begin(host: WorkerHost, id: number, out: wire.RecordBuffer): void {
    this.id = id;
    if (host.facts?.interface === "wsgi") {
      this.answer(NOT_IMPLEMENTED, "The application is served under WSGI, which has no WebSockets.\n", []);
      host.finished(this);
      return;
    }
    this.#host = host;
    this.#phase = "connecting";
    completeHead(out, putSocketScope(out, this.scope), wire.WS_CONNECT, 0, id, host.generation);
  }

  wait(onGone: () => void): void {
    this.#onGone = onGone;
  }

  get full(): boolean {
    const { queueBytes, queueMessages } = this.#call;
    return this.#queue.length - this.#first >= queueMessages || this.#queuedBytes >= queueBytes;
  }

  message(isText: boolean, bytes: Uint8Array, start: number, end: number): void {
    const host = this.#host;
    if (host === null) return;
    const from = this.#queue.length === 0 ? this.#sendNow(host, isText, bytes, start, end) : start;
    if (from === ALL_SENT) return;
    this.#queue.push({ isText, bytes: new Uint8Array(bytes.subarray(from, end)), at: 0 });
    this.#queuedBytes += end - from + ENTRY_BYTES;
    if (this.#credit > 0) host.wantsBody(this);
  }

  /** Sends what may leave at once; returns where the rest begins. */
  #sendNow(host: WorkerHost, isText: boolean, bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    do {
      if (this.#credit <= 0 || !host.hasRoom) return at;
      const stop = Math.min(end, at + wire.MOST_PAYLOAD_BYTES);
      const flags = (isText ? wire.TEXT : 0) | (stop < end ? wire.MORE : 0);
      this.#credit -= stop - at + ENTRY_BYTES;
      host.message(this.id, flags, bytes, at, stop);
      at = stop;
    } while (at < end);
    return ALL_SENT;
  }

  ended(code: number, text: string): void {
    if (this.#phase === "over" || this.#end !== null) return;
    this.#end = { code, reason: text };
    const host = this.#host;
    if (host === null) {
      this.#phase = "over";
      this.#call.returned();
      this.#onGone();
    } else if (this.#queue.length > 0) {
      host.disconnect(this.id, wire.GONE);
      host.wantsBody(this);
    } else host.wantsBody(this);
  }

  putBody(out: wire.RecordBuffer): boolean {
    if (this.#phase === "over") return false;
    const queue = this.#queue;
    const stop = out.length + TURN_BYTES;
    while (this.#first < queue.length && this.#credit > 0 && out.length < stop) this.#putPart(out, queue[this.#first]);
    const left = queue.length - this.#first;
    if (left === 0 && queue.length > 0) {
      queue.length = 0;
      this.#first = 0;
    } else this.#first = cutTaken(queue, this.#first);
    if (this.#end !== null) {
      if (left === 0 && !this.#endTold) this.#putEnd(out, this.#end.code, this.#end.reason);
    } else if (this.#hasRoomAgain(left)) this.#call.roomAgain();
    return this.#first < queue.length && this.#credit > 0;
  }

  #putPart(out: wire.RecordBuffer, waiting: Waiting): void {
    const { bytes, at, isText } = waiting;
    const end = Math.min(bytes.length, at + wire.MOST_PAYLOAD_BYTES);
    const flags = (isText ? wire.TEXT : 0) | (end < bytes.length ? wire.MORE : 0);
    out.record(wire.WS_MESSAGE, flags, this.id, this.#host!.generation, bytes, at, end);
    this.#credit -= end - at + ENTRY_BYTES;
    waiting.at = end;
    if (end < bytes.length) return;
    this.#queue[this.#first++] = LEFT;
    this.#queuedBytes -= bytes.length + ENTRY_BYTES;
  }

  #hasRoomAgain(left: number): boolean {
    const { queueBytes, queueMessages } = this.#call;
    return this.#queuedBytes <= queueBytes * ROOM_SHARE && left <= queueMessages * ROOM_SHARE;
  }

  #putEnd(out: wire.RecordBuffer, code: number, text: string): void {
    this.#endTold = true;
    const payload = new Uint8Array(2 + 3 * text.length);
    payload[0] = code;
    payload[1] = code >>> 8;
    const { written } = UTF8.encodeInto(text, payload.subarray(2));
    out.record(wire.WS_CLOSED, 0, this.id, this.#host!.generation, payload, 0, 2 + written);
  }

  // ---- from the worker -------------------------------------------------------------------------------------

  took(type: number, flags: number, bytes: Uint8Array, start: number, end: number, records: number): void {
    if (type === wire.WS_SEND) this.#send(flags, bytes, start, end, records);
    else if (type === wire.RESPONSE_CREDIT) this.#addCredit(bytes, start, end);
    else if (type === wire.WS_ACCEPT) this.#accept(bytes, start, end);
    else if (type === wire.WS_CLOSE) this.#close(bytes, start, end);
    else if (type === wire.RESPONSE) this.#deny(flags, bytes, start, end);
    else if (type === wire.RESPONSE_BODY) this.#denyBody(flags, bytes.subarray(start, end));
    else if (type === wire.DONE) this.#applicationEnded(flags, TEXT.decode(bytes.subarray(start, end)));
    else throw new wire.WireError(`a record of type ${type}`);
  }

  #accept(bytes: Uint8Array, start: number, end: number): void {
    if (this.#phase !== "connecting") throw new wire.WireError("a handshake that is accepted twice");
    if (end - start < wire.ACCEPT_BYTES) throw new wire.WireError("an acceptance without its start");
    const nameEnd = start + wire.ACCEPT_BYTES + wire.u16(bytes, start);
    if (nameEnd > end) throw new wire.WireError("a subprotocol beyond its record");
    const subprotocol = TEXT.decode(bytes.subarray(start + wire.ACCEPT_BYTES, nameEnd));
    const headers = wire.decodeFields(bytes, nameEnd, end, wire.u16(bytes, start + 2));
    this.#phase = "open";
    this.#host?.opened();
    this.#tell({ type: "websocket.accept", subprotocol: subprotocol === "" ? null : subprotocol, headers });
  }

  #close(bytes: Uint8Array, start: number, end: number): void {
    if (end - start < 2) throw new wire.WireError("a close without its code");
    const text = TEXT.decode(bytes.subarray(start + 2, end));
    this.#tell({ type: "websocket.close", code: wire.u16(bytes, start), reason: text });
  }

  #send(flags: number, bytes: Uint8Array, start: number, end: number, records: number): void {
    if (this.#phase !== "open") throw new wire.WireError("a message before its WebSocket was accepted");
    const cost = end - start + ((flags & wire.PASSED) === 0 ? records * ENTRY_BYTES : 0);
    this.#owe(cost, wire.WINDOW_BYTES + OVERDRAFT_BYTES);
    const isText = (flags & wire.TEXT) !== 0;
    if ((flags & wire.MORE) === 0 && this.#parts === null) {
      // The record's header in front of it has done its service.
      this.#forward(this.#call.message(isText, bytes, start, end, Math.min(start, wire.HEADER_BYTES)), cost);
      return;
    }
    if (this.#parts === null) {
      this.#parts = spareParts ?? new wire.RecordBuffer(PARTS_BYTES);
      spareParts = null;
      this.#parts.length = wire.HEADER_BYTES;
    }
    const parts = this.#parts;
    parts.append(bytes, start, end);
    if (parts.length - wire.HEADER_BYTES > MOST_MESSAGE_BYTES) throw new wire.WireError("a message that is too large");
    if ((flags & wire.MORE) !== 0) {
      this.#taken(cost);
      return;
    }
    this.#parts = null;
    this.#forward(this.#call.message(isText, parts.bytes, wire.HEADER_BYTES, parts.length, wire.HEADER_BYTES), cost);
    parts.length = 0;
    if (parts.bytes.length === PARTS_BYTES) spareParts = parts;
  }

  #deny(flags: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#phase !== "connecting") throw new wire.WireError("a denial at another time");
    const fieldsStop = fieldsEnd(bytes, start, end);
    const bodyAt = bodyStart(flags, fieldsStop, end);
    const headers = responseFields(bytes, start, fieldsStop);
    this.#phase = "denying";
    this.#tell({ type: "websocket.http.response.start", status: wire.u16(bytes, start), headers });
    if ((flags & wire.MORE) === 0) this.#denyBody(flags, bytes.subarray(bodyAt, end));
  }

  #denyBody(flags: number, body: Uint8Array): void {
    if (this.isOver) return;
    if (this.#phase !== "denying") throw new wire.WireError("a denial at another time");
    this.#owe(body.length, wire.WINDOW_BYTES);
    // What the client does not take at once is kept; the worker's memory is used again.
    const own = new Uint8Array(body);
    const more = (flags & wire.LAST) === 0;
    this.#forward(this.#call.send({ type: "websocket.http.response.body", body: own, more_body: more }), body.length);
  }

  /** @param most that may be owed */
  #owe(count: number, most: number): void {
    this.#unsettled += count;
    if (this.#unsettled > most) throw new wire.WireError("more messages than it has credit for");
  }

  #forward(sent: Promise<void> | null, cost: number): void {
    if (sent === null) this.#taken(cost);
    else {
      sent.then(
        () => this.#taken(cost),
        (error: unknown) => this.#refused(error),
      );
    }
  }

  #taken(cost: number): void {
    this.#unsettled -= cost;
    this.#settled += cost;
    if (this.#settled < wire.CREDIT_BYTES) return;
    this.#host?.credit(this.id, this.#settled);
    this.#settled = 0;
  }

  #tell(event: SendEvent): void {
    this.#call.send(event).then(ignore, (error: unknown) => this.#refused(error));
  }

  #addCredit(bytes: Uint8Array, start: number, end: number): void {
    this.#credit = moreCredit(this.#credit, bytes, start, end);
    if (this.#queue.length > 0) this.#host?.wantsBody(this);
  }

  /** The core would not send what the worker sent. That the peer is gone, the worker has been told. */
  #refused(error: unknown): void {
    const host = this.#host;
    if (error instanceof ClientDisconnected || host === null) return;
    host.refuse(this.id, refusalText(error, `WebSocket ${TEXT.decode(this.scope.raw_path)}`));
    this.#release();
    this.#call.raised(new ApplicationFailed(reason(error)));
  }

  #applicationEnded(flags: number, text: string): void {
    this.#release();
    endCall(this.#call, flags, text);
  }

  #release(): void {
    const host = this.#host;
    const wasOpen = this.#phase === "open";
    this.#phase = "over";
    this.#host = null;
    this.#queue = [];
    this.#first = 0;
    this.#parts = null;
    if (wasOpen) host?.shut();
    host?.finished(this);
  }

  // ---- a worker that leaves, is gone, or none to be had ----------------------------------------------------

  /** Begins the closing handshake; the worker need not wait for the peer's answer. */
  outstay(): boolean {
    if (this.#phase !== "open" || this.#end !== null) return false;
    this.#call.send({ type: "websocket.close", code: CLOSE_SERVICE_RESTART }).catch(ignore);
    this.ended(CLOSE_SERVICE_RESTART, "");
    return true;
  }

  orphaned(): boolean {
    const phase = this.#phase;
    this.#host = null;
    if (phase === "over") return false;
    if (phase === "connecting" && !this.written && this.#end === null) {
      this.#phase = "waiting";
      return true;
    }
    if (phase === "connecting") this.answer(UNAVAILABLE, "The application's worker ended before it answered.\n", []);
    else if (phase === "denying") {
      this.#phase = "over";
      this.#call.raised(new ApplicationFailed("the worker ended in the middle of its answer"));
    } else {
      this.#end ??= { code: CLOSE_ABNORMAL, reason: "" };
      this.#phase = "over";
      this.#call.send({ type: "websocket.close", code: CLOSE_SERVICE_RESTART }).catch(ignore);
      this.#call.returned();
    }
    return false;
  }

  answer(status: number, text: string, more: readonly SentHeader[], type?: string): void {
    this.#phase = "over";
    answerInstead(this.#call, status, text, more, type);
  }
}
