/**
 * One WebSocket: joins its connection's events to an application's `receive` and `send`.
 * ASGI WebSocket specification 2.5; the states are those of websocket-states.ts.
 */
import { cutTaken } from "../channel/queue.ts";
import { Waiters } from "../channel/waiters.ts";
import { CLOSE_ABNORMAL, CLOSE_INTERNAL_ERROR, CLOSE_NORMAL, isCloseCode } from "../protocol/websocket/codes.ts";
import { ClientDisconnected, ProtocolViolation } from "./errors.ts";
import type {
  Application,
  SendEvent,
  WebSocketAcceptEvent,
  WebSocketCloseEvent,
  WebSocketReceivedEvent,
  WebSocketScope,
  WebSocketSendEvent,
} from "./types.ts";
import { type WebSocketCall, type WebSocketTaker, webSocketCallOf } from "./websocket-call.ts";
import type { WebSocketHost } from "./websocket-host.ts";
import * as states from "./websocket-states.ts";

const FORBIDDEN = 403;
const INTERNAL_ERROR = 500;
/** What a message that waits counts for besides its bytes. */
const ENTRY_BYTES = 64;
/** Reading goes on once less than this share of what may wait does. */
const ROOM_SHARE = 0.5;

const RESOLVED: Promise<void> = Promise.resolve();

export class WebSocketCycle implements WebSocketCall {
  /** A number of websocket-states.ts. */
  state: number = states.CONNECTING;
  readonly #host: WebSocketHost;
  readonly scope: WebSocketScope;
  /** Whom messages are told, instead of waiting for `receive`. */
  taker: WebSocketTaker | null = null;
  #waiters: Waiters<WebSocketReceivedEvent> | null = null;
  /** Messages that wait are `#queue[#first ...]`. */
  #queue: (string | Uint8Array)[] | null = null;
  #first = 0;
  #queuedBytes = 0;
  #connectDue = true;
  /** What `receive` ends with, once it is known. */
  #endCode = 0;
  #endReason = "";
  /** The code that this side has closed with. */
  #ownCode = CLOSE_ABNORMAL;
  #ownReason = "";
  #isCounted = false;

  constructor(host: WebSocketHost, scope: WebSocketScope) {
    this.#host = host;
    this.scope = scope;
  }

  /** Calls the application. What it throws, now or later, ends here. */
  run(app: Application): void {
    const call = webSocketCallOf(app);
    try {
      if (call !== undefined) {
        call(this);
        return;
      }
      this.#host.applicationBegan();
      this.#isCounted = true;
      const running: unknown = app(
        this.scope,
        () => this.receive(),
        (event) => this.send(event),
      );
      if (typeof running !== "object" || running === null) this.returned();
      else
        Promise.resolve(running).then(
          () => this.returned(),
          (error) => this.raised(error),
        );
    } catch (error) {
      this.raised(error);
    }
  }

  returned(): void {
    this.#leave();
    const { state } = this;
    this.state = states.nextState(state, states.RETURNS);
    if (state === states.CONNECTING) {
      this.#host.report(undefined);
      this.#host.refuse(FORBIDDEN);
      this.#over(CLOSE_ABNORMAL, "");
    } else if (state === states.DENYING) this.#host.abandonDenial(undefined);
    else if (state === states.OPEN) this.#close(CLOSE_NORMAL, "");
  }

  raised(error: unknown): void {
    this.#leave();
    const { state } = this;
    this.state = states.nextState(state, states.RAISES);
    if (state === states.DENYING) {
      this.#host.abandonDenial(error);
      return;
    }
    // An application that lets the exception of a peer that is gone through has not failed.
    this.#host.report(error);
    if (state === states.CONNECTING) {
      this.#host.refuse(INTERNAL_ERROR);
      this.#over(CLOSE_ABNORMAL, "");
    } else if (state === states.OPEN) this.#close(CLOSE_INTERNAL_ERROR, "");
  }

  #leave(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#host.applicationEnded();
  }

  // ---- for an application that is part of the server -------------------------------------------------------

  listen(taker: WebSocketTaker): void {
    this.taker = taker;
  }

  get queueBytes(): number {
    return this.#host.queueBytes;
  }

  get queueMessages(): number {
    return this.#host.queueMessages;
  }

  roomAgain(): void {
    this.#host.roomAgain();
  }

  message(isText: boolean, bytes: Uint8Array, start: number, end: number, room: number): Promise<void> | null {
    if (this.state >= states.CLOSING) return null;
    try {
      this.#next(states.SEND);
      return this.#host.messageBytes(isText, bytes, start, end, room);
    } catch (error) {
      return refused(error);
    }
  }

  // ---- receiving -------------------------------------------------------------------------------------------

  receive(): Promise<WebSocketReceivedEvent> {
    if (this.#connectDue) {
      this.#connectDue = false;
      return Promise.resolve({ type: "websocket.connect" });
    }
    const queue = this.#queue;
    if (queue !== null && this.#first < queue.length) return Promise.resolve(this.#take(queue));
    if (this.#endCode !== 0) return Promise.resolve(this.#disconnectEvent());
    this.#waiters ??= new Waiters<WebSocketReceivedEvent>();
    return this.#waiters.park();
  }

  #take(queue: (string | Uint8Array)[]): WebSocketReceivedEvent {
    const message = queue[this.#first];
    queue[this.#first++] = "";
    this.#queuedBytes -= message.length + ENTRY_BYTES;
    const left = queue.length - this.#first;
    if (left === 0) {
      this.#first = 0;
      if (queue.length > this.#host.queueMessages) this.#queue = null;
      else queue.length = 0;
    } else this.#first = cutTaken(queue, this.#first);
    const { queueBytes, queueMessages } = this.#host;
    if (this.#queuedBytes <= queueBytes * ROOM_SHARE && left <= queueMessages * ROOM_SHARE) this.#host.roomAgain();
    return eventOf(message);
  }

  #disconnectEvent(): WebSocketReceivedEvent {
    return { type: "websocket.disconnect", code: this.#endCode, reason: this.#endReason };
  }

  /** No more messages may wait. */
  get full(): boolean {
    if (this.taker !== null) return this.taker.full;
    const queue = this.#queue;
    if (queue === null) return false;
    return queue.length - this.#first >= this.#host.queueMessages || this.#queuedBytes >= this.#host.queueBytes;
  }

  /** A message of the peer's, the application's to keep. */
  arrived(message: string | Uint8Array): void {
    if (this.#waiters?.any === true) {
      this.#waiters.wake(eventOf(message));
      return;
    }
    this.#queue ??= [];
    this.#queue.push(message);
    this.#queuedBytes += message.length + ENTRY_BYTES;
  }

  /** The peer's close frame. */
  peerClosed(code: number, reason: string): void {
    const closing = this.state === states.CLOSING;
    this.state = states.nextState(this.state, states.PEER_CLOSE);
    if (closing) this.#over(this.#ownCode, this.#ownReason);
    else this.#over(code, reason);
  }

  /** Nothing can come from the peer any more, and nothing reach it. */
  gone(): void {
    this.state = states.nextState(this.state, states.GONE);
    this.#over(CLOSE_ABNORMAL, "");
  }

  /** The server has begun the closing handshake: the application is told at once, behind the messages before. */
  end(code: number, reason: string): void {
    this.state = states.nextState(this.state, states.END);
    this.#over(code, reason);
  }

  /** The handshake has been answered in the application's stead, or its denial response is complete. */
  denied(): void {
    this.state = states.CLOSED;
    this.#over(CLOSE_ABNORMAL, "");
  }

  #over(code: number, reason: string): void {
    if (this.#endCode !== 0) return;
    this.#endCode = code;
    this.#endReason = reason;
    this.taker?.ended(code, reason);
    while (this.#waiters?.any === true) this.#waiters.wake(this.#disconnectEvent());
  }

  // ---- sending ---------------------------------------------------------------------------------------------

  send(event: SendEvent): Promise<void> {
    try {
      return this.#dispatch(event);
    } catch (error) {
      return refused(error);
    }
  }

  #dispatch(event: SendEvent): Promise<void> {
    switch (event.type) {
      case "websocket.send":
        return this.#send(event);
      case "websocket.accept":
        this.#accept(event);
        return RESOLVED;
      case "websocket.close":
        this.#closed(event);
        return RESOLVED;
      case "websocket.http.response.start": {
        const next = this.#next(states.DENIAL_START);
        const { started, sent } = this.#host.denialStart(event);
        if (started) this.state = next;
        return sent;
      }
      case "websocket.http.response.body":
        this.state = this.#next(states.DENIAL_BODY);
        return this.#host.denialBody(event);
      default:
        throw new ProtocolViolation(
          `${String((event as { type?: unknown })?.type)} can't be sent on a websocket scope`,
        );
    }
  }

  /** The state behind an event, by the table. */
  #next(event: number): number {
    const next = states.nextState(this.state, event);
    if (next !== states.VIOLATION) return next;
    if (this.state === states.CLOSED && event !== states.SEND) throw new ClientDisconnected();
    const state = states.WEBSOCKET_STATES[this.state];
    throw new ProtocolViolation(`unexpected event: ${states.WEBSOCKET_EXPECTATION[state]}`);
  }

  #send(event: WebSocketSendEvent): Promise<void> {
    if (this.state >= states.CLOSING) throw new ClientDisconnected();
    this.#next(states.SEND);
    return this.#host.message(messageOf(event)) ?? RESOLVED;
  }

  #accept({ subprotocol, headers }: WebSocketAcceptEvent): void {
    const next = this.#next(states.ACCEPT);
    if (subprotocol !== undefined && subprotocol !== null && typeof subprotocol !== "string") {
      throw new ProtocolViolation("websocket.accept: subprotocol must be a string");
    }
    // An iterable of the application's may itself send: it is read before anything is written.
    const lines = headers === undefined || headers === null ? [] : [...headers];
    if (this.state !== states.CONNECTING) this.#next(states.ACCEPT);
    this.state = next;
    try {
      this.#host.accept(subprotocol ?? undefined, lines);
    } catch (error) {
      this.state = states.CONNECTING;
      throw error;
    }
  }

  #closed(event: WebSocketCloseEvent): void {
    const next = this.#next(states.CLOSE);
    const { state } = this;
    const code = event.code ?? CLOSE_NORMAL;
    const reason = event.reason ?? "";
    if (state === states.OPEN) {
      if (!isCloseCode(code)) throw new ProtocolViolation("websocket.close: a close frame may not have this code");
      if (typeof reason !== "string") throw new ProtocolViolation("websocket.close: reason must be a string");
    }
    this.state = next;
    if (state === states.OPEN) this.#close(code, reason);
    else if (state === states.CONNECTING) {
      this.#host.refuse(FORBIDDEN);
      this.#over(CLOSE_ABNORMAL, "");
    }
  }

  #close(code: number, reason: string): void {
    this.state = states.CLOSING;
    this.#ownCode = code;
    this.#ownReason = reason;
    this.#host.farewell(code, reason);
  }
}

function eventOf(message: string | Uint8Array): WebSocketReceivedEvent {
  return typeof message === "string"
    ? { type: "websocket.receive", bytes: null, text: message }
    : { type: "websocket.receive", bytes: message, text: null };
}

/** Exactly one of text and bytes. */
function messageOf({ text, bytes }: WebSocketSendEvent): string | Uint8Array {
  const hasBytes = bytes !== undefined && bytes !== null;
  if (typeof text === "string" && !hasBytes) return text;
  if (bytes instanceof Uint8Array && (text === undefined || text === null)) return bytes;
  throw new ProtocolViolation("websocket.send: exactly one of text (a string) and bytes (a Uint8Array) must be given");
}

function refused(error: unknown): Promise<void> {
  const promise = Promise.reject<void>(error);
  promise.catch(noop);
  return promise;
}

function noop(): void {}
