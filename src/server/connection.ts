/**
 * One HTTP/1 connection: moves bytes between its socket, the parser, the cycle of its current request and the
 * output buffer; decides about keep-alive, limits, timeouts and the way it ends. RFC 9112 section 9.
 */
import { HttpCycle } from "../asgi/cycle.ts";
import type { CycleHost } from "../asgi/cycle-host.ts";
import { splitFieldLines } from "../asgi/headers.ts";
import { BODY, END, ERROR, HEAD, NEED_DATA } from "../protocol/http1/parser.ts";
import type { Socket, SocketHandler } from "../runtime/types.ts";
import {
  CLOSED,
  ConnectionEnd,
  DEADLINE_BODY,
  DEADLINE_HEAD,
  DEADLINE_IDLE,
  DEADLINE_NONE,
  FINISHING,
  LINGERING,
  OPEN,
  STOP_GRACE_MS,
  UPGRADED,
} from "./connection-end.ts";
import type { ServerContext } from "./context.ts";
import { identify, type Peer } from "./peer.ts";
import * as responses from "./responses.ts";
import { takeEarly, upgrade } from "./websocket-upgrade.ts";

/** Answers leave in the middle of a turn once this much has gathered. */
const FLUSH_BYTES = 16 * 1024;

export class Connection extends ConnectionEnd implements SocketHandler, CycleHost {
  #cycle: HttpCycle | null = null;
  #peer: Peer | null = null;
  #requests = 0;
  /** The current request has been received whole. */
  #bodyDone = true;
  /** The current cycle's application has not been called yet. */
  #notStarted = false;
  /**
   * Above 0: what is left of the current request's body is dropped, its response being complete. Counts down; at 0 it
   * was too much.
   */
  #discarding = 0;
  /** The input can't be understood any further. */
  #inputDead = false;
  #pumping = false;

  constructor(context: ServerContext, socket: Socket) {
    super(context, socket);
    context.opened(this);
  }

  // ---- what a cycle may ask for ----------------------------------------------------------------------------

  bodyTaken(): void {
    if (this.#bodyDone || this.#pumping) return;
    if (this.#hasInput()) this.#pump();
    else if (this.exchange!.intake.paused || this.deadlineKind === DEADLINE_NONE) this.#settle();
  }

  mustClose(): boolean {
    const { limits } = this.context.options;
    return (
      this.context.leaving ||
      this.#inputDead ||
      (this.peerEnded && !this.#hasInput()) ||
      (limits.requestsPerConnection > 0 && this.#requests >= limits.requestsPerConnection) ||
      (!this.#bodyDone && this.exchange!.intake.bodyOwed > limits.lingerBytes)
    );
  }

  responseDone(cycle: HttpCycle): void {
    this.requestEnded(cycle);
    if (!cycle.keepAlive) {
      this.#cycle = null;
      this.finish();
      return;
    }
    if (!this.#bodyDone) {
      this.#startDiscarding();
      return;
    }
    this.#cycle = null;
    cycle.letGo = true;
    this.exchange!.intake.forgetBody();
    this.#next();
  }

  responseFailed(cycle: HttpCycle, error: unknown): void {
    const wasCommitted = cycle.committed;
    const wasTold = this.#inputDead || cycle.toldOfEnd;
    if (error !== undefined || !wasTold) responses.logApplicationError(this.context, cycle, error);
    cycle.detach();
    if (wasCommitted) {
      this.requestEnded(cycle);
      this.#cycle = null;
      this.cut();
      return;
    }
    // Who gives up behind a FIN owes the logs nothing, but the client may have half-closed only.
    if (error !== undefined || !wasTold) cycle.status = 500;
    else if (this.#inputDead) cycle.status = 400;
    else cycle.status = this.peerEnded ? 0 : 503;
    this.requestEnded(cycle);
    this.#cycle = null;
    this.answerAndFinish(cycle.status === 0 ? 500 : cycle.status, cycle.isHead);
  }

  // ---- what the socket says --------------------------------------------------------------------------------

  onData(chunk: Uint8Array, length: number): void {
    if (this.phase !== OPEN) {
      this.drop(length);
      return;
    }
    const { intake } = this.exchange ?? this.borrow();
    this.wakes = 0;
    if (this.#pumping || this.#mayNotParse() || intake.waiting) {
      if (this.#ignoresInput()) this.drop(length);
      else intake.hold(chunk, length, this.context.options.limits);
      return;
    }
    intake.feed(chunk, length);
    this.#pump();
    this.exchange?.intake.keepRemainder();
  }

  onDrain(): void {
    this.writeDeadline = 0;
    if (this.exchange?.outlet.onDrain() === false) this.stuck();
    else if (this.phase === FINISHING) this.linger();
    else if (this.#hasInput() && !this.#mayNotParse()) this.context.gathering.wake(this);
    else this.#settle();
  }

  onEnd(): void {
    this.peerEnded = true;
    if (this.phase === LINGERING) this.close();
    else if (this.phase === OPEN) this.#inputEnded();
  }

  onEndUnread(unreadBytes: number): void {
    const cycle = this.#cycle;
    if (this.#bodyDone) cycle?.disconnect();
    if (cycle === null || this.#bodyDone || unreadBytes < 0) return;
    const { intake } = this.exchange!;
    if (!intake.parser.chunked && unreadBytes + intake.waitingBytes < intake.bodyOwed) this.#truncated(cycle);
  }

  onClose(error: Error | undefined): void {
    if (this.phase === CLOSED || this.phase === UPGRADED) return;
    this.phase = CLOSED;
    if (error !== undefined) this.context.logger.trace(`connection lost: ${error.message}`);
    const cycle = this.#cycle;
    if (cycle !== null) {
      this.#cycle = null;
      if (this.#discarding === 0) this.requestEnded(cycle);
      cycle.detach();
    }
    this.giveBack();
    this.context.closed(this);
  }

  // ---- what the server says --------------------------------------------------------------------------------

  /** Ends now if idle, a moment later if it has been so only for a moment, else with the current response. */
  stop(): void {
    const soon = this.context.now + STOP_GRACE_MS;
    if (this.phase === LINGERING) this.readDeadline = Math.min(this.readDeadline, soon);
    if (this.phase !== OPEN || this.#cycle !== null) return;
    const exchange = this.exchange;
    if (exchange !== null && (!exchange.intake.parser.idle || this.#hasInput())) {
      this.readDeadline = Math.min(this.readDeadline, soon);
    } else if (!this.context.idleStays || this.restsLong(this.#requests > 0)) this.finish();
  }

  /** Tells a running application that its time is up. */
  notifyStop(): void {
    this.#cycle?.disconnect();
  }

  flushGathered(): void {
    this.flush();
    if (this.#cycle === null && !this.#pumping) this.#settle();
  }

  resumePump(): void {
    if (this.phase === OPEN) this.#pump();
  }

  /** Acts on a deadline that has passed. */
  sweep(now: number): void {
    if (this.writeExpired(now)) return;
    if (this.deadlineKind === DEADLINE_NONE || now < this.readDeadline) return;
    const kind = this.deadlineKind;
    this.deadlineKind = DEADLINE_NONE;
    if (kind === DEADLINE_HEAD) this.#reject(responses.HEAD_TOO_LATE);
    else if (kind === DEADLINE_BODY) this.#reject(responses.BODY_TOO_LATE);
    else if (kind === DEADLINE_IDLE) this.finish();
    else this.close();
  }

  // ---- input -----------------------------------------------------------------------------------------------

  /** The current request is whole and unanswered, its ring is full, or earlier answers are stuck: input must wait. */
  #mayNotParse(): boolean {
    if (this.#inputDead) return true;
    if (this.#cycle === null) return this.blocked;
    return this.#bodyDone || (this.#discarding === 0 && this.exchange!.intake.ring.full);
  }

  /** No request can follow the current one. */
  #ignoresInput(): boolean {
    return this.#inputDead || (this.#cycle !== null && this.#bodyDone && !this.#cycle.keepAlive);
  }

  #hasInput(): boolean {
    return this.exchange?.intake.waiting === true;
  }

  /** Some clients send a line end behind a body, so a request that has one is not the last of it. */
  protected override nothingFollows(): boolean {
    const { parser } = this.exchange!.intake;
    return this.#bodyDone && !this.#inputDead && !parser.keepAlive && !parser.hasBody && !this.#hasInput();
  }

  /** Parses until input or permission runs out. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.phase === OPEN && !this.#mayNotParse()) {
      const event = this.exchange!.intake.parser.next();
      if (event === HEAD) this.#onHead();
      else if (event === BODY) this.#onBody();
      else if (event === END) this.#onRequestEnd();
      else if (event === ERROR) this.#reject(this.exchange!.intake.parser.error!);
      else if (event === NEED_DATA && !this.exchange!.intake.feedHeld()) break;
    }
    this.#startApplication();
    this.#pumping = false;
    if (this.phase !== OPEN) return;
    if (this.#hasInput() && !this.#mayNotParse()) this.context.gathering.wake(this);
    else this.#settle();
  }

  #onHead(): void {
    const context = this.context;
    const { intake } = this.exchange!;
    const { parser } = intake;
    this.#requests++;
    context.requestsStarted++;
    context.inFlight++;
    context.onRequest?.();
    this.#peer ??= identify(this.socket, context.options.uds, context.scopes);
    if (parser.upgrade && this.#upgrade(this.#peer)) return;
    const { client, server, trusted } = this.#peer;
    const scope = context.scopes.http(parser, client, server, trusted);
    this.#cycle = HttpCycle.open(this, scope, parser);
    this.#notStarted = true;
    this.deadlineKind = DEADLINE_NONE;
    intake.forgetBody();
    this.#bodyDone = !parser.hasBody;
    if (this.#bodyDone) {
      // Its end, which needs no ring to be told.
      parser.next();
      this.#cycle.withoutBody();
      this.#startApplication();
    }
  }

  /** Whether the request asked for a WebSocket, which it has got or been refused. */
  #upgrade(peer: Peer): boolean {
    const { context, socket } = this;
    const exchange = this.exchange!;
    const outcome = upgrade(context, socket, exchange, peer);
    if (outcome === undefined) return false;
    if ("extra" in outcome) {
      this.#inputDead = true;
      this.answerAndFinish(outcome.status, false, outcome.extra);
    } else {
      this.phase = UPGRADED;
      this.exchange = null;
      socket.handOver(outcome);
      socket.awaitLittle();
      context.closed(this);
      outcome.start(takeEarly(exchange), this.peerEnded);
    }
    return true;
  }

  #onBody(): void {
    const { intake } = this.exchange!;
    const length = intake.parser.bodyEnd - intake.parser.bodyStart;
    intake.bodyBytes += length;
    this.context.collection.received(length, this.context.inFlight);
    if (this.#discarding !== 0) {
      this.#discarding -= length;
      if (this.#discarding <= 0) {
        this.#discarding = 0;
        this.#cycle = null;
        this.finish();
      }
      return;
    }
    this.#cycle!.owesContinue = false;
    intake.publish(this.context.options.limits.bodyWatermarkBytes);
    if (intake.paused) this.deadlineKind = DEADLINE_NONE;
    if (!this.#notStarted) this.#cycle!.bodyArrived();
  }

  #onRequestEnd(): void {
    this.#bodyDone = true;
    this.deadlineKind = DEADLINE_NONE;
    if (this.#discarding !== 0) {
      this.#discarding = 0;
      this.#cycle = null;
      return;
    }
    const { parser, ring } = this.exchange!.intake;
    this.#cycle!.owesContinue = false;
    if (parser.trailerCount > 0) {
      this.#cycle!.requestTrailers = splitFieldLines(parser.trailer, parser.trailers[0], parser.trailer.length, true);
    }
    ring.pushEnd();
    if (this.#notStarted) this.#startApplication();
    else this.#cycle!.bodyArrived();
  }

  #startApplication(): void {
    if (!this.#notStarted || this.#cycle === null) return;
    this.#notStarted = false;
    this.context.runtime.isolate(
      responses.run,
      this.#cycle,
      responses.applicationFor(this.context, this.exchange!.intake.parser.targetForm),
    );
  }

  /** The input is bad or too late: answers if nothing has been answered, and ends the connection. */
  #reject(fault: responses.InputFault): void {
    const { status } = fault;
    this.#inputDead = true;
    const cycle = this.#cycle;
    responses.logBadInput(this.context, this.socket, fault);
    if (cycle === null) {
      this.answerAndFinish(status, false);
      return;
    }
    if (this.#discarding !== 0) {
      this.#cycle = null;
      this.finish();
      return;
    }
    cycle.keepAlive = false;
    if (cycle.committed) {
      cycle.disconnect();
      return;
    }
    this.#notStarted = false;
    this.#cycle = null;
    this.exchange!.outlet.out.rollback();
    cycle.status = status;
    this.requestEnded(cycle);
    cycle.detach();
    this.answerAndFinish(status, cycle.isHead);
  }

  /** FIN has come, and nothing is left to parse except what is held. */
  #inputEnded(): void {
    const cycle = this.#cycle;
    if (cycle === null) {
      if (this.#hasInput()) return;
      if (this.exchange === null || this.exchange.intake.parser.idle) this.finish();
      else this.#reject(responses.HEAD_CUT);
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
    this.deadlineKind = DEADLINE_NONE;
    cycle.keepAlive = false;
    if (this.#discarding !== 0) {
      this.#cycle = null;
      this.finish();
    } else cycle.disconnect();
  }

  // ---- after each step -------------------------------------------------------------------------------------

  /** Brings deadlines and borrowed memory in line with the present state. */
  #settle(): void {
    if (this.phase !== OPEN) return;
    const intake = this.exchange?.intake;
    const { options, now } = this.context;
    intake?.resumeIfRoom(options.limits, this.#bodyDone);
    const cycle = this.#cycle;
    if (this.#inputDead) return;
    if (this.peerEnded) this.#inputEnded();
    else if (cycle === null) this.#settleBetween();
    else if (!this.#bodyDone && intake?.paused === false && !cycle.owesContinue) {
      this.setDeadline(DEADLINE_BODY, now + options.limits.bodyTimeoutMs);
    }
  }

  /** As `settle`, where no request is being served. */
  #settleBetween(): void {
    const { exchange } = this;
    const { options, now } = this.context;
    if (exchange === null || this.#hasInput()) return;
    if (!exchange.intake.parser.idle || this.#requests === 0) {
      if (this.deadlineKind !== DEADLINE_HEAD && (this.#requests > 0 || this.deadlineKind === DEADLINE_NONE)) {
        this.setDeadline(DEADLINE_HEAD, now + options.limits.headerTimeoutMs);
      } else this.deadlineKind = DEADLINE_HEAD;
      return;
    }
    if (!exchange.outlet.empty) return;
    this.giveBack();
    if (this.context.stopping) this.finish();
    else if (this.#requests > 0) this.setDeadline(DEADLINE_IDLE, now + options.limits.keepAliveTimeoutMs);
  }

  /** The response is complete and so is its request: the next one, if there is any, or rest. */
  #next(): void {
    const more = this.#hasInput();
    const { out } = this.exchange!.outlet;
    if (out.committed - out.start < FLUSH_BYTES) this.flushSoon();
    else this.flush();
    if (this.#pumping) return;
    if (more) this.context.gathering.wake(this);
    else this.#settle();
  }

  /** What is left of the body is dropped, up to a bound: the connection can go on. */
  #startDiscarding(): void {
    this.#discarding = this.context.options.limits.lingerBytes + 1;
    this.exchange!.intake.ring.clear();
    this.flush();
    if (this.#pumping) return;
    if (this.#hasInput()) this.context.gathering.wake(this);
    else this.#settle();
  }
}
