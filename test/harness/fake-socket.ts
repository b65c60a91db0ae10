/**
 * A connection without a network: a socket that takes what it is told to take, and a server context whose clock, flush
 * queue and wake queue the test drives. Chunks are overwritten after each delivery where the runtime reuses them.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { DefaultFields } from "../../src/asgi/default-fields.ts";
import { TrustedPeers } from "../../src/asgi/proxy.ts";
import { ScopeBuilder } from "../../src/asgi/scope.ts";
import type { Application } from "../../src/asgi/types.ts";
import { isolate } from "../../src/runtime/isolate.ts";
import type { ArrayOwner, Runtime, Socket, SocketHandler } from "../../src/runtime/types.ts";
import { Collection } from "../../src/server/collection.ts";
import { Connection } from "../../src/server/connection.ts";
import type { ServerContext } from "../../src/server/context.ts";
import { exchangePool } from "../../src/server/exchange.ts";
import { Gathering } from "../../src/server/gathering.ts";
import { DEFAULT_LIMITS, DEFAULT_OPTIONS, type ServerLimits, type ServerOptions } from "../../src/server/options.ts";
import type { Swept } from "../../src/server/sweeper.ts";
import { latin1 } from "./response.ts";

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Lets every microtask and immediate that is due run. */
export async function settle(turns = 3): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeSocket implements Socket {
  readonly remote = { host: "192.0.2.7", port: 4321 };
  readonly local = { host: "192.0.2.1", port: 8000 };
  handler!: SocketHandler;
  paused = false;
  /** "open", then how the server ended its side. */
  ending: "open" | "fin" | "closed" | "reset" = "open";
  /** How many bytes the next write takes; -1: the socket is dead. Default: all that are offered. */
  take: (offered: number) => number = (offered) => offered;
  writes = 0;
  unsent = false;
  /** A write was short and `drain` is owed. */
  short = false;
  readonly #taken: Uint8Array[] = [];
  #borrowed: Uint8Array | null = null;

  write(bytes: Uint8Array, start: number, end: number): number {
    if (!Number.isInteger(start) || !Number.isInteger(end) || end < start || end > bytes.length) {
      throw new RangeError(`write [${start}, ${end}) of ${bytes.length}`);
    }
    if (this.ending !== "open") return -1;
    if (this.#borrowed !== null) throw new Error("a write behind a borrowed array, before drain");
    this.writes++;
    const taken = Math.min(end - start, this.take(end - start));
    if (taken < end - start) this.short = true;
    if (taken > 0) this.#taken.push(new Uint8Array(bytes.subarray(start, start + taken)));
    return taken;
  }

  /** Keeps the array, as a socket may: what its owner still wrote into it would show. */
  writeOwned(owner: ArrayOwner, start: number, end: number): number {
    const { bytes } = owner;
    const taken = this.write(bytes, start, end);
    if (taken < end - start) return taken;
    owner.bytes = new Uint8Array(bytes.length).fill(0x58);
    bytes.fill(0x58);
    return taken;
  }

  /** How many bytes are borrowed of those offered; the test says by `drain` that they have left. */
  borrows: (offered: number) => number = () => 0;

  borrow(bytes: Uint8Array, start: number, end: number): number {
    const taken = this.ending === "open" ? this.borrows(end - start) : 0;
    if (taken > 0) {
      this.short = true;
      this.#borrowed = bytes.subarray(start, start + taken);
    }
    return taken;
  }

  expect(): void {}

  /** How often the server has said so. */
  littles = 0;

  awaitLittle(): void {
    this.littles++;
  }

  handOver(handler: SocketHandler): void {
    this.handler = handler;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  shutdown(): void {
    if (this.ending === "open") this.ending = "fin";
  }

  close(): void {
    this.ending = "closed";
  }

  reset(): void {
    this.ending = "reset";
  }

  /** All that was taken, as ISO 8859-1 text. */
  get text(): string {
    return latin1(this.bytes);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#taken));
  }

  /** Drains until nothing is owed any more. */
  async drain(turns = 1): Promise<void> {
    await settle(turns);
    while (this.short && (this.ending === "open" || this.ending === "fin")) {
      this.short = false;
      if (this.#borrowed !== null) this.#taken.push(this.#borrowed.slice());
      this.#borrowed = null;
      this.handler.onDrain();
      await settle(turns);
    }
  }
}

/** What a context has that these tests do without. */
const IGNORED = { collection: { received(): void {} } as never };

export interface Logged {
  readonly level: string;
  readonly text: string;
}

export interface WiredOptions extends Partial<Omit<ServerOptions, "limits">> {
  readonly limits?: Partial<ServerLimits>;
  readonly ownsChunks?: boolean;
  readonly debug?: boolean;
  readonly canReset?: boolean;
}

/** A server context with one connection after another. */
export class Wired {
  readonly context: ServerContext;
  readonly logged: Logged[] = [];
  readonly accessed: string[] = [];
  readonly connections = new Set<Swept>();
  readonly ownsChunks: boolean;
  files: Runtime["openFile"] = () => Promise.reject(new Error("no such file"));
  /** The server's own asynchronous context, not that of an application. */
  readonly #nobody = AsyncLocalStorage.snapshot();

  constructor(app: Application, options: WiredOptions = {}) {
    const { limits, ownsChunks = true, debug = false, canReset = true, ...rest } = options;
    this.ownsChunks = ownsChunks;
    const full: ServerOptions = { ...DEFAULT_OPTIONS, ...rest, limits: { ...DEFAULT_LIMITS, ...limits } };
    const note = (level: string) => (text: string) => void this.logged.push({ level, text });
    const decode = (bytes: Uint8Array, start: number, end: number) => latin1(bytes.subarray(start, end));
    const runtime = {
      isolate,
      ownsChunks,
      canReset,
      latin1: decode,
      openFile: (path: string) => this.files(path),
    } as unknown as Runtime;
    const fields = new DefaultFields(full.serverHeader, full.dateHeader, full.headers);
    fields.refresh(0);
    const runDeferred = (task: () => void) => void setImmediate(task);
    this.context = {
      ...IGNORED,
      gathering: new Gathering(
        { defer: (task) => this.#nobody(runDeferred, task), now: () => 0 },
        (_connection, error) => {
          throw error;
        },
      ),
      runtime,
      options: full,
      logger: {
        critical: note("critical"),
        error: note("error"),
        warning: note("warning"),
        info: note("info"),
        debug: note("debug"),
        trace: note("trace"),
        enabled: (level) => debug || (level !== "debug" && level !== "trace"),
      },
      access: {
        request: (client, method, target, version, status) =>
          void this.accessed.push(`${client?.[0]} ${method} ${target} ${version} ${status}`),
      },
      app,
      scopes: new ScopeBuilder(decode, ownsChunks, full.rootPath, {}, new TrustedPeers(full.forwardedAllowIps)),
      fields,
      pool: exchangePool(full.limits),
      collection: new Collection({ residentBytes: () => 0, collectGarbage: () => {} }),
      now: 1000,
      leaving: false,
      stopping: false,
      idleStays: false,
      patient: false,
      inFlight: 0,
      running: 0,
      requestsStarted: 0,
      onRequest: undefined,
      opened: (connection) => void this.connections.add(connection),
      allReturned: () => {},
      closed: (connection) => {
        if (!this.connections.delete(connection)) throw new Error("a connection was closed twice");
      },
    };
  }

  connect(): Client {
    const socket = new FakeSocket();
    const connection = new Connection(this.context, socket);
    socket.handler = connection;
    return new Client(socket, connection, this.ownsChunks);
  }

  /** Moves the clock and looks at the deadlines. */
  pass(ms: number): void {
    this.context.now += ms;
    for (const connection of [...this.connections]) connection.sweep(this.context.now);
  }

  logs(level: string): string[] {
    return this.logged.filter((line) => line.level === level).map(({ text }) => text);
  }
}

/** The far end of a fake connection. */
export class Client {
  readonly socket: FakeSocket;
  readonly connection: Connection;
  readonly #ownsChunks: boolean;

  constructor(socket: FakeSocket, connection: Connection, ownsChunks: boolean) {
    this.socket = socket;
    this.connection = connection;
    this.#ownsChunks = ownsChunks;
  }

  /** Delivers pieces, each as one read. */
  feed(...pieces: (string | Uint8Array)[]): void {
    for (const piece of pieces) {
      const chunk = typeof piece === "string" ? bytesOf(piece) : piece.slice();
      if (this.#ownsChunks) {
        this.socket.handler.onData(chunk, chunk.length);
        continue;
      }
      // As a runtime that fills one buffer again and again: what was not copied is gone.
      const buffer = new Uint8Array(chunk.length + 7).fill(0x58);
      buffer.set(chunk);
      this.socket.handler.onData(buffer, chunk.length);
      buffer.fill(0x58);
    }
  }

  async send(...pieces: (string | Uint8Array)[]): Promise<void> {
    for (const piece of pieces) {
      this.feed(piece);
      await settle(1);
    }
    await settle(2);
  }

  fin(): void {
    this.socket.handler.onEnd();
  }

  /** The socket is gone, as the runtime says it. */
  gone(error?: Error): void {
    this.socket.handler.onClose(error);
  }
}
