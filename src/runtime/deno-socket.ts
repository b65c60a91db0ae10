/**
 * One accepted connection on Deno.
 *
 * Reading: one loop a connection, with a read pending whenever the connection is not paused. The pending read pins its
 * buffer, so an idle connection waits with a small one; reads that fill it borrow larger ones from a pool.
 * Writing: bytes offered are copied into a pooled buffer and are in flight until Deno's promise settles; meanwhile a
 * second buffer takes what is offered next.
 */
import type { DenoAddress, DenoConnection } from "./deno-api.ts";
import { BufferPool, LARGE_BUFFER_BYTES, LARGE_READ_BYTES } from "./deno-buffers.ts";
import type { Socket, SocketAddress, SocketHandler } from "./types.ts";

/**
 * A read that is asked for before the answer has left finds nothing and takes the long way round by the poll. An
 * application that answers at once has done so after this many microtasks.
 */
const ANSWER_MICROTASKS = 6;

/** What an idle connection's pending read pins. A request's head fits. */
const IDLE_READ_BYTES = 2 * 1024;

/** What the connections of a listener share. */
export interface ConnectionContext {
  readonly accept: (socket: Socket) => SocketHandler;
  readonly onError: (error: unknown) => void;
  /** The listener's Unix socket path. */
  readonly path: string | undefined;
}

const POOL = new BufferPool();

export class DenoSocket implements Socket {
  private readonly raw: DenoConnection;
  private readonly context: ConnectionContext;
  private readonly handler: SocketHandler;
  private readonly idleBuffer = new Uint8Array(IDLE_READ_BYTES);

  private paused = false;
  /** The read loop runs (it may be ending because of a pause). */
  private reading = false;
  /** The peer's FIN has been read. */
  private ended = false;
  /** No call to the handler but `onClose` after this. */
  private closed = false;
  /** `raw` is closed; `onClose` has been called or is about to be. */
  private released = false;
  private shutDown = false;
  /** FIN has been sent, or is being. */
  private endSent = false;

  /** In flight: `flight[flightStart, flightEnd)`. */
  private flight: Uint8Array | undefined = undefined;
  private flightStart = 0;
  private flightEnd = 0;
  private flying = false;
  /** Taken while another buffer is in flight: `queue[0, queued)`. */
  private queue: Uint8Array | undefined = undefined;
  private queued = 0;
  private short = false;

  private remoteAddress: SocketAddress | undefined = undefined;
  private localAddress: SocketAddress | undefined = undefined;

  private constructor(raw: DenoConnection, context: ConnectionContext) {
    this.raw = raw;
    this.context = context;
    this.handler = context.accept(this);
  }

  static open(raw: DenoConnection, context: ConnectionContext): void {
    try {
      const socket = new DenoSocket(raw, context);
      if (!socket.paused) socket.startReading();
    } catch (error) {
      context.onError(error);
      closeRaw(raw);
    }
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.closed || this.shutDown) return -1;
    if (end <= start) return 0;
    if (this.flight === undefined) {
      const taken = Math.min(end - start, LARGE_BUFFER_BYTES);
      const flight = POOL.take(taken);
      copy(bytes, start, start + taken, flight, 0);
      this.flight = flight;
      this.flightStart = 0;
      this.flightEnd = taken;
      if (!this.flying) this.fly();
      return taken === end - start ? taken : taken + this.enqueue(bytes, start + taken, end);
    }
    return this.enqueue(bytes, start, end);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (!this.reading && !this.ended && !this.released) this.startReading();
  }

  shutdown(): void {
    if (this.closed || this.shutDown) return;
    this.shutDown = true;
    if (!this.flying) this.sendEnd();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (!this.flying) this.release(undefined);
  }

  reset(): void {
    this.closed = true;
    this.release(undefined);
  }

  get remote(): SocketAddress {
    this.remoteAddress ??= address(this.raw.remoteAddr, undefined);
    return this.remoteAddress;
  }

  get local(): SocketAddress {
    this.localAddress ??= address(this.raw.localAddr, this.context.path);
    return this.localAddress;
  }

  private startReading(): void {
    this.reading = true;
    this.readLoop();
  }

  private async readLoop(): Promise<void> {
    const { raw, idleBuffer } = this;
    let buffer: Uint8Array = idleBuffer;
    try {
      for (;;) {
        const count = await raw.read(buffer);
        if (this.closed) break;
        if (count === null) {
          this.atEnd();
          break;
        }
        this.deliver(buffer, count);
        const full = count === buffer.length;
        buffer = nextBuffer(buffer, count, idleBuffer);
        if (!full) for (let i = 0; i < ANSWER_MICROTASKS; i++) await undefined;
        if (this.paused || this.closed) break;
      }
    } catch (error) {
      this.release(error);
    }
    if (buffer !== idleBuffer) POOL.give(buffer);
    this.reading = false;
  }

  private deliver(buffer: Uint8Array, count: number): void {
    try {
      this.handler.onData(buffer, count);
    } catch (error) {
      this.failed(error);
    }
  }

  private atEnd(): void {
    this.ended = true;
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

  /** Writes until nothing is in flight. A buffer goes back to the pool only when Deno has let go of it. */
  private async fly(): Promise<void> {
    this.flying = true;
    try {
      while (this.flight !== undefined && !this.released) {
        this.flightStart += await this.raw.write(this.flight.subarray(this.flightStart, this.flightEnd));
        if (this.flightStart === this.flightEnd) this.landed();
      }
    } catch (error) {
      this.release(error);
    }
    this.flying = false;
    this.returnBuffers();
    if (this.released) return;
    if (this.closed) this.release(undefined);
    else if (this.shutDown) this.sendEnd();
  }

  /** The buffer in flight has been written whole: the queue, if there is one, is next. */
  private landed(): void {
    POOL.give(this.flight!);
    this.flight = this.queue;
    this.flightStart = 0;
    this.flightEnd = this.queued;
    this.queue = undefined;
    this.queued = 0;
    if (!this.short || this.closed) return;
    this.short = false;
    try {
      this.handler.onDrain();
    } catch (error) {
      this.failed(error);
    }
  }

  private returnBuffers(): void {
    if (this.flight !== undefined) POOL.give(this.flight);
    if (this.queue !== undefined) POOL.give(this.queue);
    this.flight = undefined;
    this.queue = undefined;
    this.queued = 0;
  }

  private async sendEnd(): Promise<void> {
    this.endSent = true;
    try {
      await this.raw.closeWrite();
      if (this.ended) this.release(undefined);
    } catch (error) {
      this.release(error);
    }
  }

  /** Lets Deno's connection go and says so, once. */
  private release(error: unknown): void {
    if (this.released) return;
    this.released = true;
    this.closed = true;
    closeRaw(this.raw);
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

function closeRaw(raw: DenoConnection): void {
  try {
    raw.close();
  } catch {
    // Deno has closed it itself.
  }
}

function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  to.set(start === 0 && end === from.length ? from : from.subarray(start, end), at);
}

/** The buffer for the next read: a larger one after a full read, else the idle one, since the wait may be long. */
function nextBuffer(buffer: Uint8Array, count: number, idleBuffer: Uint8Array): Uint8Array {
  if (count === buffer.length && buffer.length === LARGE_READ_BYTES) return buffer;
  if (buffer !== idleBuffer) POOL.give(buffer);
  return count < buffer.length ? idleBuffer : POOL.take(buffer.length + 1);
}

function address(of: DenoAddress, path: string | undefined): SocketAddress {
  if (of.transport === "tcp") return { host: of.hostname, port: of.port };
  return { host: path ?? "", port: 0 };
}
