/**
 * One request on its way through a worker: takes the connection's events to it, and its answer back.
 * ASGI HTTP specification 2.5; the records are drawn in docs/bridge.md.
 */
import type { HttpCall } from "../asgi/call.ts";
import { ClientDisconnected } from "../asgi/errors.ts";
import { RESOLVED } from "../asgi/response.ts";
import type { HeaderPair, HttpReceiveEvent, HttpScope, SentHeader } from "../asgi/types.ts";
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
import { BodyPieces } from "./body-pieces.ts";
import { type Carried, completeHead } from "./carried.ts";
import type { WorkerHost } from "./host.ts";
import { putScope, trailersPayload } from "./marshal.ts";
import * as wire from "./wire.ts";

const TEXT = new TextDecoder();
/** RFC 9110 section 9.2.1: these may be sent to another worker when the first has not read them. */
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

type Phase = "waiting" | "running" | "started" | "over";

export class Exchange implements Carried {
  readonly scope: HttpScope;
  readonly isSocket = false;
  id = 0;
  /** The worker's stream has taken the head, or a part of it. */
  written = false;
  /** It waits in its host's round of bodies. */
  inRound = false;
  readonly #call: HttpCall;
  /** Nobody stands between the core and this: what passes through is nobody else's. */
  readonly #direct: boolean;
  #host: WorkerHost | null = null;
  #phase: Phase = "waiting";
  #onGone: () => void = ignore;
  /** The client has ended its half, or is gone. */
  #clientEnded = false;
  readonly #pieces: BodyPieces;
  /** The end of the request body has come from the client, */
  #lastCame = false;
  /** and has been written to the worker. */
  #bodyEnded = false;
  /** The body ends in its middle: the worker is to hear of that behind what has come. */
  #isCut = false;
  #trailers: readonly HeaderPair[] | undefined;
  #credit = wire.WINDOW_BYTES;
  #asking = false;
  #watching = false;
  /** Response body bytes that the client has not taken yet, and those that it has but the worker has no credit for. */
  #unsettled = 0;
  #settled = 0;
  /** Trailers follow the response body. */
  #trailersDue = false;
  #refusalTold = false;
  /** Who has sent a file that is on its way: it waits for the file's opening, and is told what goes wrong. */
  #fileOf: WorkerHost | null = null;

  /** @param direct `call` is the core's own */
  constructor(call: HttpCall, direct = false) {
    this.scope = call.scope;
    this.#call = call;
    this.#direct = direct;
    this.#pieces = new BodyPieces(direct);
  }

  get isOver(): boolean {
    return this.#phase === "over";
  }

  // ---- to the worker ---------------------------------------------------------------------------------------

  /** Writes the head into `out`, which leaves at the end of this turn. */
  begin(host: WorkerHost, id: number, out: wire.RecordBuffer): void {
    this.#host = host;
    this.id = id;
    this.#phase = "running";
    const { content } = this.#call;
    const flags = content === "none" ? wire.LAST : content === "on-demand" ? wire.ON_DEMAND : 0;
    completeHead(out, putScope(out, this.scope), wire.HEAD, flags, id, host.generation);
    if (content === "none") this.#watch();
    else if (content === "on-demand") this.#credit = 0;
    else this.#ask();
    if (this.#hasBody) host.wantsBody(this);
    else if (this.#clientEnded) host.disconnect(id, 0);
  }

  /** Some of the request body, or its end, is to be written. */
  get #hasBody(): boolean {
    return this.#pieces.bytes > 0 || (this.#lastCame && !this.#bodyEnded);
  }

  /** No worker may take it yet. `onGone` is called when its client goes meanwhile. */
  wait(onGone: () => void): void {
    this.#onGone = onGone;
    if (this.#call.content === "none") this.#watch();
    else if (this.#direct) this.#watchClient();
    else this.#ask();
  }

  /** The body has ended: what comes next is the client's end. */
  #watch(): void {
    this.#bodyEnded = true;
    this.#watchClient();
  }

  #watchClient(): void {
    if (this.#watching || this.#phase === "over") return;
    this.#watching = true;
    this.#call.watch(() => this.#left());
  }

  #left(): void {
    if (this.#bodyEnded || (this.#lastCame && this.#phase === "waiting")) {
      this.#disconnected();
      return;
    }
    // `receive` tells it behind the body; when that has an end, this is asked again.
    this.#watching = false;
    if (this.#phase === "waiting") this.#ask();
  }

  #ask(): void {
    if (this.#asking || this.#lastCame || this.#phase === "over") return;
    this.#asking = true;
    this.#call.receive().then((event) => this.#received(event), ignore);
  }

  #received(event: HttpReceiveEvent): void {
    this.#asking = false;
    if (this.#phase === "over") return;
    if (event.type === "http.disconnect") {
      this.#lastCame = true;
      this.#cutShort();
      return;
    }
    this.#pieces.push(event.body);
    this.#lastCame = !event.more_body;
    this.#trailers = event.trailers;
    if (this.#phase !== "waiting") this.#host?.wantsBody(this);
    else if (this.#lastCame) this.#watchClient();
    // What comes before this leaves leaves with it.
    if (!this.#lastCame && this.#pieces.bytes < this.#credit) this.#ask();
  }

  /** The client has gone, or ended its half, in the middle of the body. */
  #cutShort(): void {
    this.#bodyEnded = this.#pieces.bytes === 0;
    if (this.#phase === "waiting") {
      // It can't be served any more.
      this.#finish();
      this.#onGone();
    } else if (this.#bodyEnded) this.#disconnected();
    else this.#isCut = true;
  }

  /** Tells the worker whether the client has only ended its own half, or can't be answered any more. */
  #disconnected(): void {
    if (this.#phase === "over") return;
    this.#clientEnded = true;
    // An event without effect: all that is asked is whether it would arrive.
    this.#call.send({ type: "http.response.debug", info: {} }).then(ignore, (error: unknown) => {
      if (!(error instanceof ClientDisconnected) || this.#phase === "over") return;
      if (this.#phase === "waiting") {
        this.#finish();
        this.#onGone();
      } else this.#host?.disconnect(this.id, wire.GONE);
    });
    this.#host?.disconnect(this.id, 0);
  }

  /** Appends one BODY record if there is anything to send; returns whether more could be sent now. */
  putBody(out: wire.RecordBuffer): boolean {
    if (this.#phase === "over" || this.#bodyEnded) return false;
    const rest = this.#pieces.bytes;
    const count = Math.min(rest, this.#credit, wire.MOST_PAYLOAD_BYTES);
    const isLast = count === rest && this.#lastCame && !this.#isCut;
    if (count === 0 && !isLast) return false;
    const { generation } = this.#host!;
    if (isLast && this.#trailers !== undefined) {
      out.record(wire.BODY, wire.TRAILERS, this.id, generation, trailersPayload(this.#trailers));
    }
    this.#pieces.record(out, wire.BODY, isLast ? wire.LAST : 0, this.id, generation, count);
    this.#credit -= count;
    if (isLast) {
      const ended = this.#clientEnded;
      this.#watch();
      if (ended) this.#host?.disconnect(this.id, 0);
    } else if (count === rest && this.#isCut) {
      this.#bodyEnded = true;
      this.#disconnected();
    } else if (this.#pieces.bytes < this.#credit) this.#ask();
    return this.#pieces.bytes > 0 && this.#credit > 0;
  }

  // ---- from the worker -------------------------------------------------------------------------------------

  /** @throws WireError for what no worker sends */
  took(type: number, flags: number, bytes: Uint8Array, start: number, end: number): void {
    if (type === wire.RESPONSE) this.#start(flags, bytes, start, end);
    else if (type === wire.RESPONSE_BODY) {
      // Its own header, which has been read.
      this.#body(flags, bytes.subarray(start, end), Math.min(start, wire.HEADER_BYTES));
    } else if (type === wire.RESPONSE_CREDIT) this.#addCredit(bytes, start, end);
    else if (type === wire.RESPONSE_TRAILERS) this.#sendTrailers(flags, bytes, start, end);
    else if (type === wire.EARLY_HINT) this.#hint(bytes, start, end);
    else if (type === wire.PATHSEND) this.#sendPath(flags, TEXT.decode(bytes.subarray(start, end)));
    else if (type === wire.DONE) this.#applicationEnded(flags, TEXT.decode(bytes.subarray(start, end)));
    else throw new wire.WireError(`a record of type ${type}`);
  }

  #start(flags: number, bytes: Uint8Array, start: number, end: number): void {
    const fieldsStop = fieldsEnd(bytes, start, end);
    const bodyAt = bodyStart(flags, fieldsStop, end);
    const headers = responseFields(bytes, start, fieldsStop);
    const status = wire.u16(bytes, start);
    const trailers = (flags & wire.TRAILERS) !== 0;
    this.#phase = "started";
    const sent = this.#call.send({ type: "http.response.start", status, headers, trailers });
    this.#trailersDue = trailers;
    if (!this.#took(sent) && (flags & wire.LAST) === 0) sent.then(ignore, (error: unknown) => this.#refused(error));
    if ((flags & wire.MORE) === 0) this.#body(flags, bytes.subarray(bodyAt, end), bodyAt - fieldsStop, sent);
  }

  #sendPath(flags: number, path: string): void {
    const host = this.#host;
    if (host === null) return;
    // Where nobody waits there is nobody to tell.
    let isTold = (flags & wire.MORE) === 0;
    const opened = (): void => {
      if (!isTold) host.credit(this.id, wire.FILE_OPEN);
      isTold = true;
    };
    if (this.#trailersDue) {
      // They have their turn behind the file.
      const sent = this.#call.send({ type: "http.response.pathsend", path });
      sent.then(opened, ignore);
      this.#forward(sent, 0);
      return;
    }
    const sent = this.#call.send({ type: "http.response.pathsend", path, opened });
    // The worker has no part in what is left, and its end must not cut it.
    this.#release();
    this.#fileOf = host;
    sent.then(
      () => {
        opened();
        this.#finish();
      },
      (error: unknown) => this.#refused(error),
    );
  }

  /**
   * @param room so many bytes in front of `body`, in the same memory, are nobody's
   * @param begun what `send` said of the response's start, when that came in the same record
   */
  #body(flags: number, body: Uint8Array, room: number, begun?: Promise<void>): void {
    const last = (flags & wire.LAST) !== 0;
    this.#unsettled += body.length;
    if (this.#unsettled > wire.WINDOW_BYTES) throw new wire.WireError("more body than it has credit for");
    const { length } = body;
    const call = this.#call;
    call.roomAhead = room;
    const sent = call.send({ type: "http.response.body", body, more_body: !last });
    call.roomAhead = 0;
    const host = this.#host;
    if (!last || this.#trailersDue) {
      this.#forward(sent, length);
      return;
    }
    const taken = this.#took(sent);
    this.#finish();
    if (!(taken && (begun === undefined || begun === RESOLVED)) && host !== null) {
      const refused = (error: unknown) => this.#refusedLate(host, error);
      begun?.then(ignore, refused);
      sent.then(ignore, refused);
    }
  }

  /** The core answers in its stead; the application, if it still runs, is told by its next `send`. */
  #refusedLate(host: WorkerHost, error: unknown): void {
    if (this.#refusalTold || error instanceof ClientDisconnected) return;
    this.#refusalTold = true;
    host.refuse(this.id, refusalText(error, this.#line));
  }

  get #line(): string {
    return `${this.scope.method} ${TEXT.decode(this.scope.raw_path)}`;
  }

  /** Whether the core has taken an event already. If not, what the worker sent is held until it has. */
  #took(sent: Promise<void>): boolean {
    if (sent === RESOLVED && this.#direct) return true;
    const chunk = this.#host?.hold();
    if (this.#direct && chunk) sent.then(chunk.release, chunk.release);
    return false;
  }

  #forward(sent: Promise<void>, count: number): void {
    if (this.#took(sent)) {
      this.#taken(count);
      return;
    }
    sent.then(
      () => this.#taken(count),
      (error: unknown) => this.#refused(error),
    );
  }

  #taken(count: number): void {
    this.#unsettled -= count;
    this.#settled += count;
    if (this.#settled < wire.CREDIT_BYTES || this.#phase === "over") return;
    this.#host?.credit(this.id, this.#settled);
    this.#settled = 0;
  }

  #sendTrailers(flags: number, bytes: Uint8Array, start: number, end: number): void {
    const last = (flags & wire.LAST) !== 0;
    const headers = fields(bytes, start, end);
    const sent = this.#call.send({ type: "http.response.trailers", headers, more_trailers: !last });
    if (!last) this.#forward(sent, 0);
    else {
      this.#took(sent);
      this.#finish();
    }
  }

  #hint(bytes: Uint8Array, start: number, end: number): void {
    const links = fields(bytes, start, end).map(([, value]) => value);
    this.#forward(this.#call.send({ type: "http.response.early_hint", links }), 0);
  }

  #addCredit(bytes: Uint8Array, start: number, end: number): void {
    const credit = moreCredit(this.#credit, bytes, start, end);
    this.#credit = credit;
    if (this.#hasBody) this.#host?.wantsBody(this);
    if (this.#pieces.bytes < credit) this.#ask();
  }

  #applicationEnded(flags: number, text: string): void {
    this.#release();
    endCall(this.#call, flags, text);
  }

  /** The core would not send what the worker sent. */
  #refused(error: unknown): void {
    const host = this.#fileOf ?? this.#host;
    if (this.#phase === "over" && this.#fileOf === null) return;
    const { id } = this;
    if (error instanceof ClientDisconnected) {
      host?.disconnect(id, wire.GONE);
      this.#finish();
      return;
    }
    host?.refuse(id, refusalText(error, this.#line));
    this.#release();
    this.#call.raised(new ApplicationFailed(reason(error)));
  }

  #finish(): void {
    this.#release();
    this.#call.returned();
  }

  #release(): void {
    this.#phase = "over";
    this.#pieces.clear();
    const host = this.#host;
    this.#host = null;
    this.#fileOf = null;
    host?.finished(this);
  }

  // ---- a worker that is gone, or none to be had ------------------------------------------------------------

  /** The worker died. Returns whether another one may have the request. */
  orphaned(): boolean {
    if (this.#phase === "over") return false;
    const retry = this.#phase === "running" && !this.written && this.#bodyEnded && SAFE_METHODS.has(this.scope.method);
    this.#host = null;
    if (retry) {
      this.#phase = "waiting";
      return true;
    }
    if (this.#phase === "started") {
      this.#phase = "over";
      this.#call.raised(new ApplicationFailed("the worker ended in the middle of its answer"));
    } else this.answer(502, "The application's worker ended before it answered.\n", []);
    return false;
  }

  outstay(): boolean {
    return false;
  }

  /** Answers in the worker's stead. */
  answer(status: number, text: string, more: readonly SentHeader[], type?: string): void {
    this.#phase = "over";
    answerInstead(this.#call, status, text, more, type);
  }
}

/** Fields of a record that holds nothing else. */
function fields(bytes: Uint8Array, start: number, end: number): [Uint8Array, Uint8Array][] {
  if (end - start < wire.START_BYTES) throw new wire.WireError("fields without their count");
  return wire.decodeFields(bytes, start + wire.START_BYTES, end, wire.u16(bytes, start + 2));
}
