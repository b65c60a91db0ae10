/**
 * The answer to a WebSocket's handshake: 101, a refusal, or the application's own denial response.
 * RFC 6455 section 4.2.2; ASGI extension `websocket.http.response`.
 */
import { HttpCycle } from "../asgi/cycle.ts";
import type { CycleHost } from "../asgi/cycle-host.ts";
import { headError } from "../asgi/response-fields.ts";
import { IDLE } from "../asgi/response-states.ts";
import type {
  HttpScope,
  SentHeader,
  WebSocketHttpResponseBodyEvent,
  WebSocketHttpResponseStartEvent,
  WebSocketScope,
} from "../asgi/types.ts";
import { WebSocketCycle } from "../asgi/websocket-cycle.ts";
import type { WebSocketHost } from "../asgi/websocket-host.ts";
import * as states from "../asgi/websocket-states.ts";
import { putHeadEnd } from "../protocol/http1/encoder.ts";
import { putAcceptance } from "../protocol/websocket/answer.ts";
import type { DeflateAgreement } from "../protocol/websocket/deflate.ts";
import type { HandshakeAccepted } from "../protocol/websocket/handshake.ts";
import type { Socket } from "../runtime/types.ts";
import type { ServerContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import * as responses from "./responses.ts";
import { WebSocketOutput } from "./websocket-output.ts";

const SWITCHING_PROTOCOLS = 101;
const INTERNAL_ERROR = 500;
const SERVICE_UNAVAILABLE = 503;

export abstract class WebSocketHandshake extends WebSocketOutput implements WebSocketHost, CycleHost {
  // What the logs name it by.
  readonly rawPath: Uint8Array;
  readonly query: Uint8Array;
  status = 0;

  protected readonly cycle: WebSocketCycle;
  protected denial: HttpCycle | null = null;
  /** Until it has been answered. */
  #handshake: HandshakeAccepted | null;
  #scope: WebSocketScope | null;

  abstract readonly queueBytes: number;
  abstract readonly queueMessages: number;
  abstract message(message: string | Uint8Array): Promise<void> | null;
  abstract messageBytes(
    isText: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    room: number,
  ): Promise<void> | null;
  abstract farewell(code: number, reason: string): void;
  abstract roomAgain(): void;

  /** @param exchange of the connection that this one goes on with, with answers to earlier requests perhaps */
  constructor(
    context: ServerContext,
    socket: Socket,
    exchange: Exchange,
    scope: WebSocketScope,
    handshake: HandshakeAccepted,
  ) {
    super(context, socket);
    this.exchange = exchange;
    this.rawPath = scope.raw_path;
    this.query = scope.query_string;
    this.#scope = scope;
    this.#handshake = handshake;
    this.cycle = new WebSocketCycle(this, scope);
  }

  get method(): string {
    return "WebSocket";
  }

  /** The 101 is on its way. */
  protected abstract accepted(agreement: DeflateAgreement | undefined): void;

  accept(subprotocol: string | undefined, headers: readonly SentHeader[]): void {
    const handshake = this.#handshake!;
    const exchange = this.exchange ?? this.borrow();
    const { out } = exchange.outlet;
    try {
      putAcceptance(out, exchange.encoder, handshake, subprotocol, headers, []);
      // The server's own fields, but those that the application has given, stand before the head's end.
      out.end -= 2;
      this.fields.put(out, exchange.encoder);
      putHeadEnd(out);
    } catch (error) {
      out.rollback();
      throw headError(error);
    }
    out.commit();
    this.flushSoon();
    this.answered(SWITCHING_PROTOCOLS);
    this.accepted(handshake.deflate);
  }

  refuse(status: number): void {
    this.answered(status);
    this.answerAndFinish(status, false);
  }

  report(error: unknown): void {
    responses.logApplicationError(this.context, this, error);
  }

  denialStart(event: WebSocketHttpResponseStartEvent): { started: boolean; sent: Promise<void> } {
    if (this.exchange === null) this.borrow();
    this.denial ??= HttpCycle.open(this, asHttp(this.#scope!), { keepAlive: false, expectContinue: false });
    const { status, headers } = event;
    const sent = this.denial.send({ type: "http.response.start", status, headers });
    return { started: this.denial.state !== IDLE, sent };
  }

  denialBody({ body, more_body }: WebSocketHttpResponseBodyEvent): Promise<void> {
    return this.denial!.send({ type: "http.response.body", body, more_body });
  }

  abandonDenial(error: unknown): void {
    const denial = this.denial;
    if (denial === null) return;
    if (error === undefined) denial.returned();
    else denial.raised(error);
  }

  // ---- what the cycle of a denial response may ask for -----------------------------------------------------

  bodyTaken(): void {}

  mustClose(): boolean {
    return true;
  }

  responseDone(cycle: HttpCycle): void {
    this.#endDenial(cycle);
    this.finish();
  }

  responseFailed(cycle: HttpCycle, error: unknown): void {
    responses.logApplicationError(this.context, cycle, error);
    this.#giveUpDenial(cycle, INTERNAL_ERROR);
  }

  /** @param status of the answer in its stead, if nothing of it has left */
  #giveUpDenial(cycle: HttpCycle, status: number): void {
    const { committed } = cycle;
    if (!committed) cycle.status = status;
    this.#endDenial(cycle);
    cycle.detach();
    if (committed) {
      this.cut();
      return;
    }
    this.exchange?.outlet.out.rollback();
    this.answerAndFinish(status, false);
  }

  #endDenial(cycle: HttpCycle): void {
    this.denial = null;
    this.answered(cycle.status);
    this.cycle.denied();
  }

  protected handshakeTooLate(): void {
    const { logger } = this.context;
    if (this.cycle.state === states.CONNECTING) {
      logger.warning("the application did not answer a WebSocket handshake in time (503)");
      this.refuseLate();
    } else if (this.denial !== null) {
      logger.warning("the application did not end its answer to a WebSocket handshake in time");
      this.#giveUpDenial(this.denial, SERVICE_UNAVAILABLE);
    }
  }

  protected refuseLate(): void {
    this.refuse(SERVICE_UNAVAILABLE);
    this.cycle.denied();
  }

  /** The handshake is over, with this status; 0 when nobody heard of it. */
  protected answered(status: number): void {
    const scope = this.#scope;
    if (this.#handshake === null || scope === null) return;
    this.#handshake = null;
    this.#scope = null;
    this.status = status;
    this.context.inFlight--;
    if (status !== 0) responses.logHandshake(this.context, this, scope.client);
  }
}

/** A denial is the answer to a request. */
function asHttp(scope: WebSocketScope): HttpScope {
  return { ...scope, type: "http", method: "GET", extensions: {} };
}
