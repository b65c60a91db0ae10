/**
 * One request and its response: joins the connection's events to an application's `receive` and `send`.
 * This is the receiving half and the run of the application; ASGI HTTP specification 2.5.
 */
import { SLOT_DATA, SLOT_END } from "../channel/layout.ts";
import type { ByteRing } from "../channel/ring.ts";
import { Waiters } from "../channel/waiters.ts";
import * as wire from "../protocol/http1/encoder.ts";
import { ClientDisconnected } from "./errors.ts";
import { ResponseSender } from "./response.ts";
import { DONE } from "./response-states.ts";
import type { Application, HeaderPair, HttpReceiveEvent } from "./types.ts";

const NO_BYTES = new Uint8Array(0);
/** Body pieces smaller than this are joined with those behind them. */
const JOIN_BELOW_BYTES = 4 * 1024;
/** At most this many bytes are joined into one event. */
const JOIN_BYTES = 64 * 1024;

export class HttpCycle extends ResponseSender {
  /** Trailers of the complete request, when it had any. */
  requestTrailers: readonly HeaderPair[] | undefined = undefined;
  protected readonly cycle = this;
  /** Made when `receive` first finds nothing. */
  #waiters: Waiters<HttpReceiveEvent> | null = null;
  #bodyDelivered = false;
  #disconnected = false;

  protected ended(): void {
    this.#waiters?.wakeAll({ type: "http.disconnect" });
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
    if (running instanceof Promise) this.#await(running);
    else this.#returnedOdd(running);
  }

  #await(running: Promise<unknown>): void {
    running.then(
      () => this.#returned(),
      (error: unknown) => this.#raised(error),
    );
  }

  /** No promise: nothing, which is the end, or a thenable of somebody's own. */
  #returnedOdd(running: unknown): void {
    if (typeof running === "object" && running !== null) this.#await(Promise.resolve(running));
    else this.#returned();
  }

  #returned(): void {
    if (this.state === DONE) return;
    if (this.sending !== null) {
      this.sending.then(
        () => this.#returned(),
        (error: unknown) => this.#raised(error),
      );
      return;
    }
    this.#fail(this.unheard);
  }

  #raised(error: unknown): void {
    if (this.state !== DONE) this.#fail(error);
    else if (!(this.gone && error instanceof ClientDisconnected)) this.host.reportError(this, error);
  }

  #fail(error: unknown): void {
    this.state = DONE;
    this.out.rollback();
    this.host.responseFailed(this, error);
  }

  // ---- receiving -------------------------------------------------------------------------------------------

  receive(): Promise<HttpReceiveEvent> {
    if (this.state === DONE) return Promise.resolve({ type: "http.disconnect" });
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
    this.gone = true;
    this.state = DONE;
    this.disconnect();
  }

  #sayContinue(): void {
    if (!this.owesContinue || this.committed) return;
    this.owesContinue = false;
    if (this.out.commitAhead(wire.CONTINUE_RESPONSE)) this.host.flush();
  }

  #takeBody(): HttpReceiveEvent | null {
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
