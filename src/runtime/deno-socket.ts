/**
 * One accepted connection on Deno: its writing and its end; deno-reading.ts has the reading.
 *
 * Writing: the caller's own array (`writeOwned`) or a copy is in flight until Deno's promise settles; meanwhile another
 * buffer takes what is offered next.
 */
import type { DenoAddress, DenoConnection } from "./deno-api.ts";
import { LARGE_BUFFER_BYTES } from "./deno-buffers.ts";
import { closeOf, handleOf, shutdownOf, writeFrom } from "./deno-io.ts";
import { DenoReading, POOL, TURNS } from "./deno-reading.ts";
import type { ArrayOwner, Socket, SocketAddress, SocketHandler } from "./types.ts";

/** The most that is borrowed at once: whether a slow client takes anything is seen only between such pieces. */
const BORROWED_BYTES = 128 * 1024;

/** What the connections of a listener share. */
export interface ConnectionContext {
  readonly accept: (socket: Socket) => SocketHandler;
  readonly onError: (error: unknown) => void;
  /** The listener's Unix socket path. */
  readonly path: string | undefined;
}

export class DenoSocket extends DenoReading implements Socket {
  /** Deno's object, until both addresses are known: it is larger than this one. */
  private raw: DenoConnection | undefined;
  private readonly context: ConnectionContext;
  private handler: SocketHandler;
  private shutDown = false;
  /** FIN has been sent, or is being. */
  private endSent = false;

  /** In flight: `flight[flightStart, flightEnd)`. */
  private flight: Uint8Array | undefined = undefined;
  private flightStart = 0;
  private flightEnd = 0;
  /** The array in flight is its owner's. */
  private flightBorrowed = false;
  /** Borrowed while another buffer is in flight: `borrowed[borrowedStart, borrowedEnd)`. */
  private borrowed: Uint8Array | undefined = undefined;
  private borrowedStart = 0;
  private borrowedEnd = 0;
  /** Taken while another buffer is in flight: `queue[0, queued)`. */
  private queue: Uint8Array | undefined = undefined;
  private queued = 0;
  private short = false;

  private remoteAddress: SocketAddress | undefined = undefined;
  private localAddress: SocketAddress | undefined = undefined;

  private constructor(raw: DenoConnection, context: ConnectionContext) {
    super(handleOf(raw));
    this.raw = raw;
    this.context = context;
    this.handler = context.accept(this);
    TURNS.hasOpened();
  }

  static open(raw: DenoConnection, context: ConnectionContext): void {
    try {
      const socket = new DenoSocket(raw, context);
      if (!socket.paused) socket.ask();
    } catch (error) {
      context.onError(error);
      closeOf(raw);
    }
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.closed || this.shutDown) return -1;
    if (end <= start) return 0;
    if (this.flight !== undefined) return this.enqueue(bytes, start, end);
    const taken = Math.min(end - start, LARGE_BUFFER_BYTES);
    const flight = POOL.take(taken);
    copy(bytes, start, start + taken, flight, 0);
    this.fly(flight, 0, taken);
    return taken === end - start ? taken : taken + this.enqueue(bytes, start + taken, end);
  }

  writeOwned(owner: ArrayOwner, start: number, end: number): number {
    const { bytes } = owner;
    if (this.closed || this.shutDown || this.flight !== undefined || end <= start) return this.write(bytes, start, end);
    owner.bytes = POOL.take(bytes.length);
    this.fly(bytes, start, end);
    return end - start;
  }

  borrow(bytes: Uint8Array, start: number, end: number): number {
    if (this.closed || this.shutDown || this.queue !== undefined || this.borrowed !== undefined) return 0;
    const taken = Math.min(end - start, BORROWED_BYTES);
    this.short = true;
    if (this.flight === undefined) {
      this.flightBorrowed = true;
      this.fly(bytes, start, start + taken);
    } else {
      this.borrowed = bytes;
      this.borrowedStart = start;
      this.borrowedEnd = start + taken;
    }
    return taken;
  }

  handOver(handler: SocketHandler): void {
    this.handler = handler;
  }

  shutdown(): void {
    if (this.closed || this.shutDown) return;
    this.shutDown = true;
    if (this.flight === undefined) this.sendEnd();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.flight === undefined) this.release(undefined);
  }

  get unsent(): boolean {
    return this.flight !== undefined && !this.released;
  }

  reset(): void {
    this.closed = true;
    this.release(undefined);
  }

  get remote(): SocketAddress {
    if (this.remoteAddress === undefined) this.readAddresses();
    return this.remoteAddress!;
  }

  get local(): SocketAddress {
    if (this.localAddress === undefined) this.readAddresses();
    return this.localAddress!;
  }

  private readAddresses(): void {
    const { remoteAddr, localAddr } = this.raw!;
    this.raw = undefined;
    this.remoteAddress = address(remoteAddr, undefined);
    this.localAddress = usualAddress(address(localAddr, this.context.path));
  }

  protected deliver(chunk: Uint8Array, length: number): void {
    try {
      this.handler.onData(chunk, length);
    } catch (error) {
      this.failed(error);
    }
  }

  protected atEnd(): void {
    if (this.endSent) {
      this.release(undefined);
      return;
    }
    try {
      this.handler.onEnd();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Appends to the queue behind the buffer in flight; returns the count taken. */
  private enqueue(bytes: Uint8Array, start: number, end: number): number {
    const taken = Math.min(end - start, LARGE_BUFFER_BYTES - this.queued);
    if (taken < end - start) this.short = true;
    if (taken === 0) return 0;
    const needed = this.queued + taken;
    if (this.queue === undefined) {
      this.queue = POOL.take(needed);
    } else if (this.queue.length < needed) {
      const larger = POOL.take(needed);
      copy(this.queue, 0, this.queued, larger, 0);
      POOL.give(this.queue);
      this.queue = larger;
    }
    copy(bytes, start, start + taken, this.queue, this.queued);
    this.queued = needed;
    return taken;
  }

  private fly(flight: Uint8Array, start: number, end: number): void {
    // Borrowed, and transferred to another thread meanwhile: what was taken can't be sent any more.
    if (flight.length < end) {
      this.release(new Error("an array changed while it was being sent"));
      return;
    }
    this.flight = flight;
    // As integers: a number that may be another one is an object of its own to V8, in each connection.
    this.flightStart = start | 0;
    this.flightEnd = end | 0;
    if (TURNS.mayWrite(this)) this.startWrite();
  }

  writeTurnCame(): void {
    if (this.released) this.written(0);
    else this.startWrite();
  }

  private startWrite(): void {
    const bytes = this.flight!.subarray(this.flightStart, this.flightEnd);
    writeFrom(this.handle, bytes).then(this.onWritten, this.onWritten);
  }

  /** @param result the count, or an error */
  protected writeDone(result: unknown): void {
    if (typeof result === "number") this.written(result);
    else this.release(result);
  }

  private written(count: number): void {
    const flight = this.flight!;
    const start = this.flightStart + count;
    if (start < this.flightEnd && !this.released) {
      this.fly(flight, start, this.flightEnd);
      return;
    }
    // Deno has let go of it.
    if (this.flightBorrowed) this.flightBorrowed = false;
    else POOL.give(flight);
    this.flight = undefined;
    if (this.borrowed !== undefined) this.flyBorrowed(this.borrowed);
    else {
      if (this.queue !== undefined) this.flyQueue();
      if (this.short) this.sayDrained();
    }
    if (this.flight !== undefined || this.released) return;
    if (this.closed) this.release(undefined);
    else if (this.shutDown) this.sendEnd();
    else this.readOn();
  }

  private flyBorrowed(bytes: Uint8Array): void {
    this.borrowed = undefined;
    if (this.released) return;
    this.flightBorrowed = true;
    this.fly(bytes, this.borrowedStart, this.borrowedEnd);
  }

  private flyQueue(): void {
    const queue = this.queue!;
    const { queued } = this;
    this.queue = undefined;
    this.queued = 0;
    if (!this.released) this.fly(queue, 0, queued);
    else POOL.give(queue);
  }

  private sayDrained(): void {
    this.short = false;
    if (this.closed) return;
    try {
      this.handler.onDrain();
    } catch (error) {
      this.failed(error);
    }
  }

  private sendEnd(): void {
    if (this.endSent) return;
    this.endSent = true;
    const sent = () => {
      if (this.ended) this.release(undefined);
    };
    shutdownOf(this.handle).then(sent, (error) => this.release(error));
  }

  /** Lets Deno's connection go and says so, once. */
  protected release(error: unknown): void {
    if (this.released) return;
    this.released = true;
    this.closed = true;
    TURNS.hasClosed();
    closeOf(this.handle);
    this.stopReading();
    const cause = error === undefined || error instanceof Error ? error : new Error(String(error));
    // Never from within the handler's own call of close() or reset().
    queueMicrotask(() => {
      try {
        this.handler.onClose(cause);
      } catch (thrown) {
        this.context.onError(thrown);
      }
    });
  }

  /** A handler that throws has lost track of its connection: it ends, the process does not. */
  private failed(error: unknown): void {
    this.context.onError(error);
    this.reset();
  }
}

function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  to.set(start === 0 && end === from.length ? from : from.subarray(start, end), at);
}

function address(of: DenoAddress, path: string | undefined): SocketAddress {
  if (of.transport === "tcp") return { host: of.hostname, port: of.port };
  return { host: path ?? "", port: 0 };
}

/** Most connections of a server have the same address on its side: they share one object. */
let usual: SocketAddress = { host: "", port: 0 };

function usualAddress(found: SocketAddress): SocketAddress {
  if (found.host !== usual.host || found.port !== usual.port) usual = found;
  return usual;
}
