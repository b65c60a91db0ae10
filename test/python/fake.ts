/** A worker that is none: the front's end of the stream in the test's hands. And a client that is none. */
import type { HttpReceiveEvent, HttpScope, SendEvent } from "../../src/asgi/types.ts";
import { AsgiCall } from "../../src/python/asgi-call.ts";
import { Exchange } from "../../src/python/exchange.ts";
import * as wire from "../../src/python/wire.ts";
import type { SpawnStreamOptions, StreamChild } from "../../src/runtime/stream-child.ts";

export const latin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

export interface Sent {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

export class FakeWorker implements StreamChild {
  readonly pid: number;
  /** What the front has sent. */
  readonly sent: Sent[] = [];
  readonly killed: string[] = [];
  /** How often the front has written. */
  writes = 0;
  /** The stream takes at most so many bytes a write; 0: it is full. */
  takes = Number.POSITIVE_INFINITY;
  closed = false;
  generation = 0;
  readonly #options: SpawnStreamOptions;
  readonly #reader: wire.RecordReader;
  #exited = false;

  constructor(options: SpawnStreamOptions, pid: number) {
    this.#options = options;
    this.pid = pid;
    this.#reader = new wire.RecordReader({
      expects: () => {},
      took: (type, flags, id, generation, bytes, start, end) => {
        this.generation = generation;
        this.sent.push({ type, flags, id, payload: bytes.slice(start, end) });
      },
    });
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    this.writes += 1;
    const count = Math.min(end - start, this.takes);
    this.#reader.push(bytes.slice(start, start + count));
    return count;
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.killed.push(signal);
    if (signal === "SIGKILL") queueMicrotask(() => this.exit(null, "SIGKILL"));
  }

  close(): void {
    this.closed = true;
  }

  // ---- what the test does ----

  exit(code: number | null, signal: string | null = null): void {
    if (this.#exited) return;
    this.#exited = true;
    this.#options.onEnd();
    this.#options.onExit(code, signal);
  }

  /** The process has ended, and what it wrote before has not been read yet. */
  exitFirst(code: number): void {
    this.#exited = true;
    this.#options.onExit(code, null);
  }

  endStream(): void {
    this.#options.onEnd();
  }

  drain(): void {
    this.#options.onDrain();
  }

  raw(bytes: Uint8Array): void {
    this.#options.onData(bytes);
  }

  say(type: number, flags: number, id: number, payload: Uint8Array | string = new Uint8Array(0)): void {
    const out = new wire.RecordBuffer(64);
    const bytes = typeof payload === "string" ? latin1(payload) : payload;
    out.record(type, flags, id, this.generation, bytes);
    this.raw(out.bytes.slice(0, out.length));
  }

  ready(): void {
    this.say(wire.READY, 0, 0, '{"pid":1,"python":"3","loop":"asyncio","interface":"asgi","app":"a:app"}');
  }

  /** A whole response. */
  respond(id: number, body = "ok", flags = wire.LAST): void {
    this.say(wire.RESPONSE, flags, id, `\xc8\0\0\0\0\0${body}`);
  }

  body(id: number, body: Uint8Array | string, flags = 0): void {
    this.say(wire.RESPONSE_BODY, flags, id, body);
  }

  /** Ids of the requests that the front has sent. */
  get requests(): number[] {
    return this.sent.filter(({ type }) => type === wire.HEAD).map(({ id }) => id);
  }

  of(type: number): Sent[] {
    return this.sent.filter((record) => record.type === type);
  }
}

/** `spawn` for a pool or host, and the workers that it made. */
export function fakeSpawn(): { workers: FakeWorker[]; spawn: (options: SpawnStreamOptions) => StreamChild } {
  const workers: FakeWorker[] = [];
  return {
    workers,
    spawn: (options) => {
      const worker = new FakeWorker(options, 1000 + workers.length);
      workers.push(worker);
      return worker;
    },
  };
}

/** A request whose client the test plays. */
export class FakeClient {
  readonly exchange: Exchange;
  readonly sent: SendEvent[] = [];
  /** While set, `send` waits for it. */
  stalled: Promise<void> | undefined;
  /** While set, `send` rejects with it. */
  refusal: unknown;
  outcome: "pending" | "settled" | string = "pending";
  #events: HttpReceiveEvent[] = [];
  #wake: ((event: HttpReceiveEvent) => void)[] = [];

  constructor(method = "GET", fields: readonly (readonly [string, string])[] = []) {
    const scope = {
      type: "http",
      asgi: { version: "3.0", spec_version: "2.5" },
      http_version: "1.1",
      method,
      scheme: "http",
      path: "/",
      raw_path: latin1("/"),
      query_string: new Uint8Array(0),
      root_path: "",
      headers: fields.map(([name, value]) => [latin1(name), latin1(value)] as const),
      client: null,
      server: null,
      state: {},
      extensions: {},
    } satisfies HttpScope;
    if (!fields.some(([name]) => name === "content-length" || name === "transfer-encoding")) {
      this.event({ type: "http.request", body: new Uint8Array(0), more_body: false });
    }
    const call = new AsgiCall(
      scope,
      () => this.#receive(),
      (event) => this.#send(event),
    );
    this.exchange = new Exchange(call);
    call.done.then(
      () => {
        this.outcome = "settled";
      },
      (error: unknown) => {
        this.outcome = String(error);
      },
    );
  }

  event(event: HttpReceiveEvent): void {
    const wake = this.#wake.shift();
    if (wake === undefined) this.#events.push(event);
    else wake(event);
  }

  piece(body: Uint8Array, more: boolean): void {
    this.event({ type: "http.request", body, more_body: more });
  }

  /** Somebody waits for an event. */
  get asked(): boolean {
    return this.#wake.length > 0;
  }

  get status(): number | undefined {
    for (const event of this.sent) if (event.type === "http.response.start") return event.status;
    return undefined;
  }

  get text(): string {
    let text = "";
    for (const event of this.sent) {
      if (event.type === "http.response.body") text += Buffer.from(event.body ?? []).toString("latin1");
    }
    return text;
  }

  #receive(): Promise<HttpReceiveEvent> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve(event);
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #send(event: SendEvent): Promise<void> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    this.sent.push(event);
    return this.stalled ?? Promise.resolve();
  }
}

/** Lets deferred tasks and microtasks run. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
