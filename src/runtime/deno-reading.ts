/**
 * How a connection on Deno reads.
 *
 * A read is pending whenever the connection is not paused. It pins what it fills, so an idle connection waits with a small
 * array, which is filled again and again; and where its handler says that little will come (`awaitLittle`), with a place
 * for few bytes. An array that a read fills whole is given away, and the next one is larger.
 */
import { BufferPool } from "./deno-buffers.ts";
import { type Handle, readInto } from "./deno-io.ts";
import { PLACE_BYTES, Places } from "./deno-places.ts";
import { type Reader, Turns } from "./deno-turns.ts";
import { defer } from "./turn.ts";

/** What an idle connection's pending read pins. A request's head fits. */
const IDLE_READ_BYTES = 2 * 1024;
/** Behind a read that filled its array the next one may take so many times as much ... */
const READ_GROWTH = 8;
/** ... up to this: what applications drop lies about until the next collection, so pieces stay small. */
const LARGE_READ_BYTES = 64 * 1024;
/** Behind a place that was filled. */
const BEHIND_PLACE_BYTES = 4 * 1024 - 1;

/**
 * So many connections may wait in an array of the size that was announced to them: it costs a peer 2 KB to announce 64.
 * The others' arrays grow with what arrives.
 */
const MOST_EXPECTING = 64;
let expecting = 0;

/**
 * A read that is asked for before the answer has left finds nothing and takes the long way round by the poll. So it is
 * asked for behind the answer, or after this many rounds of microtasks in which nothing arrived anywhere.
 */
const ANSWER_ROUNDS = 16;

/** Connections that may wait for their answer before the next read is asked for. */
let answering: DenoReading[] = [];
let rounds = 0;

function answerLater(connection: DenoReading): void {
  rounds = 0;
  if (answering.push(connection) === 1) queueMicrotask(countRound);
}

function countRound(): void {
  if (++rounds < ANSWER_ROUNDS) {
    queueMicrotask(countRound);
    return;
  }
  const connections = answering;
  answering = [];
  for (let i = 0; i < connections.length; i++) connections[i]!.readOn();
}

export const POOL = new BufferPool();
export const TURNS = new Turns(defer);
const PLACES = new Places();
const NO_BYTES = new Uint8Array(0);

/** Arrays that connections have left for a place, for those that are accepted next. */
const left: Uint8Array[] = [];
const MOST_LEFT = 64;

// The phases of reading.
/** No read is pending: paused, or at the end. */
const AT_REST = 0;
/** The next read is asked for behind the answer. */
const ANSWERING = 1;
/** The next read is asked for when its turn comes. */
const IN_LINE = 2;
/** A read is pending. */
const READING = 3;

// What the next read, or the one that is pending, fills.
/** `buffer`, whole. */
const OWN = 0;
/** `asked` bytes of `buffer`, which is the pool's. */
const POOLED = 1;
/** The same, and one of the few that may wait for what was announced. */
const EXPECTED = 2;
/** The place of this number. */
const PLACE = 3;

export abstract class DenoReading implements Reader {
  protected readonly handle: Handle;
  protected paused = false;
  /** The peer's FIN has been read. */
  protected ended = false;
  /** No call to the handler but `onClose` after this. */
  protected closed = false;
  /** Deno's connection is let go; `onClose` has been called or is about to be. */
  protected released = false;

  // One context serves both, as long as they are made in one place.
  private readonly onRead = (result: unknown) => this.readDone(result);
  protected readonly onWritten = (result: unknown) => this.writeDone(result);
  private reading = AT_REST;
  private into = OWN;
  private buffer: Uint8Array = left.pop() ?? new Uint8Array(IDLE_READ_BYTES);
  private asked = 0;
  private place = 0;
  /** For `TURNS`. */
  askedInTurn = 0;
  /** What the handler has said is still to come. */
  private expected = 0;
  /** The handler has said that the next read may wait in a place. */
  private little = false;

  constructor(handle: Handle) {
    this.handle = handle;
  }

  /** Hands bytes to the handler. */
  protected abstract deliver(chunk: Uint8Array, length: number): void;
  protected abstract atEnd(): void;
  protected abstract writeDone(result: unknown): void;
  protected abstract release(error: unknown): void;

  expect(count: number): void {
    this.expected = count;
  }

  awaitLittle(): void {
    this.little = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (this.reading === AT_REST && !this.ended && !this.released) this.ask();
  }

  /** The answer has left, or is late: the next read is due unless it has been asked for. */
  readOn(): void {
    if (this.reading !== ANSWERING) return;
    this.reading = AT_REST;
    if (!this.paused && !this.closed) this.ask();
  }

  turnCame(): void {
    this.reading = AT_REST;
    if (!this.paused && !this.closed) this.read();
    else TURNS.hasRead(this);
  }

  protected ask(): void {
    this.reading = IN_LINE;
    if (TURNS.mayRead(this)) this.read();
  }

  protected read(): void {
    this.reading = READING;
    let into = this.buffer;
    if (this.into === PLACE) into = PLACES.toFill(this.place);
    else if (this.into !== OWN) into = into.subarray(0, this.asked);
    readInto(this.handle, into).then(this.onRead, this.onRead);
  }

  /** Deno's connection is let go: a read that is pending fails. */
  protected stopReading(): void {
    if (this.reading !== READING) this.forgetRead();
    else if (this.into === EXPECTED) {
      expecting -= 1;
      this.into = POOLED;
    }
  }

  /** @param result the count, null at the end, or an error */
  private readDone(result: unknown): void {
    TURNS.hasRead(this);
    this.reading = AT_REST;
    if (typeof result === "number" && result > 0 && !this.closed) {
      this.arrived(result);
      return;
    }
    this.forgetRead();
    if (typeof result !== "number" && result !== null) this.release(result);
    else if (!this.closed) {
      this.ended = true;
      this.atEnd();
    }
  }

  private arrived(count: number): void {
    this.reading = ANSWERING;
    this.expected = 0;
    const { buffer, into } = this;
    if (into === OWN && count === buffer.length) {
      // It belongs to the handler from here on.
      this.deliver(buffer, count);
      this.prepare(Math.min(count * READ_GROWTH, LARGE_READ_BYTES));
      this.readOn();
    } else if (into === OWN) {
      if (buffer.length === IDLE_READ_BYTES) this.deliver(buffer, count);
      else this.deliverPart(buffer, count);
      if (this.little) this.leaveBuffer();
      answerLater(this);
    } else {
      const filled = count === (into === PLACE ? PLACE_BYTES : this.asked);
      if (into === PLACE) this.arrivedInPlace(count);
      else this.arrivedAsAsked(buffer, count, filled);
      if (filled) this.readOn();
      else answerLater(this);
    }
  }

  private arrivedInPlace(count: number): void {
    const { place } = this;
    this.into = OWN;
    this.deliver(PLACES.filled(place), count);
    PLACES.give(place);
    if (count < PLACE_BYTES || this.little || this.released) {
      // What such a peer announces it has not paid for.
      this.expected = 0;
      this.prepare(IDLE_READ_BYTES);
    } else {
      this.into = POOLED;
      this.asked = BEHIND_PLACE_BYTES;
      this.buffer = POOL.take(BEHIND_PLACE_BYTES + 1);
    }
  }

  /** The buffer is the pool's, and longer than what it asked for: the handler keeps nothing of it. */
  private arrivedAsAsked(buffer: Uint8Array, count: number, filled: boolean): void {
    const isBehindPlace = this.into === POOLED;
    this.expectNothing();
    this.deliver(buffer, count);
    POOL.give(buffer);
    if (isBehindPlace && count < IDLE_READ_BYTES) this.expected = 0;
    this.prepare(isBehindPlace && filled ? READ_GROWTH * count : IDLE_READ_BYTES);
  }

  /** The next read takes few bytes, or all that is expected; when nothing is, `length` bytes. */
  private prepare(length: number): void {
    if (this.released) this.buffer = NO_BYTES;
    else if (this.little) this.waitInPlace();
    else if (this.expected > IDLE_READ_BYTES && expecting < MOST_EXPECTING) {
      expecting += 1;
      this.into = EXPECTED;
      this.asked = Math.min(this.expected, LARGE_READ_BYTES - 1);
      this.buffer = POOL.take(this.asked + 1);
    } else this.buffer = new Uint8Array(length);
  }

  /** The last bytes for now in a large array: the wait may be long, so that it pins a small one. */
  private deliverPart(buffer: Uint8Array, count: number): void {
    this.buffer = new Uint8Array(IDLE_READ_BYTES);
    if (count < buffer.length / 2) this.deliver(buffer, count);
    else this.deliver(buffer.subarray(0, count), count);
  }

  private leaveBuffer(): void {
    if (this.released) return;
    if (left.length < MOST_LEFT) left.push(this.buffer);
    this.waitInPlace();
  }

  private waitInPlace(): void {
    this.little = false;
    this.buffer = NO_BYTES;
    this.into = PLACE;
    this.place = PLACES.take();
  }

  /** No read fills a buffer of the pool any more. */
  private expectNothing(): void {
    if (this.into === EXPECTED) expecting -= 1;
    this.into = OWN;
  }

  /** No read is pending, and none will be. */
  private forgetRead(): void {
    if (this.into === PLACE) PLACES.give(this.place);
    this.expectNothing();
    this.buffer = NO_BYTES;
  }
}
