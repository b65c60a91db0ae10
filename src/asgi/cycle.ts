/**
 * One request and its response: joins the connection's events to an application's `receive` and `send`.
 * ASGI HTTP specification 2.5; framing by RFC 9112 section 6, content rules by RFC 9110 section 6.4.1.
 */
import { SLOT_DATA, SLOT_END } from "../channel/layout.ts";
import type { ByteRing } from "../channel/ring.ts";
import { Waiters } from "../channel/waiters.ts";
import type { OutBuffer } from "../protocol/buffer.ts";
import type { HeadEncoder } from "../protocol/http1/encoder.ts";
import * as wire from "../protocol/http1/encoder.ts";
import type { DefaultFields } from "./default-fields.ts";
import { ClientDisconnected, ProtocolViolation } from "./errors.ts";
import { RESPONSE_EXPECTATION, RESPONSE_TABLE, type ResponseEvent, type ResponseState } from "./response-states.ts";
import type {
  Application,
  HeaderPair,
  HttpReceiveEvent,
  HttpResponseBodyEvent,
  HttpResponseEarlyHintEvent,
  HttpResponsePathsendEvent,
  HttpResponseStartEvent,
  HttpResponseTrailersEvent,
  HttpScope,
  SendEvent,
} from "./types.ts";

/** A file that `http.response.pathsend` sends. */
export interface SendableFile {
  readonly sizeBytes: number;
  read(into: Uint8Array, position: number): Promise<number>;
  close(): void;
}

/** The connection, as a cycle sees it. */
export interface CycleHost {
  readonly out: OutBuffer;
  readonly encoder: HeadEncoder;
  readonly ring: ByteRing;
  readonly fields: DefaultFields;
  /** The socket takes nothing now; `drained` settles when it does again. */
  readonly blocked: boolean;
  /** Rejects with ClientDisconnected when the socket is gone. */
  drained(): Promise<void>;
  /** Writes what is committed, now. */
  flush(): void;
  /** Writes what is committed at the end of this turn. */
  flushSoon(): void;
  /** Offers bytes to the socket past the empty buffer; returns how many it took. */
  writeDirect(bytes: Uint8Array, start: number, end: number): number;
  /** The application has taken body pieces: more may be read. */
  bodyTaken(): void;
  /** Whether the connection must end with this response (besides what the cycle knows itself). */
  mustClose(): boolean;
  openFile(path: string): Promise<SendableFile>;
  /** The response is complete and committed. */
  responseDone(cycle: HttpCycle): void;
  /** The application ended without a complete response; `error` when it threw. */
  responseFailed(cycle: HttpCycle, error: unknown): void;
  /** The application threw, or sent wrongly, although its response is complete or cut. */
  reportError(cycle: HttpCycle, error: unknown): void;
  debug(cycle: HttpCycle, info: unknown): void;
}

const RESOLVED: Promise<void> = Promise.resolve();
const NO_BYTES = new Uint8Array(0);
/** Body pieces smaller than this are joined with those behind them. */
const JOIN_BELOW_BYTES = 4 * 1024;
/** At most this many bytes are joined into one event. */
const JOIN_BYTES = 64 * 1024;
/** A streamed response leaves in the middle of a turn once this much has gathered. */
const FLUSH_BYTES = 16 * 1024;
/** A body part of at least this size is offered to the socket from where it stands. */
const DIRECT_BYTES = 16 * 1024;
/** Bytes of a file read at once. */
const FILE_CHUNK_BYTES = 64 * 1024;

export class HttpCycle {
  readonly scope: HttpScope;
  /** The connection may serve another request after this one. */
  keepAlive: boolean;
  /** 100 (Continue) is still owed: sent when the application first asks for the body. */
  owesContinue: boolean;
  /** Status of the response, 0 before `http.response.start`. */
  status = 0;
  state: ResponseState = "idle";
  /** Trailers of the complete request, when it had any. */
  requestTrailers: readonly HeaderPair[] | undefined = undefined;
  /** Its head has left or is about to: it can't be replaced by an error response. */
  committed = false;

  readonly #host: CycleHost;
  readonly #isHead: boolean;
  readonly #isOneZero: boolean;
  readonly #out: OutBuffer;
  readonly #encoder: HeadEncoder;
  /** Made when `receive` first finds nothing. */
  #waiters: Waiters<HttpReceiveEvent> | null = null;
  #bodyDelivered = false;
  #disconnected = false;
  #gone = false;
  #wantsTrailers = false;
  #chunked = false;
  #bodiless = false;
  /** Bytes still owed of a sized body; -1 when it is not sized. */
  #owed = -1;
  /** What the last refused `send` threw. */
  #unheard: unknown = undefined;
  /** A `send` that waits for the client; later ones queue behind it. */
  #sending: Promise<void> | null = null;

  constructor(host: CycleHost, scope: HttpScope, keepAlive: boolean, owesContinue: boolean) {
    this.#host = host;
    this.#out = host.out;
    this.#encoder = host.encoder;
    this.scope = scope;
    this.keepAlive = keepAlive;
    this.owesContinue = owesContinue;
    this.#isHead = scope.method === "HEAD";
    this.#isOneZero = scope.http_version === "1.0";
  }

  /** Calls the application. What it throws, now or later, ends here. */
  run(app: Application): void {
    let running: Promise<void> | void;
    try {
      running = app(
        this.scope,
        () => this.receive(),
        (event) => this.send(event),
      );
    } catch (error) {
      this.#raised(error);
      return;
    }
    if (running === undefined) this.#returned();
    else
      running.then(
        () => this.#returned(),
        (error: unknown) => this.#raised(error),
      );
  }

  #returned(): void {
    if (this.state === "done") return;
    if (this.#sending !== null) {
      this.#sending.then(
        () => this.#returned(),
        (error: unknown) => this.#raised(error),
      );
      return;
    }
    this.#fail(this.#unheard);
  }

  #raised(error: unknown): void {
    if (this.state !== "done") this.#fail(error);
    else if (!(this.#gone && error instanceof ClientDisconnected)) this.#host.reportError(this, error);
  }

  #fail(error: unknown): void {
    this.state = "done";
    this.#out.rollback();
    this.#host.responseFailed(this, error);
  }

  // ---- receiving -------------------------------------------------------------------------------------------

  receive(): Promise<HttpReceiveEvent> {
    if (this.state === "done") return Promise.resolve({ type: "http.disconnect" });
    if (!this.#bodyDelivered && this.#waiters?.any !== true) {
      const event = this.#takeBody();
      if (event !== null) return Promise.resolve(event);
      if (!this.#disconnected) this.#sayContinue();
    }
    if (this.#disconnected) return Promise.resolve({ type: "http.disconnect" });
    this.#waiters ??= new Waiters<HttpReceiveEvent>();
    return this.#waiters.park();
  }

  /** A piece of the body was published, or its end. */
  bodyArrived(): void {
    const waiters = this.#waiters;
    while (waiters?.any === true && !this.#bodyDelivered) {
      const event = this.#takeBody();
      if (event === null) return;
      waiters.wake(event);
    }
  }

  /** The peer is gone, has half-closed, or is about to be left: `receive` says so from now on. */
  disconnect(): void {
    if (this.#disconnected) return;
    this.#disconnected = true;
    this.#waiters?.wakeAll({ type: "http.disconnect" });
  }

  /** The socket is gone or given to somebody else: nothing of this cycle may touch it again. */
  detach(): void {
    this.#gone = true;
    this.state = "done";
    this.disconnect();
  }

  #sayContinue(): void {
    if (!this.owesContinue || this.committed) return;
    this.owesContinue = false;
    const out = this.#out;
    if (out.end !== out.committed || !out.ensure(wire.CONTINUE_RESPONSE.length)) return;
    out.append(wire.CONTINUE_RESPONSE, 0, wire.CONTINUE_RESPONSE.length);
    out.commit();
    this.#host.flush();
  }

  #takeBody(): HttpReceiveEvent | null {
    const { ring } = this.#host;
    const kind = ring.take();
    if (kind === SLOT_DATA) {
      const body = this.#piece(ring);
      const last = ring.peek() === SLOT_END;
      if (last) ring.take();
      else this.#host.bodyTaken();
      return last ? this.#lastPart(body) : { type: "http.request", body, more_body: true };
    }
    return kind === SLOT_END ? this.#lastPart(NO_BYTES) : null;
  }

  #lastPart(body: Uint8Array): HttpReceiveEvent {
    this.#bodyDelivered = true;
    const trailers = this.requestTrailers;
    if (trailers === undefined) return { type: "http.request", body, more_body: false };
    return { type: "http.request", body, more_body: false, trailers };
  }

  /** The record just taken, joined with those behind it while they are small. */
  #piece(ring: ByteRing): Uint8Array {
    const bytes = ring.bytes!;
    const first = ring.start === 0 && ring.end === bytes.length ? bytes : bytes.subarray(ring.start, ring.end);
    if (first.length >= JOIN_BELOW_BYTES || ring.peek() !== SLOT_DATA) return first;
    const parts = [first];
    let length = first.length;
    while (ring.peek() === SLOT_DATA && length + ring.peekLength() <= JOIN_BYTES) {
      ring.take();
      parts.push(ring.bytes!.subarray(ring.start, ring.end));
      length += ring.end - ring.start;
    }
    const joined = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  // ---- sending ---------------------------------------------------------------------------------------------

  send(event: SendEvent): Promise<void> {
    if (this.#gone) return this.#refuse(new ClientDisconnected());
    if (this.#sending !== null) return this.#behind(event);
    try {
      const waiting = this.#dispatch(event);
      return waiting === null ? RESOLVED : this.#waitFor(waiting);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** An application that does not await `send` still gets this error reported, when its response stays incomplete. */
  #refuse(error: unknown): Promise<void> {
    this.#unheard = error;
    const refused = Promise.reject<void>(error);
    refused.catch(noop);
    return refused;
  }

  #behind(event: SendEvent): Promise<void> {
    const next = this.#sending!.then(() => {
      if (this.#gone) throw new ClientDisconnected();
      return this.#dispatch(event) ?? undefined;
    });
    return this.#waitFor(next);
  }

  #waitFor(waiting: Promise<void>): Promise<void> {
    const settled = () => {
      if (this.#sending === waiting) this.#sending = null;
    };
    this.#sending = waiting;
    waiting.then(settled, (error: unknown) => {
      this.#unheard = error;
      settled();
    });
    return waiting;
  }

  /** Null when the event has been taken whole. */
  #dispatch(event: SendEvent): Promise<void> | null {
    switch (event.type) {
      case "http.response.start":
        return this.#start(event);
      case "http.response.body":
        return this.#body(event);
      case "http.response.trailers":
        return this.#trailers(event);
      case "http.response.pathsend":
        return this.#pathsend(event);
      case "http.response.early_hint":
        return this.#earlyHint(event);
      case "http.response.debug":
        this.#next("debug");
        this.#host.debug(this, event.info);
        return null;
      default:
        throw new ProtocolViolation(`${String((event as { type?: unknown })?.type)} can't be sent on an http scope`);
    }
  }

  /** The state behind an event, by the table. */
  #next(event: ResponseEvent): ResponseState {
    const next = RESPONSE_TABLE[this.state][event];
    if (next === undefined) throw new ProtocolViolation(`unexpected event: ${RESPONSE_EXPECTATION[this.state]}`);
    return next;
  }

  /** Encodes the head without committing it: it leaves with the first part of the body. */
  #start(event: HttpResponseStartEvent): null {
    const next = this.#next("start");
    const { status } = event;
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new ProtocolViolation(`http.response.start: status must be a whole number from 200 to 599`);
    }
    const out = this.#out;
    const encoder = this.#encoder;
    try {
      encoder.begin(out, status);
      const headers = event.headers;
      if (headers !== undefined && headers !== null) {
        for (const [name, value] of headers) encoder.field(out, name, value);
      }
      this.#host.fields.put(out, encoder);
    } catch (error) {
      out.rollback();
      throw headError(error);
    }
    this.status = status;
    this.#wantsTrailers = event.trailers === true;
    this.state = next;
    return null;
  }

  /** Adds the framing and ends the head. @param sizeBytes of the body, -1 when unknown */
  #commitHead(sizeBytes: number): void {
    const out = this.#out;
    const encoder = this.#encoder;
    const { status } = this;
    const given = encoder.contentLength;
    const length = given >= 0 ? given : sizeBytes;
    this.#bodiless = this.#isHead || status === 204 || status === 304;
    this.#chunked = !this.#bodiless && length < 0 && !this.#isOneZero;
    const endsByClose = !this.#bodiless && length < 0 && this.#isOneZero;
    if (encoder.seen & wire.SEEN_CONNECTION_CLOSE || endsByClose || this.owesContinue || this.#host.mustClose()) {
      this.keepAlive = false;
    }
    if (status !== 204 && length >= 0) wire.putContentLength(out, length);
    else if (this.#chunked) wire.putChunkedFraming(out);
    if (!this.keepAlive) wire.putConnection(out, true);
    else if (this.#isOneZero) wire.putConnection(out, false);
    wire.putHeadEnd(out);
    this.#owed = this.#bodiless || this.#chunked ? -1 : length;
    out.commit();
    this.committed = true;
  }

  #body(event: HttpResponseBodyEvent): Promise<void> | null {
    const body = event.body ?? NO_BYTES;
    if (!(body instanceof Uint8Array)) throw new ProtocolViolation("http.response.body: body must be a Uint8Array");
    const more = event.more_body === true;
    const next = this.#next(more ? "body-more" : this.#wantsTrailers ? "body-last-trailers" : "body-last");
    this.#checkLength(body.length, more);
    if (!this.committed) this.#commitHead(-1);
    this.state = more ? next : "body";
    const waiting = this.#bodiless ? null : this.#put(body, !more);
    if (waiting === null) return this.#bodyPut(next, more);
    return waiting.then(() => this.#bodyPut(next, more) ?? undefined);
  }

  #bodyPut(next: ResponseState, more: boolean): Promise<void> | null {
    if (this.#gone) throw new ClientDisconnected();
    this.state = next;
    const host = this.#host;
    if (next === "done") {
      this.#complete();
      return null;
    }
    if (this.#out.committed - this.#out.start >= FLUSH_BYTES) host.flush();
    else host.flushSoon();
    return more && host.blocked ? host.drained() : null;
  }

  #complete(): void {
    this.state = "done";
    this.#host.responseDone(this);
    this.#waiters?.wakeAll({ type: "http.disconnect" });
  }

  #checkLength(count: number, more: boolean): void {
    let owed = this.#owed;
    if (!this.committed) {
      const { status } = this;
      const given = this.#encoder.contentLength;
      owed = this.#isHead || status === 204 || status === 304 ? -1 : given;
    }
    if (owed < 0) return;
    if (count > owed) throw new ProtocolViolation("the response body is longer than its Content-Length");
    if (!more && count < owed) throw new ProtocolViolation("the response body is shorter than its Content-Length");
  }

  /** Puts a part of the body on its way; null when it is all in the buffer or the socket. */
  #put(body: Uint8Array, last: boolean): Promise<void> | null {
    const out = this.#out;
    const length = body.length;
    if (this.#owed >= 0) this.#owed -= length;
    const closing = last && this.#chunked ? (this.#wantsTrailers ? wire.LAST_CHUNK_LINE : wire.LAST_CHUNK) : NO_BYTES;
    if (!this.#chunked) return length === 0 ? null : this.#putBytes(body, 0, NO_BYTES);
    if (length === 0) {
      if (closing.length === 0) return null;
      return this.#putBytes(closing, 0, NO_BYTES);
    }
    if (!out.ensure(wire.CHUNK_LINE_BYTES)) return this.#putLater(body, closing);
    wire.putChunkLine(out, length);
    out.commit();
    return this.#putBytes(body, 0, closing.length === 0 ? wire.CRLF : CRLF_AND[closing.length]);
  }

  async #putLater(body: Uint8Array, closing: Uint8Array): Promise<void> {
    const out = this.#out;
    while (!out.ensure(wire.CHUNK_LINE_BYTES)) {
      this.#host.flush();
      if (this.#host.blocked) await this.#host.drained();
    }
    wire.putChunkLine(out, body.length);
    out.commit();
    await this.#putBytes(body, 0, closing.length === 0 ? wire.CRLF : CRLF_AND[closing.length]);
  }

  /** Moves bytes into the buffer or, when they are many, to the socket; then those of `behind`. */
  #putBytes(bytes: Uint8Array, from: number, behind: Uint8Array): Promise<void> | null {
    const host = this.#host;
    const out = this.#out;
    let at = from;
    const end = bytes.length;
    for (;;) {
      const rest = end - at;
      if (rest + behind.length <= out.room && out.ensure(rest + behind.length)) {
        out.append(bytes, at, end);
        out.append(behind, 0, behind.length);
        out.commit();
        return null;
      }
      host.flush();
      if (host.blocked) return this.#putAfterDrain(bytes, at, behind);
      if (rest >= DIRECT_BYTES) at += host.writeDirect(bytes, at, end);
      if (host.blocked) return this.#putAfterDrain(bytes, at, behind);
    }
  }

  async #putAfterDrain(bytes: Uint8Array, at: number, behind: Uint8Array): Promise<void> {
    await this.#host.drained();
    if (this.#gone) throw new ClientDisconnected();
    await this.#putBytes(bytes, at, behind);
  }

  #trailers(event: HttpResponseTrailersEvent): null {
    const more = event.more_trailers === true;
    const next = this.#next(more ? "trailers-more" : "trailers-last");
    const out = this.#out;
    const encoder = this.#encoder;
    if (this.#chunked) {
      try {
        for (const [name, value] of event.headers ?? []) {
          encoder.seen = 0;
          const before = out.end;
          encoder.field(out, name, value);
          if (encoder.seen !== 0 || out.end === before) throw new wire.EncodeError("a trailer may not be named so");
        }
        if (!more) wire.putPrepared(out, wire.CRLF);
      } catch (error) {
        out.rollback();
        throw headError(error);
      }
      out.commit();
    }
    this.state = next;
    if (next === "done") this.#complete();
    else this.#host.flushSoon();
    return null;
  }

  #earlyHint(event: HttpResponseEarlyHintEvent): null {
    this.#next("early-hint");
    if (this.#isOneZero) return null;
    const out = this.#out;
    const encoder = this.#encoder;
    try {
      encoder.begin(out, 103);
      for (const link of event.links) encoder.field(out, "link", link);
      wire.putHeadEnd(out);
    } catch (error) {
      out.rollback();
      throw headError(error);
    }
    out.commit();
    this.#host.flushSoon();
    return null;
  }

  async #pathsend(event: HttpResponsePathsendEvent): Promise<void> {
    const next = this.#next(this.#wantsTrailers ? "pathsend-trailers" : "pathsend");
    if (typeof event.path !== "string" || !event.path.startsWith("/")) {
      throw new ProtocolViolation("http.response.pathsend: path must be absolute");
    }
    const file = await this.#host.openFile(event.path);
    try {
      if (this.#gone) throw new ClientDisconnected();
      this.#checkLength(file.sizeBytes, false);
      this.#commitHead(this.#wantsTrailers && !this.#isOneZero ? -1 : file.sizeBytes);
      this.state = "body";
      if (!this.#bodiless) await this.#copyFile(file);
    } finally {
      file.close();
    }
    if (this.#gone) throw new ClientDisconnected();
    this.state = next;
    if (next === "done") this.#complete();
    else this.#host.flushSoon();
  }

  async #copyFile(file: SendableFile): Promise<void> {
    const buffer = new Uint8Array(Math.min(FILE_CHUNK_BYTES, Math.max(1, file.sizeBytes)));
    let position = 0;
    while (position < file.sizeBytes) {
      const count = await file.read(buffer, position);
      if (this.#gone) throw new ClientDisconnected();
      const length = Math.min(count, file.sizeBytes - position);
      if (length === 0)
        throw new ProtocolViolation("http.response.pathsend: the file became shorter while it was sent");
      position += length;
      await this.#put(length === buffer.length ? buffer : buffer.subarray(0, length), position === file.sizeBytes);
      this.#host.flush();
      if (this.#host.blocked) await this.#host.drained();
    }
    if (file.sizeBytes === 0) await this.#put(NO_BYTES, true);
  }
}

/** CRLF that ends a chunk, then the last chunk: by the length of what follows. */
const CRLF_AND: Readonly<Record<number, Uint8Array>> = {
  [wire.LAST_CHUNK.length]: joined(wire.CRLF, wire.LAST_CHUNK),
  [wire.LAST_CHUNK_LINE.length]: joined(wire.CRLF, wire.LAST_CHUNK_LINE),
};

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function noop(): void {}

function headError(error: unknown): unknown {
  if (error instanceof wire.EncodeError) return new ProtocolViolation(error.message);
  return error instanceof TypeError
    ? new ProtocolViolation("headers must be pairs of a name and a value, each bytes or a string")
    : error;
}
