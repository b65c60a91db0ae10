/**
 * How a connection writes and how it ends: output through its borrowed exchange, FIN and a lingering close so that the
 * last response arrives, or a reset when a message can't be finished. RFC 9112 section 9.6.
 */
import type { HttpCycle } from "../asgi/cycle.ts";
import type { SendableFile } from "../asgi/cycle-host.ts";
import type { DefaultFields } from "../asgi/default-fields.ts";
import { ClientDisconnected } from "../asgi/errors.ts";
import type { ByteRing } from "../channel/ring.ts";
import type { OutBuffer } from "../protocol/buffer.ts";
import { closingResponse, type HeadEncoder } from "../protocol/http1/encoder.ts";
import type { Socket } from "../runtime/types.ts";
import type { ServerContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Gathered } from "./gathering.ts";
import * as responses from "./responses.ts";

/** The life of a connection, one way. */
export const OPEN = 0;
/** Its last response is on its way; what arrives is dropped. */
export const FINISHING = 1;
/** FIN is sent; the peer's is awaited, within limits. */
export const LINGERING = 2;
/** The socket still has bytes of it, which the client may take within the time of any write; nothing is read any more. */
export const CLOSING = 3;
export const CLOSED = 4;
/** The socket is another connection's. */
export const UPGRADED = 5;

/** What the read deadline is for. */
export const DEADLINE_NONE = 0;
export const DEADLINE_IDLE = 1;
export const DEADLINE_HEAD = 2;
export const DEADLINE_BODY = 3;
export const DEADLINE_LINGER = 4;

/** When the server stops: for heads that are half received and for closing connections. */
export const STOP_GRACE_MS = 1000;
/**
 * Who has not asked for so long is not asking just now. The connections' clock is a sweep late (500 ms), so it may be half of
 * that.
 */
const LONG_REST_MS = 1000;

export abstract class ConnectionEnd implements Gathered {
  /** Position in the server's list of connections. */
  slot = 0;
  // What `Gathered` asks for.
  flushQueued = false;
  wakeQueued = false;
  wakes = 0;

  protected readonly context: ServerContext;
  protected readonly socket: Socket;
  protected phase: number = OPEN;
  protected exchange: Exchange | null = null;
  protected peerEnded = false;
  protected readDeadline: number;
  protected deadlineKind: number = DEADLINE_IDLE;
  protected writeDeadline = 0;
  #lingerBytes = 0;

  constructor(context: ServerContext, socket: Socket) {
    this.context = context;
    this.socket = socket;
    this.readDeadline = context.now + context.options.limits.headerTimeoutMs;
  }

  /** Writes what has gathered; then, with nothing left to do, rests. */
  abstract flushGathered(): void;

  /** Parses the next request; called by the server's own loop. */
  abstract resumePump(): void;

  /** The connection is gone: whoever still works for it must learn that. */
  abstract onClose(error: Error | undefined): void;

  // ---- what a cycle may ask for ----------------------------------------------------------------------------

  get out(): OutBuffer {
    return this.exchange!.outlet.out;
  }

  get blocked(): boolean {
    return this.exchange?.outlet.blocked ?? false;
  }

  get encoder(): HeadEncoder {
    return this.exchange!.encoder;
  }

  get ring(): ByteRing {
    return this.exchange!.intake.ring;
  }

  get fields(): DefaultFields {
    return this.context.fields;
  }

  drained(): Promise<void> {
    return this.exchange?.outlet.drained() ?? Promise.reject(new ClientDisconnected());
  }

  applicationBegan(): void {
    this.context.running++;
  }

  applicationEnded(): void {
    if (--this.context.running === 0 && this.context.stopping) this.context.allReturned();
  }

  flushSoon(): void {
    this.context.gathering.flushLater(this);
  }

  flush(): void {
    const outlet = this.exchange?.outlet;
    if (outlet === undefined || outlet.blocked) return;
    outlet.flush();
    if (outlet.blocked) this.stuck();
  }

  writeDirect(bytes: Uint8Array, start: number, end: number): number {
    const { outlet } = this.exchange!;
    const taken = outlet.writeDirect(bytes, start, end);
    if (outlet.blocked) this.stuck();
    return taken;
  }

  /** As `writeDirect`, but what was taken may change at once. */
  protected writeCopy(bytes: Uint8Array, start: number, end: number): number {
    const { outlet } = this.exchange!;
    const taken = outlet.writeCopy(bytes, start, end);
    if (outlet.blocked) this.stuck();
    return taken;
  }

  openFile(path: string): Promise<SendableFile> {
    return this.context.runtime.openFile(path);
  }

  reportError(cycle: HttpCycle, error: unknown): void {
    responses.logApplicationError(this.context, cycle, error);
  }

  debug(cycle: HttpCycle, info: unknown): void {
    if (this.context.logger.enabled("debug")) responses.logDebugEvent(this.context, cycle, info);
  }

  protected requestEnded(cycle: HttpCycle): void {
    this.context.inFlight--;
    const { access, runtime } = this.context;
    if (access !== undefined && cycle.status !== 0) responses.logAccess(access, cycle, runtime);
  }

  // ---- memory and deadlines -------------------------------------------------------------------------------

  protected borrow(): Exchange {
    const exchange = this.context.pool.borrow();
    exchange.outlet.attach(this.socket);
    exchange.intake.attach(this.socket);
    this.exchange = exchange;
    return exchange;
  }

  protected setDeadline(kind: number, at: number): void {
    this.deadlineKind = kind;
    this.readDeadline = at;
  }

  /** @param used it has had a request */
  protected restsLong(used: boolean): boolean {
    const { keepAliveTimeoutMs, headerTimeoutMs } = this.context.options.limits;
    const since = this.readDeadline - (used ? keepAliveTimeoutMs : headerTimeoutMs);
    return this.deadlineKind === DEADLINE_IDLE && this.context.now - since >= LONG_REST_MS;
  }

  protected giveBack(): void {
    const exchange = this.exchange;
    if (exchange === null) return;
    this.exchange = null;
    exchange.reset();
    this.context.pool.giveBack(exchange);
  }

  /** Ends at once. */
  abort(): void {
    if (this.phase !== CLOSED) this.reset();
  }

  // ---- the end ---------------------------------------------------------------------------------------------

  /** A dead socket is let go with the next sweep: not from here, since a cycle may be in the middle of its output. */
  protected stuck(): void {
    const { now, options } = this.context;
    this.writeDeadline = this.exchange?.outlet.dead === true ? now : now + options.limits.writeTimeoutMs;
  }

  /** Whether a client has taken no byte for too long: the connection is then reset. */
  protected writeExpired(now: number): boolean {
    if (this.writeDeadline === 0 || now < this.writeDeadline) return false;
    if (this.exchange?.outlet.dead !== true) {
      this.context.logger.info("a client took no byte of its response in time; connection reset");
    }
    this.reset();
    return true;
  }

  /** @param extra field lines, each ended by CRLF */
  protected answerAndFinish(status: number, isHead: boolean, extra = ""): void {
    const exchange = this.exchange ?? this.borrow();
    const response = closingResponse(status, this.context.fields.all, extra, !isHead);
    const { out } = exchange.outlet;
    if (out.ensure(response.length)) {
      out.append(response, 0, response.length);
      out.commit();
    }
    this.finish();
  }

  /** The peer has said that nothing follows what it has sent, all of which has been read. */
  protected nothingFollows(): boolean {
    return false;
  }

  /** Of a connection without an exchange: its peer is in the middle of nothing. */
  protected isIdle(): boolean {
    return true;
  }

  /** Sends what is committed, then FIN, then waits a while for the peer's. */
  protected finish(): void {
    if (this.phase !== OPEN) return;
    this.phase = FINISHING;
    this.deadlineKind = DEADLINE_NONE;
    this.flush();
    if (!this.blocked) this.linger();
  }

  protected linger(): void {
    // A reset can only answer bytes that come yet, and would take the answer with it: there will be none.
    const quiet = this.exchange === null ? this.isIdle() : this.nothingFollows();
    this.giveBack();
    if (this.peerEnded || quiet) {
      this.close();
      return;
    }
    const { limits } = this.context.options;
    this.phase = LINGERING;
    this.#lingerBytes = limits.lingerBytes;
    const patienceMs = this.context.stopping ? STOP_GRACE_MS : limits.lingerTimeoutMs;
    this.setDeadline(DEADLINE_LINGER, this.context.now + Math.min(patienceMs, limits.lingerTimeoutMs));
    this.socket.shutdown();
  }

  /** Bytes that nobody will read: counted while lingering. */
  protected drop(length: number): void {
    if (this.phase !== LINGERING) return;
    this.#lingerBytes -= length;
    if (this.#lingerBytes <= 0) this.close();
  }

  /** Ends in the middle of a message: behind the answers before it, which may still be in the buffer, or in the socket. */
  protected cut(): void {
    if (this.context.runtime.canReset) {
      this.flush();
      this.reset();
    } else this.finish();
  }

  protected close(): void {
    if (this.phase >= CLOSING) return;
    this.socket.close();
    if (this.socket.unsent) {
      this.phase = CLOSING;
      this.deadlineKind = DEADLINE_NONE;
      this.writeDeadline = this.context.now + this.context.options.limits.writeTimeoutMs;
    } else this.onClose(undefined);
  }

  protected reset(): void {
    this.socket.reset();
    this.onClose(undefined);
  }
}
