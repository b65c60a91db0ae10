/**
 * One accepted connection on Deno.
 *
 * Reading: a read is pending whenever the connection is not paused. It pins its buffer, so an idle connection waits with
 * a small one, which is filled again and again. An array that a read fills whole is given away, and the next one is
 * larger.
 * Writing: the caller's own array (`writeOwned`) or a copy is in flight until Deno's promise settles; meanwhile another
 * buffer takes what is offered next.
 */
import type { DenoAddress, DenoConnection } from "./deno-api.ts";
import { BufferPool, LARGE_BUFFER_BYTES } from "./deno-buffers.ts";
import { readInto, resourceOf, writeFrom } from "./deno-io.ts";
import type { ArrayOwner, Socket, SocketAddress, SocketHandler } from "./types.ts";

/** What an idle connection's pending read pins. A request's head fits. */
const IDLE_READ_BYTES = 2 * 1024;
/** Behind a read that filled its array the next one may take so many times as much ... */
const READ_GROWTH = 8;
/** ... up to this: what applications drop lies about until the next collection, so pieces stay small. */
const LARGE_READ_BYTES = 64 * 1024;

/**
 * So many connections may wait in an array of the size that was announced to them: it costs a peer 2 KB to announce 64.
 * The others' arrays grow with what arrives.
 */
const MOST_EXPECTING = 64;
let expecting = 0;

/** The most that is borrowed at once: whether a slow client takes anything is seen only between such pieces. */
const BORROWED_BYTES = 128 * 1024;

/**
 * A read that is asked for before the answer has left finds nothing and takes the long way round by the poll. So it is
 * asked for behind the answer, or after this many rounds of microtasks in which nothing arrived anywhere.
 */
const ANSWER_ROUNDS = 16;

/** Connections that may wait for their answer before the next read is asked for. */
let answering: DenoSocket[] = [];
let rounds = 0;

function answerLater(socket: DenoSocket): void {
  rounds = 0;
  if (answering.push(socket) === 1) queueMicrotask(countRound);
}

function countRound(): void {
  if (++rounds < ANSWER_ROUNDS) {
    queueMicrotask(countRound);
    return;
  }
  const sockets = answering;
  answering = [];
  for (let i = 0; i < sockets.length; i++) sockets[i]!.readOn();
}

/** What the connections of a listener share. */
export interface ConnectionContext {
  readonly accept: (socket: Socket) => SocketHandler;
  readonly onError: (error: unknown) => void;
  /** The listener's Unix socket path. */
  readonly path: string | undefined;
}

const POOL = new BufferPool();

// The phases of reading.
/** No read is pending: paused, or at the end. */
const AT_REST = 0;
/** The next read is asked for behind the answer. */
const ANSWERING = 1;
/** A read is pending. */
const READING = 2;

export class DenoSocket implements Socket {
  private readonly raw: DenoConnection;
  private readonly resource: number;
  private readonly context: ConnectionContext;
  private readonly handler: SocketHandler;
  private readonly onRead = (count: number | null) => this.arrived(count);
  private readonly onWritten = (count: number) => this.written(count);
  private readonly onFailed = (error: unknown) => this.release(error);

  private paused = false;
  private reading = AT_REST;
  private buffer: Uint8Array = new Uint8Array(IDLE_READ_BYTES);
  /** What the handler has said is still to come. */
  private expected = 0;
  /** The pending read asks for so much, into a buffer of the pool; 0: it fills a buffer of its own. */
  private asked = 0;
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
    this.raw = raw;
    this.resource = resourceOf(raw);
    this.context = context;
    this.handler = context.accept(this);
  }

  static open(raw: DenoConnection, context: ConnectionContext): void {
    try {
      const socket = new DenoSocket(raw, context);
      if (!socket.paused) socket.read();
    } catch (error) {
      context.onError(error);
      closeRaw(raw);
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

  expect(count: number): void {
    this.expected = count;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (this.reading === AT_REST && !this.ended && !this.released) this.read();
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

  /** The answer has left, or is late: the next read is due unless it has been asked for. */
  readOn(): void {
    if (this.reading !== ANSWERING) return;
    this.reading = AT_REST;
    if (!this.paused && !this.closed) this.read();
  }

  private read(): void {
    this.reading = READING;
    const into = this.asked > 0 ? this.buffer.subarray(0, this.asked) : this.buffer;
    readInto(this.raw, this.resource, into).then(this.onRead, this.onFailed);
  }

  private arrived(count: number | null): void {
    this.reading = AT_REST;
    if (this.closed) return;
    if (count === null || count === 0) {
      this.expectNothing();
      this.atEnd();
      return;
    }
    this.reading = ANSWERING;
    this.expected = 0;
    const { buffer, asked } = this;
    if (asked > 0) {
      this.arrivedAsExpected(buffer, count);
      if (count < asked) answerLater(this);
      else this.readOn();
    } else if (count === buffer.length) {
      // It belongs to the handler from here on.
      this.deliver(buffer, count);
      this.prepare(Math.min(count * READ_GROWTH, LARGE_READ_BYTES));
      this.readOn();
    } else {
      if (buffer.length === IDLE_READ_BYTES) this.deliver(buffer, count);
      else this.deliverPart(buffer, count);
      answerLater(this);
    }
  }

  /** The buffer is the pool's, and longer than what it asked for: the handler keeps nothing of it. */
  private arrivedAsExpected(buffer: Uint8Array, count: number): void {
    this.expectNothing();
    this.deliver(buffer, count);
    POOL.give(buffer);
    this.prepare(IDLE_READ_BYTES);
  }

  /** The next read takes all that is expected; when nothing is, `length` bytes. */
  private prepare(length: number): void {
    if (this.expected > IDLE_READ_BYTES && expecting < MOST_EXPECTING && !this.released) {
      expecting += 1;
      this.asked = Math.min(this.expected, LARGE_READ_BYTES - 1);
      this.buffer = POOL.take(this.asked + 1);
    } else this.buffer = new Uint8Array(length);
  }

  private expectNothing(): void {
    if (this.asked === 0) return;
    expecting -= 1;
    this.asked = 0;
  }

  /** The last bytes for now in a large array: the wait may be long, so that it pins a small one. */
  private deliverPart(buffer: Uint8Array, count: number): void {
    this.buffer = new Uint8Array(IDLE_READ_BYTES);
    if (count < buffer.length / 2) this.deliver(buffer, count);
    else this.deliver(buffer.subarray(0, count), count);
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

  private fly(flight: Uint8Array, start: number, end: number): void {
    // Borrowed, and transferred to another thread meanwhile: what was taken can't be sent any more.
    if (flight.length < end) {
      this.release(new Error("an array changed while it was being sent"));
      return;
    }
    this.flight = flight;
    this.flightStart = start;
    this.flightEnd = end;
    writeFrom(this.raw, this.resource, flight.subarray(start, end)).then(this.onWritten, this.onFailed);
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
    this.raw.closeWrite().then(sent, this.onFailed);
  }

  /** Lets Deno's connection go and says so, once. */
  private release(error: unknown): void {
    if (this.released) return;
    this.released = true;
    this.closed = true;
    this.expectNothing();
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

function address(of: DenoAddress, path: string | undefined): SocketAddress {
  if (of.transport === "tcp") return { host: of.hostname, port: of.port };
  return { host: path ?? "", port: 0 };
}
