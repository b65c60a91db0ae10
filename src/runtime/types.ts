/**
 * What the server needs of a JavaScript runtime. Only the implementations of these interfaces
 * (`bun.ts`, `deno.ts`, and `node.ts` for what both offer under the same name) touch a runtime's API.
 */

/** A TCP address, or a Unix socket's path with port 0. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** Whoever refers to an array that a socket may take over. */
export interface ArrayOwner {
  bytes: Uint8Array;
}

/**
 * One accepted connection, as the runtime sees it.
 *
 * Half-open is the rule: after the peer's FIN (`onEnd`) writing goes on until `shutdown()` or `close()`.
 */
export interface Socket {
  /**
   * Offers `bytes[start, end)`. Returns how many bytes were taken; the caller may reuse those at once.
   * Fewer than offered: keep the rest and offer it again on `onDrain`. -1: the socket can take no more, ever.
   */
  write(bytes: Uint8Array, start: number, end: number): number;
  /**
   * As `write` with `owner.bytes`, which must hold nothing else of value: where that saves a copy, the socket keeps the
   * array and puts another one in its place, not shorter, of arbitrary content.
   */
  writeOwned(owner: ArrayOwner, start: number, end: number): number;
  /**
   * Where that saves a copy, the socket takes bytes from the front of `bytes[start, end)` by reference: they must not
   * change until `onDrain`, which follows. Returns their count; 0: use `write`.
   */
  borrow(bytes: Uint8Array, start: number, end: number): number;
  /** Told within `onData`: so many bytes more belong to what has begun. Where reads have a size, the next one fits. */
  expect(count: number): void;
  /**
   * Told within `onData`: the next bytes may be long in coming, and few. Where waiting pins memory, it pins less; more than
   * a few bytes then take two reads.
   */
  awaitLittle(): void;
  /** From now on another handler is told. */
  handOver(handler: SocketHandler): void;
  /** Stops reading. At most what the runtime had already read may still be delivered after it. */
  pause(): void;
  resume(): void;
  /** Sends FIN behind the bytes already taken; reading goes on. */
  shutdown(): void;
  /** Sends FIN behind the bytes already taken and lets the socket go. `onClose` follows (perhaps later). */
  close(): void;
  /**
   * Bytes that were taken have not left yet. Behind `close()` then, `onClose` follows when they have, however long the peer
   * lets them wait; `reset()` ends that.
   */
  readonly unsent: boolean;
  /** Ends with RST where the runtime can (see `Runtime.canReset`), else with FIN; nothing leaves any more. */
  reset(): void;
  /**
   * The peer's address. Empty host for a Unix socket's unnamed peer, and where a reset came before anybody asked. Costs a
   * system call on some runtimes: read it once.
   */
  readonly remote: SocketAddress;
  readonly local: SocketAddress;
}

/** What a connection does about its socket's events. Called by the runtime, never re-entrantly from `write`. */
export interface SocketHandler {
  /**
   * Bytes `chunk[0, length)` have arrived. An array that they fill whole is fresh and may be kept; another one is valid
   * during the call only, and what is to be kept must be copied.
   */
  onData(chunk: Uint8Array, length: number): void;
  /** The socket takes bytes again after a short `write`. */
  onDrain(): void;
  /** The peer sent FIN and everything before it has been delivered. */
  onEnd(): void;
  /**
   * While paused: the peer sent FIN and `unreadBytes` are still unread behind the pause
   * (-1: the runtime can't say how many). Called at most once.
   */
  onEndUnread(unreadBytes: number): void;
  /** The connection is gone (after `close`, `reset`, both FINs, or an error). Called exactly once, last. */
  onClose(error: Error | undefined): void;
}

export interface ListenOptions {
  /** TCP: a numeric address or host name. */
  readonly host?: string;
  /** TCP port; 0 asks for a free one. */
  readonly port?: number;
  /** Unix socket path, instead of host and port. */
  readonly path?: string;
  /** Permission bits of the Unix socket file, such as 0o666. */
  readonly pathMode?: number;
  /** A live server's Unix socket may be replaced (a rolling replacement, where the old one still serves). */
  readonly replaceLive?: boolean;
  /** Length of the accept queue. */
  readonly backlog: number;
  /** Several processes share the port (SO_REUSEPORT). */
  readonly reusePort?: boolean;
  /**
   * Hears what no connection can be told: an exception from a handler (its connection is reset) and a failed
   * accept (accepting goes on). Default: one line on standard error.
   */
  readonly onError?: (error: unknown) => void;
}

export interface Listener {
  /** The bound address; for a Unix socket `host` is its path and `port` 0. */
  readonly address: SocketAddress;
  /** The accept queue's length in force, when it differs from what was asked for. */
  readonly backlogInForce: number | undefined;
  /**
   * Stops accepting; connections live on. Removes the Unix socket file if it is still this listener's own.
   * Where the runtime is slow to let go (Deno), the port is free only after the next turn of the event loop.
   */
  close(): void;
}

/** A user's mistake or the system's refusal, said in one plain sentence (`message`); no stack trace is shown. */
export class PlainError extends Error {
  override readonly name = "PlainError";
}

export type SignalName = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGTTIN" | "SIGTTOU";

/** A child process with a two-way message pipe (one JSON document per line on descriptor 3). */
export interface Child {
  readonly pid: number;
  /** Sends one message; false when the pipe is gone. */
  send(message: unknown): boolean;
  kill(signal: "SIGTERM" | "SIGKILL" | "SIGINT"): void;
}

export interface SpawnOptions {
  /** Program and arguments; `runtime.selfCommand()` gives the running server's own. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  onMessage(message: unknown): void;
  /** Called once. `code` is null when a signal ended it. */
  onExit(code: number | null, signal: string | null): void;
}

/** The child's end of the message pipe. */
export interface ParentLink {
  send(message: unknown): boolean;
  /** Called for each message; and once with `undefined` when the parent is gone. */
  onMessage(listener: (message: unknown) => void): void;
}

export interface OpenFile {
  readonly sizeBytes: number;
  /** Fills `into` from byte `position` on; returns the count, 0 at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** As `read`, at once, into `into[start, start + length)`: for what is short. */
  readNow(into: Uint8Array, start: number, length: number, position: number): number;
  close(): void;
}

export interface Runtime {
  readonly name: "bun" | "deno";
  readonly version: string;
  /** Each array that `onData` hands over is filled whole: it may be kept. */
  readonly ownsChunks: boolean;
  /** `Socket.reset()` really sends RST. */
  readonly canReset: boolean;
  /** @throws PlainError when the address is in use, not permitted or not this machine's. */
  listen(options: ListenOptions, accept: (socket: Socket) => SocketHandler): Promise<Listener>;
  /** Runs `task` at the end of this turn of the event loop: after the microtasks, before or at the next poll. */
  defer(task: () => void): void;
  /** Calls `task(a, b)` in no request's asynchronous context (AsyncLocalStorage), and lets none out of it. */
  isolate<A, B>(task: (a: A, b: B) => void, a: A, b: B): void;
  /** Bytes `[start, end)`, each as the code unit of its value (ISO 8859-1). */
  latin1(bytes: Uint8Array, start: number, end: number): string;
  /** Monotonic milliseconds. */
  now(): number;
  /** The soft limit of open descriptors, or undefined where it can't be read. */
  descriptorLimit(): number | undefined;
  onSignal(signal: SignalName, listener: () => void): () => void;
  /**
   * Hears of errors that nobody handles (an uncaught exception, a rejection without handler) in place of the runtime,
   * which would end the process.
   */
  onStrayError(listener: (error: unknown) => void): void;
  /** The parent's process id now (it changes when the parent dies). */
  parentPid(): number;
  readonly pid: number;
  /** Imports a module by absolute path or `file:` URL; TypeScript included. */
  importModule(path: string): Promise<Record<string, unknown>>;
  /**
   * From now on `import ... from name` in modules that are loaded later gives `exports`, wherever they lie and whatever
   * their node_modules hold. False where the runtime has no such thing: the name is then resolved as any other.
   */
  provideModule(name: string, exports: Readonly<Record<string, unknown>>): boolean;
  /** The command that starts this program again, without its arguments. */
  selfCommand(): string[];
  spawn(options: SpawnOptions): Child;
  /** The message pipe to the supervising parent, if this process was started by `spawn`. */
  parentLink(): ParentLink | undefined;
  /** @throws PlainError or a system error when the file can't be opened or is not a regular file. */
  openFile(path: string): Promise<OpenFile>;
  readTextFile(path: string): string;
  fileExists(path: string): boolean;
  /** Resolves a path against the working directory. */
  resolvePath(...parts: string[]): string;
  /** @throws PlainError when the working directory has been removed, or, on Deno, has a name that is not UTF-8. */
  cwd(): string;
  env(): Record<string, string | undefined>;
  arguments(): string[];
  exit(code: number): never;
  /** Writes text to standard output or error, whole and in order, without blocking the event loop for long. */
  writeOut(text: string): void;
  writeErr(text: string): void;
  readonly stderrIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  /** Frees the arrays that nothing refers to any more, now; a matter of milliseconds in a small process. */
  collectGarbage(): void;
  /** Processor cores that this process may use, 1 or more: its affinity counts, a container's share of time does not. */
  cores(): number;
  /** Resident set size of this process in bytes. */
  residentBytes(): number;
}
