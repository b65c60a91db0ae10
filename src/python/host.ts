/**
 * One worker process, as the front knows it: its stream in both directions, and what is in flight on it.
 * What it sends is not trusted: a worker that breaks the format is ended, and its requests are answered for it.
 */

import { Chunk } from "../channel/memory.ts";
import { type SpawnStreamOptions, type StreamChild, spawnStream } from "../runtime/stream-child.ts";
import type { Runtime } from "../runtime/types.ts";
import type { Carried } from "./carried.ts";
import type { Member, MemberState } from "./lineup.ts";
import { BUSY_LAG_MS, Pulse } from "./pulse.ts";
import type { WorkerFacts, WorkerSettings } from "./settings.ts";
import * as wire from "./wire.ts";

/** What is handed to the stream at once, so that control records never wait behind more than this. */
const WRITE_BYTES = 256 * 1024;
/** Ids must not begin anew: a worker is replaced when half of them are used. */
export const MOST_REQUESTS = 0x8000_0000;

/** Between the end of a worker's stream and its exit, whichever comes first. */
const EXIT_GRACE_MS = 1_000;

const UTF8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);

/** Whom a host tells. */
export interface HostOwner {
  ready(host: WorkerHost, facts: WorkerFacts): void;
  /** It could not load or start the application. `gone` follows. */
  failed(host: WorkerHost, message: string, traceback: string): void;
  /** It asks for a successor; it goes on serving until it is drained. */
  retiring(host: WorkerHost): void;
  /** Its stream has ended: it takes no more requests. `gone` follows. */
  ended(host: WorkerHost): void;
  /** A request has ended. */
  freed(host: WorkerHost): void;
  /** The process or its stream has ended, or broke the format: `orphans` are the requests that it had. */
  gone(host: WorkerHost, orphans: Carried[], why: string): void;
}

export type Spawn = (options: SpawnStreamOptions) => StreamChild;

export interface HostOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly settings: WorkerSettings;
  readonly generation: number;
  /** Requests after which it is to be replaced. */
  readonly mostRequests: number;
  /** It waits for `load`. */
  readonly spare?: boolean;
  /** Another one than the runtime's, for tests. */
  readonly spawn?: Spawn;
}

export class WorkerHost implements wire.RecordTaker, Member {
  readonly generation: number;
  readonly pid: number;
  /** Requests after which it is to be replaced. */
  readonly mostRequests: number;
  state: MemberState = "spare";
  leaving: Member["leaving"];
  facts: WorkerFacts | undefined;
  /** Monotonic milliseconds: of the order to load, of READY, of the end of a drain's patience. */
  loadedAt = 0;
  readyAt = 0;
  drainBy = Number.POSITIVE_INFINITY;
  /** Resident memory when it was ready; 0: not asked. */
  bornBytes = 0;
  /** That it loads for long has been told. */
  isSlowTold = false;
  /** Others get the new requests, while there are any. */
  isBusy = false;
  readonly pulse: Pulse;
  /** What lifespan shutdown had to say. */
  shutdownProblem: string | undefined;
  readonly #runtime: Pick<Runtime, "defer" | "now">;
  readonly #owner: HostOwner;
  readonly #child: StreamChild;
  readonly #exchanges = new Map<number, Carried>();
  readonly #reader: wire.RecordReader;
  readonly #control = new wire.RecordBuffer(1024);
  /** Of WebSockets, as they came. */
  #messages = new wire.RecordBuffer(1024);
  #sockets = 0;
  #filling = false;
  readonly #heads = new wire.RecordBuffer(16 * 1024);
  /** Requests whose head stands in `#heads`. */
  #unwritten: Carried[] = [];
  /** Requests with body to send, in turn. */
  #round: Carried[] = [];
  #out = new wire.RecordBuffer(64 * 1024);
  #sent = 0;
  #nextId = 1;
  #flushQueued = false;
  #why: string | undefined;
  #exited = false;
  #streamEnded = false;
  /** What is being read. */
  #chunk: Chunk | null = null;
  #exitGuard: ReturnType<typeof setTimeout> | undefined;

  constructor(runtime: Pick<Runtime, "defer" | "now">, owner: HostOwner, options: HostOptions) {
    this.#runtime = runtime;
    this.#owner = owner;
    this.generation = options.generation;
    this.mostRequests = options.mostRequests;
    this.pulse = new Pulse(runtime.now());
    this.#reader = new wire.RecordReader(this);
    this.#child = (options.spawn ?? spawnStream)({
      command: options.command,
      env: options.env,
      onData: (chunk) => this.#arrived(chunk),
      onDrain: () => this.#flush(),
      onEnd: () => this.#ended(),
      onExit: (code, signal) => this.#left(code, signal),
    });
    this.pid = this.#child.pid;
    if (!options.spare) this.load(options.settings);
  }

  /** Says what to serve: its interpreter has been waiting for that. */
  load(settings: WorkerSettings): void {
    this.state = "loading";
    this.loadedAt = this.#runtime.now();
    this.#control.record(wire.HELLO, 0, 0, this.generation, UTF8.encode(JSON.stringify(settings)));
    this.#flushSoon();
  }

  /** Requests, and handshakes of WebSockets, that it has not answered. */
  get inFlight(): number {
    return this.#exchanges.size - this.#sockets;
  }

  /** WebSockets that it has accepted. */
  get sockets(): number {
    return this.#sockets;
  }

  /** A WebSocket is open: it is in flight no more, however long it lives. */
  opened(): void {
    this.#sockets += 1;
    this.#owner.freed(this);
  }

  /** One of those has ended; `finished` follows. */
  shut(): void {
    this.#sockets -= 1;
  }

  /** The process has ended. */
  get exited(): boolean {
    return this.#exited;
  }

  /** Requests that it has been given so far. */
  get begun(): number {
    return this.#nextId - 1;
  }

  /** It was told to leave, or is not to serve any more. */
  get wasDrained(): boolean {
    return this.drainBy !== Number.POSITIVE_INFINITY;
  }

  // ---- to the worker ---------------------------------------------------------------------------------------

  begin(exchange: Carried): void {
    const id = this.#nextId++;
    this.#exchanges.set(id, exchange);
    this.#unwritten.push(exchange);
    exchange.begin(this, id, this.#heads);
    this.#flushSoon();
  }

  credit(id: number, count: number): void {
    this.#controls(id).number(wire.CREDIT, 0, id, this.generation, count);
    this.#flushSoon();
  }

  disconnect(id: number, flags: number): void {
    this.#controls(id).record(wire.DISCONNECT, flags, id, this.generation, NO_BYTES);
    this.#flushSoon();
  }

  refuse(id: number, text: Uint8Array): void {
    this.#controls(id).record(wire.REFUSED, 0, id, this.generation, text.subarray(0, 4096));
    this.#flushSoon();
  }

  ping(token: number): void {
    this.#control.number(wire.PING, 0, 0, this.generation, token);
    this.#flushSoon();
  }

  /** Finishes what is in flight, runs lifespan shutdown and leaves; it may take `patienceMs`. */
  drain(patienceMs: number): void {
    if (this.state === "gone" || this.wasDrained) return;
    this.drainBy = this.#runtime.now() + patienceMs;
    if (this.state === "ending") return;
    this.state = "draining";
    this.#heads.record(wire.DRAIN, 0, 0, this.generation, NO_BYTES);
    this.#flushSoon();
  }

  /** Its patience is over: WebSockets that are open get 1012. Returns whether there were any. */
  outstay(): boolean {
    return [...this.#exchanges.values()].filter((each) => each.outstay()).length > 0;
  }

  /** Ends the process at once. */
  kill(why: string): void {
    this.#why ??= why;
    this.#child.kill("SIGKILL");
    this.#lost(why);
  }

  /** Ends one that is not needed. While it loads it may end what its application has started; it is killed if that takes long. */
  dismiss(why: string): void {
    if (this.state !== "loading") {
      this.kill(why);
      return;
    }
    this.#why ??= why;
    this.state = "ending";
    this.#streamEnded = true;
    this.#child.close();
    this.#child.kill("SIGTERM");
    this.#exitGuard = setTimeout(() => this.kill(why), EXIT_GRACE_MS);
  }

  /** Messages may leave before what waits in turn: the stream keeps up. */
  get hasRoom(): boolean {
    return this.#nextMessages.length < WRITE_BYTES;
  }

  /** While a write is put together, what a WebSocket has behind its turn belongs behind that. */
  get #nextMessages(): wire.RecordBuffer {
    return this.#filling ? this.#out : this.#messages;
  }

  /** A message of a WebSocket that has none waiting. */
  message(id: number, flags: number, bytes: Uint8Array, start: number, end: number): void {
    this.#nextMessages.record(wire.WS_MESSAGE, flags, id, this.generation, bytes, start, end);
    this.#flushSoon();
  }

  wantsBody(exchange: Carried): void {
    if (exchange.inRound) return;
    exchange.inRound = true;
    this.#round.push(exchange);
    this.#flushSoon();
  }

  finished(exchange: Carried): void {
    this.#exchanges.delete(exchange.id);
    this.#owner.freed(this);
  }

  /** Control records overtake bodies, but never the head that they are about. */
  #controls(id: number): wire.RecordBuffer {
    const first = this.#unwritten[0];
    return first !== undefined && id >= first.id ? this.#heads : this.#control;
  }

  #flushSoon(): void {
    if (this.#flushQueued || this.state === "gone") return;
    this.#flushQueued = true;
    this.#runtime.defer(() => {
      this.#flushQueued = false;
      this.#flush();
    });
  }

  /** Writes until there is nothing left or the stream takes no more. */
  #flush(): void {
    let out = this.#out;
    while (this.state !== "gone") {
      if (this.#sent === out.length) {
        out.length = 0;
        this.#sent = 0;
        this.#filling = true;
        this.#fill();
        this.#filling = false;
        out = this.#out;
        if (out.length === 0) return;
      }
      this.#sent += Math.max(0, this.#child.write(out.bytes, this.#sent, out.length));
      if (this.#sent < out.length) return;
    }
  }

  #fill(): void {
    let out = this.#out;
    if (this.#control.length > 0) {
      out.append(this.#control.bytes, 0, this.#control.length);
      this.#control.length = 0;
    }
    if (this.#heads.length > 0) {
      out.append(this.#heads.bytes, 0, this.#heads.length);
      this.#heads.length = 0;
      for (const exchange of this.#unwritten) exchange.written = true;
      this.#unwritten.length = 0;
    }
    if (this.#messages.length > 0) {
      if (out.length === 0) {
        [this.#out, this.#messages] = [this.#messages, out];
        out = this.#out;
      } else out.append(this.#messages.bytes, 0, this.#messages.length);
      this.#messages.length = 0;
    }
    // A share of its own: messages that keep coming must not hold up bodies. Two records a turn: short bodies go whole.
    const most = out.length + WRITE_BYTES;
    while (this.#round.length > 0 && out.length < most) {
      const round = this.#round;
      this.#round = [];
      for (let i = 0; i < round.length; i++) {
        const exchange = round[i];
        if (out.length >= most) {
          this.#round.unshift(...round.slice(i));
          break;
        }
        exchange.inRound = false;
        const more = exchange.putBody(out) && exchange.putBody(out);
        if (more && !exchange.inRound) {
          exchange.inRound = true;
          this.#round.push(exchange);
        }
      }
    }
  }

  // ---- from the worker -------------------------------------------------------------------------------------

  #arrived(chunk: Uint8Array): void {
    if (this.state === "gone") return;
    const held = new Chunk(chunk);
    this.#chunk = held;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof wire.WireError)) throw error;
      this.kill(`it sent ${error.message}`);
    }
    this.#chunk = null;
    held.release();
  }

  /** An exchange needs what it was given after its return; it may `release` that once. */
  hold(): Chunk | null {
    this.#chunk?.hold();
    return this.#chunk;
  }

  /** For the reader. @throws WireError */
  expects(type: number, id: number, generation: number): void {
    if (type < wire.READY || type > wire.WS_CLOSE) throw new wire.WireError(`a record of type ${type}`);
    if (generation !== this.generation) throw new wire.WireError("a record of another worker");
    if (id >= this.#nextId) throw new wire.WireError("an answer to no request");
  }

  /** For the reader. @throws WireError */
  took(
    type: number,
    flags: number,
    id: number,
    generation: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    records: number,
  ): void {
    // Of one chunk with garbage in the middle, the rest is not looked at.
    if (this.state === "gone") return;
    this.expects(type, id, generation);
    if (id === 0) this.#tookOwn(type, bytes, start, end);
    else if (this.state === "loading") throw new wire.WireError("an answer before it was ready");
    else this.#exchanges.get(id)?.took(type, flags, bytes, start, end, records);
  }

  #tookOwn(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (type === wire.BEAT) {
      if (end - start !== wire.BEAT_BYTES) throw new wire.WireError("a heartbeat of another length");
      const view = new DataView(bytes.buffer, bytes.byteOffset + start, wire.BEAT_BYTES);
      const lagMs = view.getUint32(4, true);
      this.isBusy = lagMs >= BUSY_LAG_MS;
      this.pulse.beat({
        atMs: this.#runtime.now(),
        lagMs,
        cpuMs: Number(view.getBigUint64(8, true)) / 1000,
        inFlight: view.getUint32(16, true),
      });
      return;
    }
    if (type === wire.RETIRING) {
      if (this.state === "ready") this.#owner.retiring(this);
      return;
    }
    const message = wire.messageIn(bytes.subarray(start, end));
    if (type === wire.READY && this.state === "loading") {
      this.facts = message as unknown as WorkerFacts;
      this.state = "ready";
      this.readyAt = this.#runtime.now();
      this.pulse.begin(this.readyAt);
      this.isBusy = false;
      this.#owner.ready(this, this.facts);
    } else if (type === wire.FAILED) {
      this.#why = wire.textOf(message.message);
      this.#owner.failed(this, this.#why, wire.textOf(message.traceback));
    } else if (type === wire.STOPPED) {
      if (typeof message.message === "string") this.shutdownProblem = message.message;
    } else if (type !== wire.READY) throw new wire.WireError(`a record of type ${type}`);
  }

  /** The stream has ended: it serves nobody any more. Why, its exit tells, if it comes. */
  #ended(): void {
    this.#streamEnded = true;
    if (this.#exited) this.#lost(this.#why ?? "it ended");
    else this.#ending(() => this.kill(this.#why ?? "it closed its stream"));
  }

  /** The process has ended. What it wrote before may still be unread: the stream's end tells. */
  #left(code: number | null, signal: string | null): void {
    this.#exited = true;
    this.#why ??= signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`;
    const why = this.#why;
    if (this.#streamEnded) this.#lost(why);
    // A process that it started may hold the stream open.
    else this.#ending(() => this.#lost(why));
  }

  #ending(otherwise: () => void): void {
    if (this.state === "gone") return;
    if (!this.wasDrained) this.state = "ending";
    this.#exitGuard = setTimeout(otherwise, EXIT_GRACE_MS);
    this.#owner.ended(this);
  }

  #lost(why: string): void {
    if (this.state === "gone") return;
    this.state = "gone";
    clearTimeout(this.#exitGuard);
    this.#child.close();
    const orphans = [...this.#exchanges.values()];
    this.#exchanges.clear();
    this.#round = [];
    this.#owner.gone(this, orphans, why);
  }
}
