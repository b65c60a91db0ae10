/**
 * The sending half of a WebSocket connection: messages and control frames into a borrowed output buffer, and what waits
 * for a peer that does not read. RFC 6455 sections 5.4 (no frame inside another), 5.5 (control frames).
 */
import { ClientDisconnected } from "../asgi/errors.ts";
import { cutTaken } from "../channel/queue.ts";
import { Waiters } from "../channel/waiters.ts";
import { OutBuffer } from "../protocol/buffer.ts";
import { offPage } from "../protocol/off-page.ts";
import {
  DONE,
  LONGEST_HEAD_BYTES,
  type MessageEncoder,
  NO_ROOM,
  putClose,
  putHeadAhead,
  putPing,
  putPong,
  REST,
} from "../protocol/websocket/encoder.ts";
import { ConnectionEnd } from "./connection-end.ts";
import type { Exchange } from "./exchange.ts";

/** Messages leave in the middle of a turn once this much has gathered. */
const FLUSH_BYTES = 16 * 1024;
/** Above so many borrowed buffers, as in a broadcast, each message leaves at once and its buffer goes back. */
const MOST_BORROWED = 512;
/** What a message that waits counts for besides its bytes. */
const ENTRY_BYTES = 64;
const NO_BYTES = new Uint8Array(0);
/** Messages from here on don't gather: each leaves in a write of its own, its head with it. */
const LARGE_UNITS = 16 * 1024;
const LARGE_BUFFER_BYTES = 256 * 1024;

let shared: OutBuffer | null = null;

/** Where large messages are encoded. One serves all connections, since what a socket does not take is copied. */
function largeBuffer(): OutBuffer {
  if (shared === null) {
    shared = new OutBuffer();
    shared.bytes = offPage(LARGE_BUFFER_BYTES, 2);
  }
  shared.clear();
  return shared;
}

/** Stands in the queue for the close frame. */
interface Farewell {
  readonly code: number | undefined;
  readonly reason: string;
}

/** A text that is UTF-8 already. */
class Utf8Text {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get length(): number {
    return this.bytes.length;
  }
}

type Message = string | Uint8Array | Utf8Text;
type Waiting = Message | Farewell;

/** What can't leave yet, in the order in which it must: the rest of a frame, a pong, messages. The socket is blocked. */
class Backlog {
  rest: Uint8Array = NO_BYTES;
  restStart = 0;
  restEnd = 0;
  pong: Uint8Array | null = null;
  queue: Waiting[] = [];
  first = 0;
  bytes = 0;
  readonly waiters = new Waiters<boolean>();
  /** One for all who wait: those that an application does not await would gather as long as something waits. */
  readonly drained = this.waiters.park().then(throwIfGone);

  constructor() {
    // An application that does not await `send` has not failed.
    this.drained.catch(noop);
  }
}

export abstract class WebSocketOutput extends ConnectionEnd {
  #backlog: Backlog | null = null;

  protected abstract readonly frames: MessageEncoder;

  /** Of the exchange a WebSocket needs the output alone, and at each message: the rest is left as it is. */
  protected override borrow(): Exchange {
    const exchange = this.context.pool.borrow();
    exchange.outlet.attach(this.socket);
    this.exchange = exchange;
    return exchange;
  }

  /** Encodes a message, or has it wait. Null: its sender has nothing to wait for. */
  protected put(message: Message): Promise<void> | null {
    if (this.#backlog !== null || !this.#encode(message)) return this.#wait(message);
    return this.blocked ? this.#untilDrained() : null;
  }

  /**
   * As `put`, for bytes that are not this connection's to keep: what can't leave now is copied. A text is UTF-8.
   * @param room so many bytes in front of `start` are nobody's
   */
  protected putBytes(
    isText: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    room: number,
  ): Promise<void> | null {
    const count = end - start;
    if (this.#backlog === null && count >= LARGE_UNITS && room >= LONGEST_HEAD_BYTES) {
      if (this.#putWhole(isText, bytes, start, end)) return this.blocked ? this.#untilDrained() : null;
    }
    if (this.#backlog === null && count < LARGE_UNITS) {
      const { out } = (this.exchange ?? this.borrow()).outlet;
      if (out.ensure(LONGEST_HEAD_BYTES + count)) {
        const { frames } = this;
        const result = isText ? frames.putUtf8(out, bytes, start, end) : frames.putBinary(out, bytes, start, end);
        if (result === DONE) this.#committed(out);
        else {
          // Compressed, and larger than before: the rest is the compressor's.
          out.commit();
          this.#follow();
        }
        return this.blocked ? this.#untilDrained() : null;
      }
    }
    if (this.#backlog === null && count >= LARGE_UNITS && count <= LARGE_BUFFER_BYTES - LONGEST_HEAD_BYTES) {
      const part = bytes.subarray(start, end);
      // It is copied there, all of it.
      if (this.#encodeLarge(isText ? new Utf8Text(part) : part)) return this.blocked ? this.#untilDrained() : null;
    }
    const own = new Uint8Array(bytes.subarray(start, end));
    return this.put(isText ? new Utf8Text(own) : own);
  }

  /** Sends a message from where it lies, its head in front of it. False: it is not to be sent so, or not now. */
  #putWhole(isText: boolean, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.frames.compresses(end - start)) return false;
    if (this.exchange === null) this.borrow();
    this.flush();
    if (this.blocked) return false;
    const from = putHeadAhead(isText, bytes, start, end);
    const taken = this.writeCopy(bytes, from, end);
    if (from + taken < end) {
      // Not `slice`: of a Buffer, as node:net has read it, that would be a view, and the memory is its owner's again.
      const rest = new Uint8Array(bytes.subarray(from + taken, end));
      this.#keepRest(rest, 0, rest.length);
    } else this.flushSoon();
    return true;
  }

  /** Behind all messages before it. @param code undefined: a close frame without one */
  protected putFarewell(code: number | undefined, reason: string): void {
    const farewell = { code, reason };
    if (this.#backlog !== null || !this.#encode(farewell)) (this.#backlog ??= new Backlog()).queue.push(farewell);
  }

  protected putPing(payload: Uint8Array): void {
    if (this.blocked) return;
    const { out } = (this.exchange ?? this.borrow()).outlet;
    if (putPing(out, payload, 0, payload.length)) this.#committed(out);
  }

  /** At most one is owed to a peer that does not read, that for its last ping (RFC 6455 section 5.5.3). */
  protected putPong(payload: Uint8Array, start: number, end: number): void {
    if (this.#backlog === null) {
      const { out } = (this.exchange ?? this.borrow()).outlet;
      if (putPong(out, payload, start, end)) {
        this.#committed(out);
        return;
      }
      this.flush();
      if (!this.blocked && putPong(out, payload, start, end)) {
        this.#committed(out);
        return;
      }
      this.#backlog = new Backlog();
    }
    this.#backlog.pong = new Uint8Array(payload.subarray(start, end));
  }

  /** The socket has taken all that was in the buffer. Goes on with what waits; then wakes those who wait for it. */
  protected drainBacklog(): void {
    const backlog = this.#backlog;
    if (backlog === null) return;
    if (backlog.restStart < backlog.restEnd) {
      // Transferred to another thread, or resized: the frame that was announced can't be sent any more.
      if (backlog.rest.length < backlog.restEnd) {
        this.context.logger.error("a message's array changed while it was being sent; connection reset");
        this.reset();
        return;
      }
      backlog.restStart += this.writeDirect(backlog.rest, backlog.restStart, backlog.restEnd);
      if (this.blocked) return;
      backlog.rest = NO_BYTES;
      backlog.restStart = backlog.restEnd = 0;
    }
    const { out } = (this.exchange ?? this.borrow()).outlet;
    if (backlog.pong !== null && putPong(out, backlog.pong, 0, backlog.pong.length)) {
      backlog.pong = null;
      out.commit();
    }
    while (!this.blocked && backlog.first < backlog.queue.length) {
      const waiting = backlog.queue[backlog.first];
      if (!this.#encode(waiting)) break;
      backlog.queue[backlog.first++] = "";
      backlog.bytes -= sizeOf(waiting);
    }
    backlog.first = cutTaken(backlog.queue, backlog.first);
    this.flush();
    if (this.blocked) return;
    this.#backlog = null;
    backlog.waiters.wakeAll(true);
  }

  /** The connection is gone: nothing that waits will ever leave. */
  protected dropBacklog(): void {
    const backlog = this.#backlog;
    this.#backlog = null;
    backlog?.waiters.wakeAll(false);
  }

  /** Writes what has gathered and gives the buffer back. */
  protected rest(): void {
    this.flush();
    if (this.exchange?.outlet.empty === true && this.#backlog === null) this.giveBack();
  }

  /** False: it must wait, and nothing of it stands in the buffer. */
  #encode(waiting: Waiting): boolean {
    if (isMessage(waiting) && waiting.length >= LARGE_UNITS) return this.#encodeLarge(waiting);
    const { outlet } = this.exchange ?? this.borrow();
    const { out } = outlet;
    for (;;) {
      const result = this.#putInto(out, waiting);
      if (result === DONE) {
        this.#committed(out);
        return true;
      }
      if (result === REST) {
        out.commit();
        this.#follow();
        return true;
      }
      this.flush();
      if (outlet.blocked) return false;
    }
  }

  #encodeLarge(message: Message): boolean {
    this.flush();
    if (this.blocked) return false;
    const { out } = (this.exchange ?? this.borrow()).outlet;
    const large = largeBuffer();
    const result = this.#putInto(large, message);
    if (result === REST) {
      out.append(large.bytes, 0, large.end);
      out.commit();
      this.#follow();
      return true;
    }
    const { bytes, end } = large;
    const taken = this.writeCopy(bytes, 0, end);
    if (taken < end) this.#keepRest(bytes.slice(taken, end), 0, end - taken);
    else this.flushSoon();
    return true;
  }

  #putInto(out: OutBuffer, waiting: Waiting): number {
    if (typeof waiting === "string") return this.frames.putText(out, waiting);
    if (waiting instanceof Uint8Array) return this.frames.putBinary(out, waiting, 0, waiting.length);
    if (waiting instanceof Utf8Text) return this.frames.putUtf8(out, waiting.bytes, 0, waiting.length);
    return putClose(out, waiting.code, waiting.reason) ? DONE : NO_ROOM;
  }

  #committed(out: OutBuffer): void {
    out.commit();
    if (this.context.pool.lent > MOST_BORROWED) {
      this.rest();
      return;
    }
    if (out.committed - out.start >= FLUSH_BYTES) this.flush();
    this.flushSoon();
  }

  /** The head of a frame stands in the buffer: its payload must leave right behind it. */
  #follow(): void {
    const { rest, restStart, restEnd } = this.frames;
    this.frames.rest = NO_BYTES;
    this.flush();
    const taken = this.blocked ? 0 : this.writeDirect(rest, restStart, restEnd);
    if (restStart + taken === restEnd) {
      this.flushSoon();
      return;
    }
    this.#keepRest(rest, restStart + taken, restEnd);
  }

  #keepRest(bytes: Uint8Array, start: number, end: number): void {
    this.#backlog ??= new Backlog();
    this.#backlog.rest = bytes;
    this.#backlog.restStart = start;
    this.#backlog.restEnd = end;
  }

  #wait(message: Message): Promise<void> {
    this.#backlog ??= new Backlog();
    const backlog = this.#backlog;
    backlog.bytes += sizeOf(message);
    if (backlog.bytes > this.context.options.wsSendQueueBytes && backlog.queue.length > backlog.first) {
      this.context.logger.warning(
        `a WebSocket client reads too slowly: ${backlog.bytes} bytes wait for it; connection reset`,
      );
      this.reset();
      const refused = Promise.reject<void>(new ClientDisconnected());
      refused.catch(noop);
      return refused;
    }
    backlog.queue.push(message);
    return this.#untilDrained();
  }

  #untilDrained(): Promise<void> {
    this.#backlog ??= new Backlog();
    return this.#backlog.drained;
  }
}

function sizeOf(waiting: Waiting): number {
  return ENTRY_BYTES + (isMessage(waiting) ? waiting.length : 0);
}

function isMessage(waiting: Waiting): waiting is Message {
  return typeof waiting === "string" || waiting instanceof Uint8Array || waiting instanceof Utf8Text;
}

function throwIfGone(alive: boolean): void {
  if (!alive) throw new ClientDisconnected();
}

function noop(): void {}
