/**
 * One request and its response: joins the connection's events to an application's `receive` and `send`.
 * This is the receiving half and the run of the application; ASGI HTTP specification 2.5.
 */
import { SLOT_DATA, SLOT_END } from "../channel/layout.ts";
import type { ByteRing } from "../channel/ring.ts";
import { Waiters } from "../channel/waiters.ts";
import * as wire from "../protocol/http1/encoder.ts";
import { type Content, callOf, type HttpCall } from "./call.ts";
import type { CycleHost } from "./cycle-host.ts";
import { ClientDisconnected, ProtocolViolation } from "./errors.ts";
import { ResponseSender } from "./response.ts";
import { DONE, RESPONSE_EXPECTATION } from "./response-states.ts";
import type { Application, HeaderPair, HttpReceiveEvent, HttpScope } from "./types.ts";

const NO_BYTES = new Uint8Array(0);
/** Body pieces smaller than this are joined with those behind them. */
const JOIN_BELOW_BYTES = 4 * 1024;
/** At most this many bytes are joined into one event. */
const JOIN_BYTES = 64 * 1024;

/** Cycles that are done are used again, up to so many: making one costs more than the rest of a request's bookkeeping. */
const KEPT_CYCLES = 256;
const spare: HttpCycle[] = [];

const DISCONNECT: HttpReceiveEvent = { type: "http.disconnect" };

interface Persistence {
  readonly keepAlive: boolean;
  readonly expectContinue: boolean;
}

export class HttpCycle extends ResponseSender implements HttpCall {
  /** Trailers of the complete request, when it had any. */
  requestTrailers: readonly HeaderPair[] | undefined = undefined;
  /** The application has been told `http.disconnect`: its client has half-closed, or the server's time to stop is up. */
  toldOfEnd = false;
  protected readonly cycle = this;
  /** Made when `receive` first finds nothing. */
  #waiters: Waiters<HttpReceiveEvent> | null = null;
  #bodyDelivered = false;
  #hasBody = true;
  #disconnected = false;
  /** Counts its requests: what an application keeps of an earlier one must not act on a later one. */
  #serial = 0;
  /** Whom `watch` was told. */
  #onGone: (() => void) | null = null;
  readonly #onReturned = () => {
    this.host.applicationEnded();
    this.returned();
  };
  readonly #onRaised = (error: unknown) => {
    this.host.applicationEnded();
    this.raised(error);
  };

  /** @param head what the request's head says of its connection */
  static open(host: CycleHost, scope: HttpScope, head: Persistence): HttpCycle {
    const cycle = spare.pop() ?? new HttpCycle();
    cycle.take(host, scope, head.keepAlive, head.expectContinue);
    cycle.#bodyDelivered = false;
    cycle.#hasBody = true;
    cycle.toldOfEnd = false;
    return cycle;
  }

  protected ended(): void {
    this.#waiters?.wakeAll({ ...DISCONNECT });
  }

  /** Calls the application. What it throws, now or later, ends here. */
  run(app: Application): void {
    let running: Promise<void> | void;
    const serial = this.#serial;
    try {
      const call = callOf(app);
      if (call !== undefined) {
        call(this);
        return;
      }
      running = app(
        this.scope,
        () => (this.#serial === serial ? this.receive() : Promise.resolve({ ...DISCONNECT })),
        (event) => (this.#serial === serial ? this.send(event) : refuseLate()),
      );
    } catch (error) {
      this.raised(error);
      return;
    }
    if (running instanceof Promise) {
      this.host.applicationBegan();
      running.then(this.#onReturned, this.#onRaised);
    } else this.#returnedOdd(running);
  }

  /** No promise: nothing, which is the end, or a thenable of somebody's own. */
  #returnedOdd(running: unknown): void {
    if (typeof running !== "object" || running === null) {
      this.returned();
      return;
    }
    this.host.applicationBegan();
    Promise.resolve(running).then(this.#onReturned, this.#onRaised);
  }

  returned(): void {
    if (this.state === DONE) {
      if (this.reusable && this.letGo) this.#retire();
    } else if (this.sending !== null) {
      this.sending.then(
        () => this.returned(),
        (error: unknown) => this.raised(error),
      );
    } else this.#fail(this.unheard);
  }

  /** The response is complete and the application has returned: another request may have this object. */
  #retire(): void {
    this.reusable = false;
    this.#serial++;
    this.requestTrailers = undefined;
    this.#onGone = null;
    this.release();
    if (spare.length < KEPT_CYCLES) spare.push(this);
  }

  raised(error: unknown): void {
    if (this.state !== DONE) this.#fail(error);
    else if (!(this.gone && error instanceof ClientDisconnected)) this.host.reportError(this, error);
  }

  #fail(error: unknown): void {
    this.state = DONE;
    this.out.rollback();
    this.host.responseFailed(this, error);
  }

  // ---- for a call application ------------------------------------------------------------------------------

  get content(): Content {
    if (!this.#hasBody) return "none";
    return this.owesContinue ? "on-demand" : "some";
  }

  watch(gone: () => void): void {
    if (this.#disconnected) this.#tell(gone);
    else this.#onGone = gone;
  }

  // ---- receiving -------------------------------------------------------------------------------------------

  receive(): Promise<HttpReceiveEvent> {
    if (this.state === DONE) return Promise.resolve({ ...DISCONNECT });
    if (this.encoding) return this.#afterEncoding();
    if (!this.#bodyDelivered && this.#waiters?.any !== true) {
      const event = this.#takeBody();
      if (event !== null) return Promise.resolve(event);
      if (!this.#disconnected) this.#sayContinue();
    }
    if (this.#disconnected) {
      this.toldOfEnd = true;
      return Promise.resolve({ ...DISCONNECT });
    }
    this.reusable = false;
    this.#waiters ??= new Waiters<HttpReceiveEvent>();
    return this.#waiters.park();
  }

  /** Taking from the ring lets the connection go on, which may end this request: not while its head is half written. */
  #afterEncoding(): Promise<HttpReceiveEvent> {
    this.reusable = false;
    return Promise.resolve().then(() => this.receive());
  }

  /** Call before `run`: the request is complete without content, and the host's ring has nothing of it. */
  withoutBody(): void {
    this.#hasBody = false;
    this.owesContinue = false;
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
    this.reusable = false;
    if (this.#waiters?.any === true) {
      this.toldOfEnd = true;
      this.#waiters.wakeAll({ ...DISCONNECT });
    }
    const gone = this.#onGone;
    this.#onGone = null;
    if (gone !== null) this.#tell(gone);
  }

  #tell(gone: () => void): void {
    this.toldOfEnd = true;
    gone();
  }

  /** The socket is gone or given to somebody else: nothing of this cycle may touch it again. */
  detach(): void {
    this.reusable = false;
    this.gone = true;
    this.state = DONE;
    this.disconnect();
  }

  #sayContinue(): void {
    if (!this.owesContinue) return;
    this.owesContinue = false;
    if (!this.committed && this.out.commitAhead(wire.CONTINUE_RESPONSE)) this.host.flush();
    this.host.bodyTaken();
  }

  #takeBody(): HttpReceiveEvent | null {
    if (!this.#hasBody) return this.#lastPart(NO_BYTES);
    const { ring } = this.host;
    const kind = ring.take();
    if (kind === SLOT_DATA) {
      const body = this.#piece(ring);
      const last = ring.peek() === SLOT_END;
      if (last) ring.take();
      else this.host.bodyTaken();
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
}

/** `send` of an application that has returned, after its response was complete. */
function refuseLate(): Promise<void> {
  const refused = Promise.reject<void>(new ProtocolViolation(`unexpected event: ${RESPONSE_EXPECTATION.done}`));
  refused.catch(noop);
  return refused;
}

function noop(): void {}
