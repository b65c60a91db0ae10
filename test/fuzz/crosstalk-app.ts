/**
 * The application of the cross-talk fuzzer: each path names a behaviour and a request's id, and whatever is answered is
 * made of that id alone. What it keeps of requests that are over it uses in the middle of others.
 */
import assert from "node:assert/strict";
import { CALL, type CallApplication, type HttpCall } from "../../src/asgi/call.ts";
import type { Application, HttpScope, Receive, Send, SentHeader } from "../../src/asgi/types.ts";
import { Dice } from "./dice.ts";

export type Ending = "answered" | "refused" | "broken";

/** Behaviours, with how each ends: answered whole; 500, and the connection closes; cut in the middle. */
export const BEHAVIOURS: Readonly<Record<string, Ending>> = {
  quick: "answered",
  awaited: "answered",
  slow: "answered",
  stream: "answered",
  large: "answered",
  echo: "answered",
  ignore: "answered",
  generator: "answered",
  hints: "answered",
  trailers: "answered",
  parked: "answered",
  early: "answered",
  keep: "answered",
  meddle: "answered",
  lateError: "answered",
  throws: "refused",
  silent: "refused",
  badHead: "refused",
  breaks: "broken",
};

/** `id` again and again. */
export function content(id: string, length: number): string {
  return `${id};`.repeat(Math.ceil(length / (id.length + 1))).slice(0, length);
}

/** Told of what must not be. */
export interface Witness {
  /** The client of request `id` has ended its side, or is gone. */
  isLeaving(id: string): boolean;
  failed(problem: string): void;
}

interface Kept {
  readonly id: string;
  readonly receive: Receive;
  readonly send: Send;
}

interface Request extends Kept {
  readonly scope: HttpScope;
  readonly length: number;
}

const utf8 = new TextEncoder();
/** No byte of any answer. */
const SPOILT = 0x21;
/** Requests that are over and whose functions are tried again, at most so many at once. */
const MOST_KEPT = 50;

export class OddApplication {
  readonly #dice: Dice;
  readonly #witness: Witness;
  readonly #kept: Kept[] = [];
  /** Its calls end with the application: what comes later is not passed on. */
  readonly #calls: boolean;

  constructor(seed: number, witness: Witness, calls: boolean) {
    this.#dice = new Dice(seed);
    this.#witness = witness;
    this.#calls = calls;
  }

  get application(): Application {
    const application: Application = (scope, receive, send) =>
      scope.type === "http" ? this.#serve(scope, receive, send) : Promise.resolve();
    if (!this.#calls) return application;
    const withCalls: CallApplication = Object.assign(application, { [CALL]: (call: HttpCall) => this.#take(call) });
    return withCalls;
  }

  #take(call: HttpCall): void {
    const id = idOf(call.scope);
    let over = false;
    call.watch(() => {
      if (!over) this.#left(id);
    });
    const running = this.#serve(
      call.scope,
      () => call.receive(),
      (event) => call.send(event),
    );
    const end = (how: () => void) => {
      over = true;
      how();
    };
    if (running === undefined) end(() => call.returned());
    else
      running.then(
        () => end(() => call.returned()),
        (error: unknown) => end(() => call.raised(error)),
      );
  }

  #left(id: string): void {
    if (!this.#witness.isLeaving(id)) this.#witness.failed(`${id} was told that its client is gone`);
  }

  #serve(scope: HttpScope, receive: Receive, send: Send): Promise<void> | undefined {
    const [, behaviour, id, length] = scope.path.split("/");
    const named = [...scope.headers].find(([name]) => Buffer.from(name).toString() === "x-id");
    if (Buffer.from(named?.[1] ?? []).toString() !== id)
      this.#witness.failed(`${id} has the headers of another request`);
    const request: Request = { scope, id, receive, send, length: Number(length) };
    if (behaviour === "quick") {
      this.#begin(request);
      void send({ type: "http.response.body", body: this.#body(request) });
      return undefined;
    }
    return this.#act(behaviour, request);
  }

  #begin(request: Request, more: Iterable<SentHeader> = [], trailers = false): Promise<void> {
    const headers = [["x-id", request.id] as SentHeader, ...more];
    return request.send({ type: "http.response.start", status: 200, headers, trailers });
  }

  #body({ id, length }: Request): Uint8Array {
    return utf8.encode(content(id, length));
  }

  async #act(behaviour: string, request: Request): Promise<void> {
    const { send, receive, id } = request;
    const dice = this.#dice;
    if (behaviour === "meddle") this.#tryKept();
    if (behaviour === "slow" || behaviour === "ignore") await this.#rest();
    else if (behaviour === "throws") throw new Error(`thrown by ${id}`);
    else if (behaviour === "silent") return this.#rest();
    else if (behaviour === "hints") await send({ type: "http.response.early_hint", links: [`</${id}>`] });
    else if (behaviour === "badHead") {
      void this.#begin(request, [["x-bad", `${id}\n`]]);
      void send({ type: "http.response.body", body: this.#body(request) });
      return;
    } else if (behaviour === "echo") return this.#echo(request);
    else if (behaviour === "generator") return this.#generate(request);
    const parked = behaviour === "parked" ? this.#untilLeft(request) : undefined;
    if (behaviour === "early" || behaviour === "lateError") {
      void this.#begin(request);
      void send({ type: "http.response.body", body: this.#body(request) });
      await this.#rest();
      if (behaviour === "lateError") throw new Error(`thrown by ${id}`);
      this.#tryAgain(request);
      return;
    }
    await this.#begin(request, [], behaviour === "trailers");
    if (["stream", "breaks", "meddle"].includes(behaviour)) await this.#stream(request, behaviour);
    else {
      const bytes = this.#body(request);
      await send({ type: "http.response.body", body: bytes });
      // It is the application's again.
      bytes.fill(SPOILT);
    }
    if (behaviour === "trailers") await send({ type: "http.response.trailers", headers: [["x-id", id]] });
    if (behaviour === "keep" && !this.#calls) {
      this.#kept.push({ id, receive, send });
      if (this.#kept.length > MOST_KEPT) this.#kept.splice(dice.roll(MOST_KEPT), 1);
    }
    await parked;
  }

  async #stream(request: Request, behaviour: string): Promise<void> {
    const bytes = this.#body(request);
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + this.#dice.roll(bytes.length));
      const piece = bytes.slice(at, end);
      const sent = request.send({ type: "http.response.body", body: piece, more_body: true });
      if (this.#dice.roll(2) === 0) {
        await sent;
        piece.fill(SPOILT);
      }
      if (this.#dice.roll(3) === 0) await this.#rest();
      if (behaviour === "breaks" && at > 0) throw new Error(`thrown by ${request.id}`);
      if (behaviour === "meddle") this.#tryKept();
      at = end;
    }
    if (behaviour === "breaks") throw new Error(`thrown by ${request.id}`);
    await request.send({ type: "http.response.body" });
  }

  async #echo(request: Request): Promise<void> {
    const pieces: Uint8Array[] = [];
    for (let more = true; more; ) {
      const event = await request.receive();
      if (event.type !== "http.request") return this.#left(request.id);
      pieces.push(event.body.slice());
      more = event.more_body;
      if (this.#dice.roll(4) === 0) await this.#rest();
    }
    await this.#begin(request);
    await request.send({ type: "http.response.body", body: Buffer.concat(pieces) });
  }

  /** Its headers send and receive while they are read. */
  async #generate(request: Request): Promise<void> {
    const { id, receive, send } = request;
    const later: Promise<unknown>[] = [];
    const take = () => later.push(receive());
    function* headers(): Generator<SentHeader> {
      yield ["x-id", id];
      take();
      later.push(send({ type: "http.response.body", body: utf8.encode(content(id, request.length)) }));
      yield ["x-more", id];
    }
    await send({ type: "http.response.start", status: 200, headers: headers() });
    await Promise.allSettled(later);
  }

  /** Reads on until it is told that there is nothing more. */
  async #untilLeft({ receive }: Request): Promise<void> {
    while ((await receive()).type === "http.request") await undefined;
  }

  /** What an application does behind its whole answer. */
  #tryAgain({ id, receive, send }: Kept): void {
    const send1 = send({ type: "http.response.body", body: utf8.encode(`late ${id}`) });
    send1.then(() => this.#witness.failed(`a late send of ${id} was taken`), ignore);
    receive().then((event) => {
      if (event.type !== "http.disconnect") this.#witness.failed(`a late receive of ${id} got ${event.type}`);
    }, ignore);
  }

  #tryKept(): void {
    if (this.#kept.length > 0) this.#tryAgain(this.#dice.pick(this.#kept));
  }

  async #rest(): Promise<void> {
    const kind = this.#dice.roll(3);
    if (kind === 0) for (let i = this.#dice.roll(12); i > 0; i--) await undefined;
    else if (kind === 1) await new Promise((resolve) => setImmediate(resolve));
    else await new Promise((resolve) => setTimeout(resolve, this.#dice.roll(3)));
  }
}

function idOf(scope: HttpScope): string {
  const id = scope.path.split("/")[2];
  assert.ok(id !== undefined);
  return id;
}

function ignore(): void {}
