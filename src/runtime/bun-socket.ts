/** One accepted connection on Bun. */
import type { BunSocket, WithDescriptor } from "./bun-api.ts";
import type { Libc } from "./bun-libc.ts";
import { defer } from "./turn.ts";
import type { ArrayOwner, Socket, SocketAddress, SocketHandler } from "./types.ts";

/** How often paused connections are looked at for their peer's FIN, which Bun does not report behind a pause. */
const PROBE_INTERVAL_MS = 500;

/** What the connections of a listener share. */
export interface ConnectionContext {
  readonly accept: (socket: Socket) => SocketHandler;
  readonly onError: (error: unknown) => void;
  /** The listener's Unix socket path. */
  readonly path: string | undefined;
  /** The server's side of all its connections; undefined where each has to be asked, which is a system call. */
  local: SocketAddress | undefined;
}

export type RawSocket = BunSocket<BunConnection | undefined>;

/** Paused connections; one timer, which runs only while there are any, asks the kernel about them all at once. */
class EndProbe {
  system: Libc | undefined;
  private readonly paused = new Set<BunConnection>();
  private timer: ReturnType<typeof setInterval> | undefined;

  add(connection: BunConnection): void {
    if (this.system?.ended === undefined) return;
    this.paused.add(connection);
    this.timer ??= setInterval(() => this.look(), PROBE_INTERVAL_MS);
  }

  delete(connection: BunConnection): void {
    if (!this.paused.delete(connection) || this.paused.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private look(): void {
    const system = this.system!;
    const connections = [...this.paused];
    const descriptors = connections.map((connection) => connection.descriptor);
    const ended = system.ended!(descriptors);
    for (let i = 0; i < connections.length; i++) {
      if (!ended[i]) continue;
      this.delete(connections[i]!);
      connections[i]!.endedUnread(system.unread(descriptors[i]!));
    }
  }
}

export const END_PROBE = new EndProbe();

/** Larger chunks are no burst of requests: they are handed on at once, so that no turn holds many of them. */
const GATHERED_BYTES = 16 * 1024;

/**
 * What one turn hands on at most. More connections than this, each with its buffers, no longer fit the caches: at 2,048
 * connections a request costs a fifth less in such portions than all at once.
 */
const HANDED_ON_TOGETHER = 128;

/**
 * Connections with a chunk that waits for the end of this turn. Bun runs all microtasks behind each of its callbacks;
 * handing on together what arrived together lets the requests of all connections go through each step side by side,
 * which is a quarter faster than one after the other.
 */
let gathered: BunConnection[] = [];

function handOn(): void {
  const connections = gathered;
  const count = Math.min(connections.length, HANDED_ON_TOGETHER);
  gathered = connections.slice(count);
  if (gathered.length > 0) defer(handOn);
  for (let i = 0; i < count; i++) connections[i]!.deliverWaiting();
}

/** Bun's socket as the server sees it. One small object a connection; Bun's socket carries it in `data`. */
export class BunConnection implements Socket {
  private readonly raw: RawSocket;
  private readonly context: ConnectionContext;
  private handler!: SocketHandler;
  /** No call to the handler but `onClose`, and no write, after this. */
  private closed = false;
  /** Within a call that makes Bun close the socket, when its `close` event comes at once. */
  private closing = false;
  private short = false;
  /** Has arrived in this turn. */
  private waiting: Uint8Array | undefined = undefined;
  /** A write has failed: it took the system's error with it, so Bun will report a plain end. */
  private broken = false;
  private shutDown = false;
  private toldEnd = false;
  private remoteAddress: SocketAddress | undefined = undefined;
  private localAddress: SocketAddress | undefined = undefined;

  private constructor(raw: RawSocket, context: ConnectionContext) {
    this.raw = raw;
    this.context = context;
  }

  static open(raw: RawSocket, context: ConnectionContext): void {
    const connection = new BunConnection(raw, context);
    try {
      connection.handler = context.accept(connection);
      raw.data = connection;
    } catch (error) {
      context.onError(error);
      raw.terminate();
    }
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.closed) return -1;
    const length = end - start;
    if (length <= 0) return 0;
    const taken = this.raw.write(bytes, start, length);
    if (taken < 0) this.broken = !this.shutDown;
    else if (taken < length) this.short = true;
    return taken;
  }

  writeOwned(owner: ArrayOwner, start: number, end: number): number {
    return this.write(owner.bytes, start, end);
  }

  /** Bun copies nothing anyway. */
  borrow(): number {
    return 0;
  }

  /** Bun reads half a megabyte at once. */
  expect(): void {}

  /** Nor does waiting pin memory. */
  awaitLittle(): void {}

  handOver(handler: SocketHandler): void {
    this.handler = handler;
  }

  pause(): void {
    if (this.closed) return;
    this.raw.pause();
    if (!this.toldEnd) END_PROBE.add(this);
  }

  resume(): void {
    if (this.closed) return;
    END_PROBE.delete(this);
    this.raw.resume();
  }

  shutdown(): void {
    if (this.closed) return;
    this.shutDown = true;
    this.raw.shutdown();
  }

  close(): void {
    if (this.closed) return;
    this.closing = true;
    this.closed = true;
    this.raw.end();
  }

  /** What Bun takes, the kernel has. */
  get unsent(): boolean {
    return false;
  }

  reset(): void {
    if (this.closed) return;
    this.closing = true;
    this.closed = true;
    this.raw.terminate();
  }

  get remote(): SocketAddress {
    this.remoteAddress ??=
      this.context.path === undefined ? known(this.raw.remoteAddress, this.raw.remotePort) : { host: "", port: 0 };
    return this.remoteAddress;
  }

  get local(): SocketAddress {
    this.localAddress ??= this.context.local ?? known(this.raw.localAddress, this.raw.localPort);
    return this.localAddress;
  }

  get descriptor(): number {
    return (this.raw as RawSocket & WithDescriptor).fd ?? -1;
  }

  arrived(chunk: Uint8Array): void {
    const earlier = this.waiting;
    if (chunk.length > GATHERED_BYTES) {
      this.waiting = undefined;
      if (earlier !== undefined) this.deliver(earlier);
      this.deliver(chunk);
      return;
    }
    this.waiting = chunk;
    if (earlier !== undefined) this.deliver(earlier);
    else if (gathered.push(this) === 1) defer(handOn);
  }

  /** Before anything else of this connection is told. */
  deliverWaiting(): void {
    const chunk = this.waiting;
    if (chunk === undefined) return;
    this.waiting = undefined;
    this.deliver(chunk);
  }

  private deliver(chunk: Uint8Array): void {
    if (this.closed) return;
    try {
      this.handler.onData(chunk, chunk.length);
    } catch (error) {
      this.failed(error);
    }
  }

  drained(): void {
    this.deliverWaiting();
    if (this.closed || !this.short) return;
    this.short = false;
    try {
      this.handler.onDrain();
    } catch (error) {
      this.failed(error);
    }
  }

  ended(): void {
    this.deliverWaiting();
    if (this.closed || this.broken) return;
    this.toldEnd = true;
    END_PROBE.delete(this);
    try {
      this.handler.onEnd();
    } catch (error) {
      this.failed(error);
    }
  }

  endedUnread(unreadBytes: number): void {
    this.deliverWaiting();
    if (this.closed || this.toldEnd) return;
    this.toldEnd = true;
    try {
      this.handler.onEndUnread(unreadBytes);
    } catch (error) {
      this.failed(error);
    }
  }

  gone(error: Error | undefined): void {
    this.deliverWaiting();
    END_PROBE.delete(this);
    // Never from within the handler's own call of close() or reset().
    if (this.closing) queueMicrotask(() => this.finish(undefined));
    else this.finish(error ?? (this.broken ? new Error("the peer has reset the connection") : undefined));
  }

  private finish(error: Error | undefined): void {
    this.closed = true;
    try {
      this.handler.onClose(error);
    } catch (thrown) {
      this.context.onError(thrown);
    }
  }

  /** A handler that throws has lost track of its connection: it ends, the process does not. */
  private failed(error: unknown): void {
    this.context.onError(error);
    this.reset();
  }
}

/** The kernel no longer knows the addresses of a connection that its peer has reset, even while there are bytes to read. */
function known(host: string | undefined, port: number | undefined): SocketAddress {
  return { host: host ?? "", port: port ?? 0 };
}
