/**
 * The sending half of a request's cycle: `http.response.*` events in, an HTTP/1 response out.
 * ASGI HTTP specification 2.5; framing by RFC 9112 section 6, content rules by RFC 9110 section 6.4.1.
 */
import type { OutBuffer } from "../protocol/buffer.ts";
import type { HeadEncoder } from "../protocol/http1/encoder.ts";
import * as wire from "../protocol/http1/encoder.ts";
import type { HttpCycle } from "./cycle.ts";
import type { CycleHost, SendableFile } from "./cycle-host.ts";
import { ClientDisconnected, ProtocolViolation } from "./errors.ts";
import { CRLF_AND, headError, putFields } from "./response-fields.ts";
import { appendShort, checkPath, pieceBuffer, readPiece } from "./response-file.ts";
import * as states from "./response-states.ts";
import { joinAhead } from "./room-ahead.ts";
import type {
  HttpResponseBodyEvent,
  HttpResponseEarlyHintEvent,
  HttpResponsePathsendEvent,
  HttpResponseStartEvent,
  HttpResponseTrailersEvent,
  HttpScope,
  SendEvent,
} from "./types.ts";

const NO_BYTES = new Uint8Array(0);
/** A streamed response leaves in the middle of a turn once this much has gathered. */
const FLUSH_BYTES = 16 * 1024;
/** A body part of at least this size is offered to the socket from where it stands. */
const DIRECT_BYTES = 16 * 1024;

/** What `send` returns for an event that has been taken at once: its arrays are the application's again. */
export const RESOLVED: Promise<void> = Promise.resolve();

/** Between two requests. */
const NO_SCOPE = Object.freeze({}) as unknown as HttpScope;
const NOBODY = Object.freeze({ out: undefined, encoder: undefined }) as unknown as CycleHost;

export abstract class ResponseSender {
  scope: HttpScope = NO_SCOPE;
  /** What server and logs go by, whatever the application does to its scope. */
  method = "";
  rawPath: Uint8Array = NO_BYTES;
  query: Uint8Array = NO_BYTES;
  client: HttpScope["client"] = null;
  version = "";
  isHead = false;
  /** The connection may serve another request after this one. */
  keepAlive = false;
  /** 100 (Continue) is still owed: sent when the application first asks for the body. */
  owesContinue = false;
  /** Status of the response, 0 before `http.response.start`. */
  status = 0;
  /** A number of response-states.ts. */
  state: number = states.DONE;
  /** Its head has left or is about to: it can't be replaced by an error response. */
  committed = false;
  /** Its host holds it no more. */
  letGo = false;
  roomAhead = 0;

  protected host: CycleHost = NOBODY;
  protected out: OutBuffer = NOBODY.out;
  /** No promise of its own refers to it. */
  protected reusable = false;
  /** The socket is gone, or given to somebody else. */
  protected gone = false;
  /** What the first refused `send` threw: those behind it are refused because of it. */
  protected unheard: unknown = undefined;
  /** A `send` that waits for the client; later ones queue behind it. */
  protected sending: Promise<void> | null = null;
  #encoder: HeadEncoder = NOBODY.encoder;
  #isOneZero = false;
  /** An application's iterable is being read: what it sends meanwhile comes after it. */
  protected encoding = false;
  #wantsTrailers = false;
  #chunked = false;
  #bodiless = false;
  /** Bytes still owed of a sized body; -1 when it is not sized. */
  #owed = -1;

  /** For another request. */
  protected take(host: CycleHost, scope: HttpScope, keepAlive: boolean, owesContinue: boolean): void {
    this.host = host;
    this.out = host.out;
    this.#encoder = host.encoder;
    this.scope = scope;
    this.keepAlive = keepAlive;
    this.owesContinue = owesContinue;
    this.method = scope.method;
    this.rawPath = scope.raw_path;
    this.query = scope.query_string;
    this.client = scope.client;
    this.version = scope.http_version;
    this.isHead = scope.method === "HEAD";
    this.#isOneZero = scope.http_version === "1.0";
    this.state = states.IDLE;
    this.status = 0;
    this.committed = false;
    this.reusable = true;
    this.letGo = false;
    this.#wantsTrailers = false;
    this.#owed = -1;
  }

  /** Lets go of its request. */
  protected release(): void {
    this.host = NOBODY;
    this.out = NOBODY.out;
    this.#encoder = NOBODY.encoder;
    this.scope = NO_SCOPE;
    this.rawPath = NO_BYTES;
    this.query = NO_BYTES;
    this.unheard = undefined;
  }

  /** The response is complete: what waits in `receive` must learn that. */
  protected abstract ended(): void;

  /** The whole cycle, as its host knows it. */
  protected abstract readonly cycle: HttpCycle;

  send(event: SendEvent): Promise<void> {
    if (this.gone) return this.#refuse(new ClientDisconnected());
    if (this.sending !== null) return this.#behind(event);
    if (this.encoding) return this.#afterEncoding(event);
    try {
      const waiting = this.#dispatch(event);
      return waiting === null ? RESOLVED : this.#waitFor(waiting);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** An application that does not await `send` still gets this error reported, when its response stays incomplete. */
  #refuse(error: unknown): Promise<void> {
    this.unheard ??= error;
    const refused = Promise.reject<void>(error);
    refused.catch(noop);
    return refused;
  }

  #afterEncoding(event: SendEvent): Promise<void> {
    this.reusable = false;
    const later = RESOLVED.then(() => this.send(event));
    later.catch(noop);
    return later;
  }

  #behind(event: SendEvent): Promise<void> {
    const next = this.sending!.then(() => {
      if (this.gone) throw new ClientDisconnected();
      return this.#dispatch(event) ?? undefined;
    });
    return this.#waitFor(next);
  }

  #waitFor(waiting: Promise<void>): Promise<void> {
    this.reusable = false;
    const settled = () => {
      if (this.sending === waiting) this.sending = null;
    };
    this.sending = waiting;
    waiting.then(settled, (error: unknown) => {
      this.unheard = error;
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
        this.#next(states.DEBUG);
        this.host.debug(this.cycle, event.info);
        return null;
      default:
        throw new ProtocolViolation(`${String((event as { type?: unknown })?.type)} can't be sent on an http scope`);
    }
  }

  /** The state behind an event, by the table. */
  #next(event: number): number {
    const next = states.nextState(this.state, event);
    if (next !== states.VIOLATION) return next;
    throw new ProtocolViolation(`unexpected event: ${states.RESPONSE_EXPECTATION[states.RESPONSE_STATES[this.state]]}`);
  }

  /** Encodes the head without committing it: it leaves with the first part of the body. */
  #start(event: HttpResponseStartEvent): null {
    const next = this.#next(states.START);
    const { status } = event;
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new ProtocolViolation(`http.response.start: status must be a whole number from 200 to 599`);
    }
    const out = this.out;
    const encoder = this.#encoder;
    this.encoding = true;
    try {
      encoder.begin(out, status);
      const headers = event.headers;
      if (headers !== undefined && headers !== null) putFields(out, encoder, headers);
      this.host.fields.put(out, encoder);
    } catch (error) {
      this.#takeBack(error);
    }
    this.encoding = false;
    this.status = status;
    this.#wantsTrailers = event.trailers === true;
    this.state = next;
    return null;
  }

  /** Forgets the lines of a head or trailer section that can't be sent as asked. */
  #takeBack(error: unknown): never {
    this.encoding = false;
    this.out.rollback();
    throw headError(error);
  }

  /** Takes the event once the client has taken what waits, so that it may have the whole buffer. */
  async #onceDrained(event: SendEvent): Promise<void> {
    await this.host.drained();
    if (this.gone) throw new ClientDisconnected();
    await this.#dispatch(event);
  }

  /** Adds the framing and ends the head. @param sizeBytes of the body, -1 when unknown */
  #commitHead(sizeBytes: number): void {
    const out = this.out;
    const encoder = this.#encoder;
    const { status } = this;
    if (!out.ensure(wire.FRAMING_BYTES)) throw new ProtocolViolation("the response head is over 64 KiB");
    const given = encoder.contentLength;
    const length = given >= 0 ? given : sizeBytes;
    this.#bodiless = this.isHead || status === 204 || status === 304;
    this.#chunked = !this.#bodiless && length < 0 && !this.#isOneZero;
    const endsByClose = !this.#bodiless && length < 0 && this.#isOneZero;
    if (encoder.seen & wire.SEEN_CONNECTION_CLOSE || endsByClose || this.owesContinue || this.host.mustClose()) {
      this.keepAlive = false;
    }
    if (given < 0 && length >= 0 && status !== 204) wire.putContentLength(out, length);
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
    const next = this.#next(
      more ? states.BODY_MORE : this.#wantsTrailers ? states.BODY_LAST_TRAILERS : states.BODY_LAST,
    );
    this.#checkLength(body.length, more);
    if (!this.committed) this.#commitHead(-1);
    this.state = more ? next : states.IN_BODY;
    const waiting = this.#bodiless ? null : this.#put(body, !more);
    if (waiting === null) return this.#bodyPut(next, more);
    return waiting.then(() => this.#bodyPut(next, more) ?? undefined);
  }

  #bodyPut(next: number, more: boolean): Promise<void> | null {
    if (this.gone) throw new ClientDisconnected();
    this.state = next;
    const host = this.host;
    if (next === states.DONE) {
      this.#complete();
      return null;
    }
    if (this.out.committed - this.out.start >= FLUSH_BYTES) host.flush();
    else host.flushSoon();
    return more && host.blocked ? host.drained() : null;
  }

  #complete(): void {
    this.state = states.DONE;
    this.host.responseDone(this.cycle);
    this.ended();
  }

  #checkLength(count: number, more: boolean): void {
    const isBare = this.isHead || this.status === 204 || this.status === 304;
    const owed = this.committed ? this.#owed : isBare ? -1 : this.#encoder.contentLength;
    if (owed < 0) return;
    if (count > owed) throw new ProtocolViolation("the response body is longer than its Content-Length");
    if (!more && count < owed) throw new ProtocolViolation("the response body is shorter than its Content-Length");
  }

  /** Puts a part of the body on its way; null when it is all in the buffer or the socket. */
  #put(body: Uint8Array, last: boolean): Promise<void> | null {
    const out = this.out;
    const length = body.length;
    if (this.#owed >= 0) this.#owed -= length;
    const closing = last && this.#chunked ? (this.#wantsTrailers ? wire.LAST_CHUNK_LINE : wire.LAST_CHUNK) : NO_BYTES;
    if (!this.#chunked) return length === 0 ? null : this.#putBytes(body, 0, NO_BYTES);
    if (length === 0) return closing.length === 0 ? null : this.#putBytes(closing, 0, NO_BYTES);
    if (!out.ensure(wire.CHUNK_LINE_BYTES)) return this.#putLater(body, closing);
    wire.putChunkLine(out, length);
    out.commit();
    return this.#putBytes(body, 0, closing.length === 0 ? wire.CRLF : CRLF_AND[closing.length]);
  }

  async #putLater(body: Uint8Array, closing: Uint8Array): Promise<void> {
    const out = this.out;
    while (!out.ensure(wire.CHUNK_LINE_BYTES)) {
      this.host.flush();
      if (this.host.blocked) await this.host.drained();
      if (this.gone) throw new ClientDisconnected();
    }
    wire.putChunkLine(out, body.length);
    out.commit();
    await this.#putBytes(body, 0, closing.length === 0 ? wire.CRLF : CRLF_AND[closing.length]);
  }

  /** Moves bytes into the buffer or, when they are many, to the socket; then those of `behind`. */
  #putBytes(body: Uint8Array, from: number, behind: Uint8Array): Promise<void> | null {
    const { host, out } = this;
    const joined = this.roomAhead > 0 && !host.blocked ? joinAhead(out, body, this.roomAhead) : null;
    const bytes = joined ?? body;
    let at = joined === null ? from : host.writeDirect(joined, 0, joined.length);
    const end = bytes.length;
    for (;;) {
      if (host.blocked && at > from) return this.#putAfterDrain(bytes, at, behind);
      const rest = end - at;
      const fits = rest + behind.length <= out.room && (rest < DIRECT_BYTES || out.end > out.start);
      if (fits && out.ensure(rest + behind.length)) {
        out.append(bytes, at, end);
        out.append(behind, 0, behind.length);
        out.commit();
        return null;
      }
      host.flush();
      if (host.blocked) return this.#putAfterDrain(bytes, at, behind);
      if (rest >= DIRECT_BYTES) at += host.writeDirect(bytes, at, end);
    }
  }

  async #putAfterDrain(bytes: Uint8Array, at: number, behind: Uint8Array): Promise<void> {
    const { length } = bytes;
    await this.host.drained();
    if (this.gone) throw new ClientDisconnected();
    // Transferred to another thread, or resized: what was announced can't be sent any more.
    if (bytes.length !== length) throw new ProtocolViolation("the body array changed while it was being sent");
    await this.#putBytes(bytes, at, behind);
  }

  #trailers(event: HttpResponseTrailersEvent): Promise<void> | null {
    const more = event.more_trailers === true;
    const next = this.#next(more ? states.TRAILERS_MORE : states.TRAILERS_LAST);
    if (this.host.blocked) return this.#onceDrained(event);
    const out = this.out;
    const encoder = this.#encoder;
    if (this.#chunked) {
      this.encoding = true;
      try {
        for (const [name, value] of event.headers ?? []) {
          encoder.seen = 0;
          const before = out.end;
          encoder.field(out, name, value);
          if (encoder.seen !== 0 || out.end === before) throw new wire.EncodeError("a trailer may not be named so");
        }
        if (!more) wire.putPrepared(out, wire.CRLF);
      } catch (error) {
        this.#takeBack(error);
      }
      this.encoding = false;
      out.commit();
    }
    this.state = next;
    if (next === states.DONE) this.#complete();
    else this.host.flushSoon();
    return null;
  }

  #earlyHint(event: HttpResponseEarlyHintEvent): Promise<void> | null {
    this.#next(states.EARLY_HINT);
    if (this.#isOneZero) return null;
    if (this.host.blocked) return this.#onceDrained(event);
    const out = this.out;
    const encoder = this.#encoder;
    this.encoding = true;
    try {
      encoder.begin(out, 103);
      for (const link of event.links) encoder.field(out, "link", link);
      wire.putHeadEnd(out);
    } catch (error) {
      this.#takeBack(error);
    }
    this.encoding = false;
    out.commit();
    this.host.flushSoon();
    return null;
  }

  async #pathsend(event: HttpResponsePathsendEvent): Promise<void> {
    const next = this.#next(this.#wantsTrailers ? states.PATHSEND_TRAILERS : states.PATHSEND);
    checkPath(event.path);
    const file = await this.host.openFile(event.path);
    try {
      event.opened?.();
      if (this.gone) throw new ClientDisconnected();
      this.#checkLength(file.sizeBytes, false);
      this.#commitHead(this.#wantsTrailers && !this.#isOneZero ? -1 : file.sizeBytes);
      this.state = states.IN_BODY;
      if (!this.#bodiless) await this.#copyFile(file);
    } finally {
      file.close();
    }
    if (this.gone) throw new ClientDisconnected();
    this.state = next;
    if (next === states.DONE) this.#complete();
    else this.host.flushSoon();
  }

  async #copyFile(file: SendableFile): Promise<void> {
    const { sizeBytes } = file;
    if (!this.#chunked && appendShort(file, this.out)) {
      if (this.#owed >= 0) this.#owed -= sizeBytes;
      return;
    }
    const buffer = pieceBuffer(sizeBytes);
    for (let position = 0; position < sizeBytes; ) {
      const piece = await readPiece(file, buffer, position);
      if (this.gone) throw new ClientDisconnected();
      position += piece.length;
      await this.#put(piece, position === sizeBytes);
      this.host.flush();
      if (this.host.blocked) await this.host.drained();
    }
    if (sizeBytes === 0) await this.#put(NO_BYTES, true);
  }
}

function noop(): void {}
