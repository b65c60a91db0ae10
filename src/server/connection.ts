/**
 * One HTTP/1 connection: moves bytes between its socket, the parser, the cycle of its current request and the
 * output buffer; decides about keep-alive, limits, timeouts and the way it ends. RFC 9112 section 9.
 */
import { type CycleHost, HttpCycle, type SendableFile } from "../asgi/cycle.ts";
import type { DefaultFields } from "../asgi/default-fields.ts";
import { ClientDisconnected } from "../asgi/errors.ts";
import { splitFieldLines } from "../asgi/headers.ts";
import type { Application } from "../asgi/types.ts";
import type { ByteRing } from "../channel/ring.ts";
import { Waiters } from "../channel/waiters.ts";
import type { OutBuffer } from "../protocol/buffer.ts";
import { closingResponse, type HeadEncoder } from "../protocol/http1/encoder.ts";
import { AUTHORITY, BODY, END, ERROR, HEAD, NEED_DATA } from "../protocol/http1/parser.ts";
import type { Socket, SocketHandler } from "../runtime/types.ts";
import type { ServerContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { HeldInput } from "./held-input.ts";
import { logApplicationError, refusalApp } from "./responses.ts";

/** The life of a connection, one way. */
const OPEN = 0;
/** Its last response is on its way; what arrives is dropped. */
const FINISHING = 1;
/** FIN is sent; the peer's is awaited, within limits. */
const LINGERING = 2;
const CLOSED = 3;

/** What the read deadline is for. */
const DEADLINE_NONE = 0;
const DEADLINE_IDLE = 1;
const DEADLINE_HEAD = 2;
const DEADLINE_BODY = 3;
const DEADLINE_LINGER = 4;

/** When the server stops: for heads that are half received and for closing connections. */
const STOP_GRACE_MS = 1000;

type Client = readonly [host: string, port: number] | null;
type ServerAddress = readonly [host: string, port: number | null] | null;

export class Connection implements SocketHandler, CycleHost {
  /** Position in the server's list of connections. */
  slot = 0;
  /** It waits in the server's list of connections to be flushed, or to be woken. */
  flushQueued = false;
  wakeQueued = false;
  blocked = false;

  readonly #context: ServerContext;
  readonly #socket: Socket;
  #phase = OPEN;
  #exchange: Exchange | null = null;
  #cycle: HttpCycle | null = null;
  #held: HeldInput | null = null;
  #drainWaiters: Waiters<boolean> | null = null;
  #client: Client | undefined = undefined;
  #server: ServerAddress = null;
  #trusted = false;
  #requests = 0;
  #readDeadline: number;
  #deadlineKind = DEADLINE_IDLE;
  #writeDeadline = 0;
  #lingerBytes = 0;
  /** The current request has been received whole. */
  #bodyDone = true;
  /** The current cycle's application has not been called yet. */
  #notStarted = false;
  /** What is left of the current request's body is dropped: its response is complete. */
  #discarding = 0;
  /** The input can't be understood any further. */
  #inputDead = false;
  #peerEnded = false;
  #paused = false;
  #pumping = false;
  /** The parser's chunk stays as it is after this turn. */
  #chunkKept = true;
  /** Bytes of the current request's body so far. */
  #bodyBytes = 0;

  constructor(context: ServerContext, socket: Socket) {
    this.#context = context;
    this.#socket = socket;
    this.#readDeadline = context.now + context.options.limits.headerTimeoutMs;
    context.opened(this);
  }

  // ---- what a cycle may ask for ----------------------------------------------------------------------------

  get out(): OutBuffer {
    return this.#exchange!.out;
  }

  get encoder(): HeadEncoder {
    return this.#exchange!.encoder;
  }

  get ring(): ByteRing {
    return this.#exchange!.ring;
  }

  get fields(): DefaultFields {
    return this.#context.fields;
  }

  drained(): Promise<void> {
    if (this.#phase === CLOSED) return Promise.reject(new ClientDisconnected());
    this.#drainWaiters ??= new Waiters<boolean>();
    return this.#drainWaiters.park().then(throwIfGone);
  }

  flushSoon(): void {
    if (!this.flushQueued) this.#context.flushLater(this);
  }

  flush(): void {
    const exchange = this.#exchange;
    if (exchange === null || this.blocked) return;
    const { out } = exchange;
    const count = out.committed - out.start;
    if (count === 0) return;
    const taken = this.#socket.write(out.bytes, out.start, out.committed);
    if (taken < 0) this.#stuck();
    else {
      out.took(out.start + taken);
      if (taken < count) this.#stuck();
    }
  }

  writeDirect(bytes: Uint8Array, start: number, end: number): number {
    const taken = this.#socket.write(bytes, start, end);
    if (taken < end - start) this.#stuck();
    return Math.max(taken, 0);
  }

  bodyTaken(): void {
    if (this.#bodyDone || this.#pumping) return;
    if (this.#hasInput()) this.#pump();
    this.#resumeReading();
  }

  mustClose(): boolean {
    const { limits } = this.#context.options;
    return (
      this.#context.stopping ||
      this.#inputDead ||
      (this.#peerEnded && !this.#hasInput()) ||
      (limits.requestsPerConnection > 0 && this.#requests >= limits.requestsPerConnection) ||
      (!this.#bodyDone && this.#exchange!.parser.contentLength - this.#bodyBytes > limits.lingerBytes)
    );
  }

  openFile(path: string): Promise<SendableFile> {
    return this.#context.runtime.openFile(path);
  }

  responseDone(cycle: HttpCycle): void {
    this.#requestEnded(cycle);
    if (!cycle.keepAlive) {
      this.#cycle = null;
      this.#finish();
      return;
    }
    if (!this.#bodyDone) {
      this.#startDiscarding();
      return;
    }
    this.#cycle = null;
    this.#next();
  }

  responseFailed(cycle: HttpCycle, error: unknown): void {
    const { logger } = this.#context;
    const wasCommitted = cycle.committed;
    const wasGone = this.#inputDead || this.#peerEnded;
    if (error !== undefined || !wasGone) logApplicationError(logger, cycle, error);
    cycle.detach();
    if (wasCommitted) {
      this.#requestEnded(cycle);
      this.#cycle = null;
      this.#reset();
      return;
    }
    const left = wasGone && error === undefined;
    if (!left) cycle.status = 500;
    else if (this.#inputDead) cycle.status = 400;
    this.#requestEnded(cycle);
    this.#cycle = null;
    if (cycle.status === 0) this.#finish();
    else this.#answerAndFinish(cycle.status, cycle.scope.method === "HEAD");
  }

  reportError(cycle: HttpCycle, error: unknown): void {
    logApplicationError(this.#context.logger, cycle, error);
  }

  debug(cycle: HttpCycle, info: unknown): void {
    const { logger } = this.#context;
    if (logger.enabled("debug")) logger.debug(`http.response.debug of ${cycle.scope.method}: ${JSON.stringify(info)}`);
  }

  // ---- what the socket says --------------------------------------------------------------------------------

  onData(chunk: Uint8Array, length: number): void {
    if (this.#phase !== OPEN) {
      this.#drop(length);
      return;
    }
    let exchange = this.#exchange;
    if (exchange === null) {
      exchange = this.#exchange = this.#context.pool.borrow();
      if (this.#client === undefined) this.#identify();
    }
    const { parser } = exchange;
    if (this.#pumping || this.#mayNotParse() || parser.position < parser.limit || this.#held !== null) {
      this.#hold(chunk, length);
      return;
    }
    this.#chunkKept = this.#context.runtime.ownsChunks;
    parser.feed(chunk, 0, length);
    this.#pump();
    this.#keepRemainder();
  }

  onDrain(): void {
    this.blocked = false;
    this.#writeDeadline = 0;
    this.flush();
    if (this.blocked) return;
    this.#drainWaiters?.wakeAll(true);
    if (this.#phase === FINISHING) this.#linger();
    else this.#settle();
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#phase === LINGERING) this.#close();
    else if (this.#phase === OPEN) this.#inputEnded();
  }

  onEndUnread(unreadBytes: number): void {
    const cycle = this.#cycle;
    if (cycle === null || this.#bodyDone || unreadBytes < 0) return;
    const { parser } = this.#exchange!;
    if (parser.chunked) return;
    const still = unreadBytes + (parser.limit - parser.position) + (this.#held?.bytes ?? 0);
    if (still < parser.contentLength - this.#bodyBytes) this.#truncated(cycle);
  }

  onClose(error: Error | undefined): void {
    if (this.#phase === CLOSED) return;
    this.#phase = CLOSED;
    if (error !== undefined) this.#context.logger.trace(`connection lost: ${error.message}`);
    const cycle = this.#cycle;
    if (cycle !== null) {
      this.#cycle = null;
      if (this.#discarding === 0) this.#requestEnded(cycle);
      cycle.detach();
    }
    this.#drainWaiters?.wakeAll(false);
    this.#giveBack();
    this.#context.closed(this);
  }

  // ---- what the server says --------------------------------------------------------------------------------

  /** Ends now if idle, else with the current response. */
  stop(): void {
    const soon = this.#context.now + STOP_GRACE_MS;
    if (this.#phase === LINGERING) this.#readDeadline = Math.min(this.#readDeadline, soon);
    if (this.#phase !== OPEN || this.#cycle !== null) return;
    const exchange = this.#exchange;
    if (exchange === null || (exchange.parser.idle && !this.#hasInput())) this.#finish();
    else this.#readDeadline = Math.min(this.#readDeadline, soon);
  }

  /** Tells a running application that its time is up. */
  notifyStop(): void {
    this.#cycle?.disconnect();
  }

  /** Ends at once. */
  abort(): void {
    if (this.#phase !== CLOSED) this.#reset();
  }

  /** Parses the next request; called by the server's own loop. */
  resumePump(): void {
    if (this.#phase !== OPEN) return;
    this.#pump();
    this.#resumeReading();
  }

  /** Acts on a deadline that has passed. */
  sweep(now: number): void {
    if (this.#writeDeadline !== 0 && now >= this.#writeDeadline) {
      this.#context.logger.info("a client took no byte of its response in time; connection reset");
      this.#reset();
      return;
    }
    if (this.#deadlineKind === DEADLINE_NONE || now < this.#readDeadline) return;
    const kind = this.#deadlineKind;
    this.#deadlineKind = DEADLINE_NONE;
    if (kind === DEADLINE_HEAD) this.#reject(408, "no complete request head in time");
    else if (kind === DEADLINE_BODY) this.#reject(408, "no more of the request body in time");
    else if (kind === DEADLINE_IDLE) this.#finish();
    else this.#close();
  }

  // ---- input -----------------------------------------------------------------------------------------------

  #identify(): void {
    const { remote, local } = this.#socket;
    const { options, scopes } = this.#context;
    this.#client = remote.host === "" ? null : Object.freeze([remote.host, remote.port] as const);
    this.#server = Object.freeze(
      options.uds === undefined ? [local.host, local.port] : [options.uds, null],
    ) as ServerAddress;
    this.#trusted = scopes.trusts(remote.host);
  }

  /** The current request is whole and unanswered, or its ring is full: what arrives must wait. */
  #mayNotParse(): boolean {
    if (this.#inputDead) return true;
    if (this.#cycle === null) return false;
    return this.#bodyDone || (this.#discarding === 0 && this.#exchange!.ring.full);
  }

  #hasInput(): boolean {
    const exchange = this.#exchange;
    return exchange !== null && (exchange.parser.position < exchange.parser.limit || this.#held !== null);
  }

  #hold(chunk: Uint8Array, length: number): void {
    if (this.#inputDead || (this.#cycle !== null && this.#bodyDone && !this.#cycle.keepAlive)) {
      this.#drop(length);
      return;
    }
    this.#held ??= new HeldInput();
    this.#held.add(this.#context.runtime.ownsChunks ? chunk : chunk.slice(0, length), length);
    const { limits } = this.#context.options;
    if (this.#held.bytes >= limits.pipelinedBytes || this.#held.heads >= limits.pipelinedRequests) this.#pauseReading();
  }

  /** On runtimes that reuse their read buffer, what the parser has not consumed is copied before that happens. */
  #keepRemainder(): void {
    const parser = this.#exchange?.parser;
    if (this.#chunkKept || parser === undefined || parser.position >= parser.limit) return;
    parser.keepInput();
    this.#chunkKept = true;
  }

  #feedHeld(): boolean {
    const chunk = this.#held?.shift();
    if (chunk === undefined) return false;
    this.#exchange!.parser.feed(chunk, 0, chunk.length);
    this.#chunkKept = true;
    if (this.#held!.empty) this.#held = null;
    return true;
  }

  /** Parses until input or permission runs out. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#phase === OPEN && !this.#mayNotParse()) {
      const event = this.#exchange!.parser.next();
      if (event === HEAD) this.#onHead();
      else if (event === BODY) this.#onBody();
      else if (event === END) this.#onRequestEnd();
      else if (event === ERROR) this.#onParseError();
      else if (event === NEED_DATA && !this.#feedHeld()) break;
    }
    this.#startApplication();
    this.#pumping = false;
    if (this.#phase !== OPEN) return;
    if (this.#hasInput() && !this.#mayNotParse()) this.#context.wake(this);
    else this.#settle();
  }

  #onHead(): void {
    const context = this.#context;
    const { parser } = this.#exchange!;
    this.#requests++;
    context.requestsStarted++;
    context.inFlight++;
    const scope = context.scopes.http(parser, this.#client!, this.#server, this.#trusted);
    this.#cycle = new HttpCycle(this, scope, parser.keepAlive, parser.expectContinue);
    this.#bodyDone = false;
    this.#bodyBytes = 0;
    this.#notStarted = true;
    this.#deadlineKind = DEADLINE_NONE;
    context.onRequest?.();
  }

  #onBody(): void {
    const { parser, ring } = this.#exchange!;
    const length = parser.bodyEnd - parser.bodyStart;
    this.#bodyBytes += length;
    if (this.#discarding !== 0) {
      this.#discarding -= length;
      if (this.#discarding <= 0) this.#finish();
      return;
    }
    if (this.#cycle!.owesContinue) this.#cycle!.owesContinue = false;
    const { runtime, options } = this.#context;
    if (runtime.ownsChunks) ring.push(parser.chunk, parser.bodyStart, parser.bodyEnd);
    else ring.push(parser.chunk.slice(parser.bodyStart, parser.bodyEnd), 0, length);
    if (ring.pinnedBytes >= options.limits.bodyWatermarkBytes || ring.full) this.#pauseReading();
    if (!this.#notStarted) this.#cycle!.bodyArrived();
  }

  #onRequestEnd(): void {
    this.#bodyDone = true;
    this.#deadlineKind = DEADLINE_NONE;
    if (this.#discarding !== 0) {
      this.#discarding = 0;
      this.#cycle = null;
      return;
    }
    const { parser, ring } = this.#exchange!;
    if (parser.trailerCount > 0) {
      this.#cycle!.requestTrailers = splitFieldLines(parser.trailer, parser.trailers[0], parser.trailer.length);
    }
    ring.pushEnd();
    if (this.#notStarted) this.#startApplication();
    else this.#cycle!.bodyArrived();
  }

  #startApplication(): void {
    if (!this.#notStarted || this.#cycle === null) return;
    this.#notStarted = false;
    const { parser } = this.#exchange!;
    this.#cycle.run(this.#applicationFor(parser.targetForm));
  }

  #applicationFor(targetForm: number): Application {
    const { limits } = this.#context.options;
    if (targetForm === AUTHORITY) return refusalApp(501);
    if (limits.concurrency > 0 && this.#context.inFlight > limits.concurrency) return refusalApp(503);
    return this.#context.app;
  }

  #onParseError(): void {
    const error = this.#exchange!.parser.error!;
    this.#reject(error.status, error.message);
  }

  /** The input is bad or too late: answers if nothing has been answered, and ends the connection. */
  #reject(status: number, message: string): void {
    this.#inputDead = true;
    const cycle = this.#cycle;
    const from = this.#client ? this.#client[0] : "a client";
    this.#context.logger.warning(`bad request from ${from}: ${message} (${status})`);
    if (cycle === null) {
      this.#answerAndFinish(status, false);
      return;
    }
    if (this.#discarding !== 0) {
      this.#cycle = null;
      this.#finish();
      return;
    }
    cycle.keepAlive = false;
    if (cycle.committed) {
      cycle.disconnect();
      return;
    }
    this.#notStarted = false;
    this.#cycle = null;
    this.#exchange!.out.rollback();
    cycle.status = status;
    this.#requestEnded(cycle);
    cycle.detach();
    this.#answerAndFinish(status, cycle.scope.method === "HEAD");
  }

  /** FIN has come, and nothing is left to parse except what is held. */
  #inputEnded(): void {
    const cycle = this.#cycle;
    if (cycle === null) {
      if (this.#exchange === null || (this.#exchange.parser.idle && !this.#hasInput())) this.#finish();
      else if (!this.#hasInput()) this.#reject(400, "the connection ended inside a request head");
      return;
    }
    if (this.#bodyDone) {
      if (!this.#hasInput()) cycle.keepAlive = false;
      cycle.disconnect();
    } else if (!this.#hasInput()) this.#truncated(cycle);
  }

  /** The body will never be complete. */
  #truncated(cycle: HttpCycle): void {
    this.#inputDead = true;
    this.#deadlineKind = DEADLINE_NONE;
    cycle.keepAlive = false;
    if (this.#discarding !== 0) {
      this.#cycle = null;
      this.#finish();
    } else cycle.disconnect();
  }

  #pauseReading(): void {
    if (this.#paused || this.#peerEnded) return;
    this.#paused = true;
    if (this.#deadlineKind === DEADLINE_BODY) this.#deadlineKind = DEADLINE_NONE;
    this.#socket.pause();
  }

  #resumeReading(): void {
    if (!this.#paused || this.#phase === CLOSED) return;
    if (this.#held !== null && !this.#held.empty) return;
    const { limits } = this.#context.options;
    const ring = this.#exchange?.ring;
    if (ring !== undefined && (ring.full || ring.pinnedBytes > limits.bodyWatermarkBytes / 2)) return;
    this.#paused = false;
    this.#socket.resume();
    this.#settle();
  }

  // ---- after each step -------------------------------------------------------------------------------------

  /** Brings deadlines and borrowed memory in line with the present state. */
  #settle(): void {
    if (this.#phase !== OPEN) return;
    const exchange = this.#exchange;
    const { options, now } = this.#context;
    if (this.#cycle !== null) {
      if (!this.#bodyDone && !this.#paused && !this.#inputDead) {
        if (this.#peerEnded && !this.#hasInput()) this.#truncated(this.#cycle);
        else this.#setDeadline(DEADLINE_BODY, now + options.limits.bodyTimeoutMs);
      }
      return;
    }
    if (exchange === null || this.#hasInput()) return;
    if (!exchange.parser.idle) {
      if (this.#peerEnded) this.#inputEnded();
      else if (this.#deadlineKind !== DEADLINE_HEAD && (this.#requests > 0 || this.#deadlineKind === DEADLINE_NONE)) {
        this.#setDeadline(DEADLINE_HEAD, now + options.limits.headerTimeoutMs);
      } else this.#deadlineKind = DEADLINE_HEAD;
      return;
    }
    if (this.blocked || exchange.out.end !== exchange.out.start) return;
    this.#giveBack();
    if (this.#peerEnded || this.#context.stopping) this.#finish();
    else if (this.#requests > 0) this.#setDeadline(DEADLINE_IDLE, now + options.limits.keepAliveTimeoutMs);
  }

  #setDeadline(kind: number, at: number): void {
    this.#deadlineKind = kind;
    this.#readDeadline = at;
  }

  #giveBack(): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    this.#exchange = null;
    this.#held = null;
    exchange.reset();
    this.#context.pool.giveBack(exchange);
  }

  /** The response is complete and so is its request: the next one, if there is any, or rest. */
  #next(): void {
    if (this.#pumping) {
      if (!this.#hasInput()) this.flush();
      else this.flushSoon();
      return;
    }
    if (this.#hasInput()) {
      this.flushSoon();
      this.#context.wake(this);
      return;
    }
    this.flush();
    this.#settle();
  }

  /** What is left of the body is dropped, up to a bound, so that the connection can go on. */
  #startDiscarding(): void {
    this.#discarding = this.#context.options.limits.lingerBytes;
    this.#exchange!.ring.clear();
    this.flush();
    if (this.#pumping) return;
    if (this.#hasInput()) this.#context.wake(this);
    else this.#resumeReading();
  }

  #requestEnded(cycle: HttpCycle): void {
    this.#context.inFlight--;
    const { access } = this.#context;
    if (access === undefined || cycle.status === 0) return;
    const { scope } = cycle;
    access.request(scope.client, scope.method, targetOf(cycle, this.#context), scope.http_version, cycle.status);
  }

  // ---- output and the end ----------------------------------------------------------------------------------

  #stuck(): void {
    this.blocked = true;
    this.#writeDeadline = this.#context.now + this.#context.options.limits.writeTimeoutMs;
  }

  #answerAndFinish(status: number, isHead: boolean): void {
    const exchange = (this.#exchange ??= this.#context.pool.borrow());
    const response = closingResponse(status, this.#context.fields.all, "", !isHead);
    if (exchange.out.ensure(response.length)) {
      exchange.out.append(response, 0, response.length);
      exchange.out.commit();
    }
    this.#finish();
  }

  /** Sends what is committed, then FIN, then waits a while for the peer's. */
  #finish(): void {
    if (this.#phase !== OPEN) return;
    this.#phase = FINISHING;
    this.#deadlineKind = DEADLINE_NONE;
    this.flush();
    if (!this.blocked) this.#linger();
  }

  #linger(): void {
    const quiet = this.#exchange === null;
    this.#giveBack();
    if (this.#peerEnded || quiet) {
      this.#close();
      return;
    }
    const { limits } = this.#context.options;
    this.#phase = LINGERING;
    this.#lingerBytes = limits.lingerBytes;
    this.#setDeadline(DEADLINE_LINGER, this.#context.now + limits.lingerTimeoutMs);
    this.#socket.shutdown();
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
  }

  /** Bytes that nobody will read: counted while lingering. */
  #drop(length: number): void {
    if (this.#phase !== LINGERING) return;
    this.#lingerBytes -= length;
    if (this.#lingerBytes <= 0) this.#close();
  }

  #close(): void {
    if (this.#phase === CLOSED) return;
    this.#socket.close();
    this.onClose(undefined);
  }

  #reset(): void {
    this.#socket.reset();
    this.onClose(undefined);
  }
}

function throwIfGone(alive: boolean): void {
  if (!alive) throw new ClientDisconnected();
}

function targetOf(cycle: HttpCycle, context: ServerContext): string {
  const { raw_path: path, query_string: query } = cycle.scope;
  const { runtime } = context;
  const text = runtime.latin1(path, 0, path.length);
  return query.length === 0 ? text : `${text}?${runtime.latin1(query, 0, query.length)}`;
}
