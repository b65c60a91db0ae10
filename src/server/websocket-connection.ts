/**
 * One WebSocket connection: moves bytes between its socket, the frame decoder and the cycle of its application; decides
 * about pings, limits, timeouts and the closing handshake. RFC 6455 sections 5 and 7; docs/websocket.md has the tables.
 */
import type { WebSocketScope } from "../asgi/types.ts";
import type { WebSocketCycle } from "../asgi/websocket-cycle.ts";
import * as states from "../asgi/websocket-states.ts";
import { copyOf, giveBack } from "../channel/memory.ts";
import {
  CLOSE_GOING_AWAY,
  CLOSE_INTERNAL_ERROR,
  CLOSE_NO_CODE,
  CLOSE_SERVICE_RESTART,
} from "../protocol/websocket/codes.ts";
import type { DeflateAgreement } from "../protocol/websocket/deflate.ts";
import type { MessageEncoder } from "../protocol/websocket/encoder.ts";
import { BINARY, CLOSE, ERROR, type FrameDecoder, NEED_DATA, PING, TEXT } from "../protocol/websocket/frames.ts";
import type { HandshakeAccepted } from "../protocol/websocket/handshake.ts";
import { COPIED_BYTES } from "../protocol/websocket/limits.ts";
import type { Socket, SocketHandler } from "../runtime/types.ts";
import { CLOSED, DEADLINE_NONE, FINISHING, LINGERING, OPEN, STOP_GRACE_MS } from "./connection-end.ts";
import type { ServerContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { WebSocketHandshake } from "./websocket-handshake.ts";
import { type ConnectionCodec, sharedOf } from "./websocket-shared.ts";

/** What the read deadline is for, besides what connection-end.ts has. */
const DEADLINE_HANDSHAKE = 10;
const DEADLINE_CLOSE = 11;

/** Pings of one turn that are answered each; of more than these, the last (RFC 6455 section 5.5.3). */
const PONGS_PER_TURN = 16;
const PING_BYTES = 4;
/** Behind such a silence a message is a rare one: the next may be as long in coming. */
const RARE_MS = 1000;

/** The chunk that the decoder reads: the runtime's, valid during one call; this connection's alone; the application's too. */
const CHUNK_BORROWED = 0;
const CHUNK_OWN = 1;
const CHUNK_SHARED = 2;

export class WebSocketConnection extends WebSocketHandshake implements SocketHandler {
  /** Once the handshake is accepted. */
  #codec: ConnectionCodec | null = null;
  /** Borrowed while there is a message, or a part of one. */
  #decoder: FrameDecoder | null = null;
  #chunk = CHUNK_BORROWED;
  /** Chunks that wait for the decoder. */
  #held: Uint8Array[] | null = null;
  #heldBytes = 0;
  #paused = false;
  #pumping = false;
  /** When something last came from the peer, and when it was pinged since, 0 if it was not. */
  #heardAt: number;
  #pingedAt = 0;
  #pings = 0;
  /** The last ping's payload, where there were too many to answer each. */
  #owed: Uint8Array | null = null;
  /** Nothing has come yet behind the handshake. */
  #fresh = true;
  /** The message that is being received, or was last, came after a silence. */
  #rare = false;
  /** 0: never. */
  readonly #endsAt: number;

  /** @param exchange of the connection that this one goes on with, with answers to earlier requests perhaps */
  constructor(
    context: ServerContext,
    socket: Socket,
    exchange: Exchange,
    scope: WebSocketScope,
    handshake: HandshakeAccepted,
  ) {
    super(context, socket, exchange, scope, handshake);
    const { options, now } = context;
    this.#heardAt = now;
    this.#endsAt = options.wsLifetimeMs > 0 ? now + options.wsLifetimeMs : 0;
    if (options.wsHandshakeTimeoutMs > 0) this.setDeadline(DEADLINE_HANDSHAKE, now + options.wsHandshakeTimeoutMs);
    else this.deadlineKind = DEADLINE_NONE;
    context.opened(this);
  }

  /**
   * Calls the application.
   * @param early what has arrived behind the handshake
   * @param ended FIN too, while an earlier request was answered
   */
  start(early: readonly Uint8Array[], ended: boolean): void {
    for (const chunk of early) this.#hold(chunk, chunk.length, true);
    this.flushSoon();
    this.context.runtime.isolate(run, this.cycle, this.context);
    if (ended) this.onEnd();
  }

  protected get frames(): MessageEncoder {
    return this.#codec!.encoder;
  }

  get queueBytes(): number {
    return this.context.options.wsQueueBytes;
  }

  get queueMessages(): number {
    return this.context.options.wsQueueMessages;
  }

  // ---- what the cycle may ask for --------------------------------------------------------------------------

  protected accepted(agreement: DeflateAgreement | undefined): void {
    this.#codec = sharedOf(this.context).codec(agreement);
    this.#heardAt = this.context.now;
    this.deadlineKind = DEADLINE_NONE;
    if (this.#held !== null) this.#pump();
    this.#restDecoder();
    this.#inputEndedIfDrained();
  }

  message(message: string | Uint8Array): Promise<void> | null {
    return this.put(message);
  }

  messageBytes(isText: boolean, bytes: Uint8Array, start: number, end: number, room: number): Promise<void> | null {
    return this.putBytes(isText, bytes, start, end, room);
  }

  farewell(code: number, reason: string): void {
    if (this.phase !== OPEN) return;
    this.putFarewell(code, reason);
    this.setDeadline(DEADLINE_CLOSE, this.context.now + this.context.options.wsCloseTimeoutMs);
    // What the application will not receive any more may be decoded, up to the peer's close frame.
    this.roomAgain();
  }

  roomAgain(): void {
    if (this.#pumping || this.phase !== OPEN || this.#codec === null) return;
    if (this.#hasInput) this.#pump();
    else this.#resume();
    this.#restDecoder();
  }

  // ---- what the socket says --------------------------------------------------------------------------------

  onData(chunk: Uint8Array, length: number): void {
    if (this.phase !== OPEN) {
      this.drop(length);
      return;
    }
    const { now } = this.context;
    const silentMs = now - this.#heardAt;
    this.#heardAt = now;
    this.#pingedAt = 0;
    const codec = this.#codec;
    if (codec === null || this.#pumping || this.#hasInput) {
      this.#hold(chunk, length, length === chunk.length);
      return;
    }
    this.#decoder ??= codec.takeDecoder();
    const decoder = this.#decoder;
    if (decoder.remaining === 0) {
      this.#rare = this.#fresh || silentMs >= RARE_MS;
      this.#fresh = false;
    }
    this.#feed(decoder, chunk, length);
    this.#pump();
    if (decoder.remaining > 0) this.socket.expect(decoder.remaining);
    else if (this.#rare) this.socket.awaitLittle();
    if (this.#chunk === CHUNK_BORROWED && decoder.position < decoder.limit) {
      decoder.keepInput();
      this.#chunk = CHUNK_OWN;
    }
    this.#restDecoder();
  }

  onDrain(): void {
    this.writeDeadline = 0;
    // What it had to read before a ping's pong has come to it only now.
    if (this.#pingedAt !== 0) this.#pingedAt = this.context.now;
    if (this.exchange?.outlet.onDrain() === false) {
      this.stuck();
      return;
    }
    this.drainBacklog();
    if (this.blocked) this.stuck();
    else if (this.phase === FINISHING) this.linger();
    else if (this.phase === OPEN) this.flushGathered();
  }

  onEnd(): void {
    this.peerEnded = true;
    if (this.phase === LINGERING) this.close();
    else if (this.phase === OPEN) this.#inputEndedIfDrained();
  }

  onEndUnread(): void {}

  onClose(error: Error | undefined): void {
    if (this.phase === CLOSED) return;
    this.phase = CLOSED;
    if (error !== undefined) this.context.logger.trace(`connection lost: ${error.message}`);
    this.answered(0);
    this.denial?.detach();
    this.denial = null;
    this.#held = null;
    this.dropBacklog();
    this.giveBack();
    this.#decoder?.close();
    this.#codec?.close();
    this.cycle.gone();
    this.context.closed(this);
  }

  // ---- what the server says --------------------------------------------------------------------------------

  /** Whoever is connected is told to come back, to another process, unless there is patience; handshakes are refused. */
  stop(): void {
    const { state } = this.cycle;
    if (this.phase === LINGERING) this.readDeadline = Math.min(this.readDeadline, this.context.now + STOP_GRACE_MS);
    if (this.phase !== OPEN) return;
    if (state === states.CONNECTING) this.refuseLate();
    else if (state === states.OPEN && !this.context.patient) this.#end(CLOSE_SERVICE_RESTART, "");
  }

  notifyStop(): void {
    this.denial?.disconnect();
    if (this.phase === OPEN && this.cycle.state === states.OPEN) this.#end(CLOSE_SERVICE_RESTART, "");
  }

  flushGathered(): void {
    if (this.denial !== null || this.phase !== OPEN) this.flush();
    else this.rest();
  }

  resumePump(): void {}

  sweep(now: number): void {
    if (this.writeExpired(now)) return;
    if (this.deadlineKind !== DEADLINE_NONE && now >= this.readDeadline) {
      const kind = this.deadlineKind;
      this.deadlineKind = DEADLINE_NONE;
      if (kind === DEADLINE_HANDSHAKE) this.handshakeTooLate();
      else if (kind === DEADLINE_CLOSE) this.finish();
      else this.close();
      return;
    }
    if (this.phase !== OPEN || this.cycle.state !== states.OPEN) return;
    if (this.#endsAt !== 0 && now >= this.#endsAt) this.#end(CLOSE_GOING_AWAY, "");
    else this.#keepAlive(now);
  }

  // ---- input -----------------------------------------------------------------------------------------------

  get #hasInput(): boolean {
    const decoder = this.#decoder;
    return this.#held !== null || (decoder !== null && decoder.position < decoder.limit);
  }

  /** Keeps a chunk until the application receives what is before it. */
  #hold(chunk: Uint8Array, length: number, owned: boolean): void {
    this.#held ??= [];
    this.#held.push(owned ? chunk : new Uint8Array(chunk.subarray(0, length)));
    this.#heldBytes += length;
    // A client may send a little before its handshake is answered.
    const mayHold = this.#codec === null ? this.context.options.limits.pipelinedBytes : 0;
    if (this.#heldBytes <= mayHold || this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#hasInput) return;
    this.#paused = false;
    this.#heardAt = this.context.now;
    this.socket.resume();
  }

  get #appIsFull(): boolean {
    return this.cycle.full && this.cycle.state === states.OPEN;
  }

  /** Decodes until input or room for messages runs out. */
  #pump(): void {
    this.#decoder ??= this.#codec!.takeDecoder();
    const decoder = this.#decoder;
    const cycle = this.cycle;
    const { taker } = cycle;
    let { chunk } = decoder;
    this.#pumping = true;
    this.#pings = 0;
    // A chunk that is used up is let go though the application be full.
    while (this.phase === OPEN && !(this.#appIsFull && decoder.position < decoder.limit)) {
      const event = decoder.next();
      if (event === TEXT || event === BINARY) {
        if (cycle.state !== states.OPEN) continue;
        if (taker !== null) taker.message(event === TEXT, decoder.payload, decoder.payloadStart, decoder.payloadEnd);
        else cycle.arrived(event === TEXT ? decoder.text : this.#own(decoder));
      } else if (event === PING) this.#answerPing(decoder);
      else if (event === CLOSE) this.#peerClosed(decoder.closeCode, decoder.closeReason);
      else if (event === ERROR) this.#refuseInput(decoder);
      else if (event === NEED_DATA) {
        // Its messages have been copied or decoded: what comes next can use its memory while that is warm.
        if (this.#chunk === CHUNK_OWN) giveBack(chunk);
        this.#chunk = CHUNK_BORROWED;
        if (this.#appIsFull || !this.#feedHeld(decoder)) break;
        ({ chunk } = decoder);
      }
    }
    this.#pumping = false;
    if (this.#pings > PONGS_PER_TURN && this.phase === OPEN && this.#owed !== null) {
      this.putPong(this.#owed, 0, this.#owed.length);
    }
    this.#owed = null;
    if (this.phase !== OPEN || this.#hasInput) return;
    this.#resume();
    this.#inputEndedIfDrained();
  }

  /** Between messages, others may use the decoder. */
  #restDecoder(): void {
    if (this.phase !== OPEN || this.#decoder?.idle !== true) return;
    this.#codec!.giveDecoder(this.#decoder);
    this.#decoder = null;
  }

  #feedHeld(decoder: FrameDecoder): boolean {
    const chunk = this.#held?.shift();
    if (chunk === undefined) return false;
    if (this.#held!.length === 0) this.#held = null;
    this.#heldBytes -= chunk.length;
    this.#feed(decoder, chunk, chunk.length);
    return true;
  }

  /** An array that the bytes fill whole is this connection's to keep. */
  #feed(decoder: FrameDecoder, chunk: Uint8Array, length: number): void {
    this.#chunk = length === chunk.length ? CHUNK_OWN : CHUNK_BORROWED;
    decoder.feed(chunk, 0, length);
  }

  /** A binary message, to be kept by the application. */
  #own(decoder: FrameDecoder): Uint8Array {
    const { payload, payloadStart, payloadEnd } = decoder;
    const length = payloadEnd - payloadStart;
    if (decoder.payloadOwned) return length === payload.length ? payload : payload.subarray(payloadStart, payloadEnd);
    const isSmall = length <= COPIED_BYTES || 2 * length < payload.length;
    if (isSmall || payload !== decoder.chunk || this.#chunk === CHUNK_BORROWED) {
      return copyOf(payload, payloadStart, payloadEnd);
    }
    this.#chunk = CHUNK_SHARED;
    // Not a Buffer, as the chunk may be.
    return new Uint8Array(payload.buffer, payload.byteOffset + payloadStart, length);
  }

  #answerPing(decoder: FrameDecoder): void {
    const { payload, payloadStart, payloadEnd } = decoder;
    if (this.cycle.state !== states.OPEN) return;
    if (++this.#pings <= PONGS_PER_TURN) this.putPong(payload, payloadStart, payloadEnd);
    else this.#owed = new Uint8Array(payload.subarray(payloadStart, payloadEnd));
  }

  #peerClosed(code: number, reason: string): void {
    const isAnswer = this.cycle.state !== states.OPEN;
    // With the reason, as browsers show it to the page that has closed: it is what they get back.
    if (!isAnswer) this.putFarewell(code === CLOSE_NO_CODE ? undefined : code, reason);
    this.cycle.peerClosed(code, reason);
    this.finish();
  }

  #refuseInput(decoder: FrameDecoder): void {
    const { closeCode, reason } = decoder.error!;
    const from = this.socket.remote.host;
    this.context.logger.warning(
      `bad WebSocket input from ${from === "" ? "a local client" : from}: ${reason} (${closeCode})`,
    );
    if (this.cycle.state === states.OPEN) {
      this.putFarewell(closeCode, reason);
      this.cycle.end(closeCode, reason);
    }
    this.cycle.gone();
    this.finish();
  }

  /** FIN has come, and all before it has been looked at: no close frame follows any more. */
  #inputEndedIfDrained(): void {
    if (!this.peerEnded || this.phase !== OPEN || (this.#hasInput && this.#codec !== null)) return;
    const { state } = this.cycle;
    // A client that ends its half before it is answered may still read the denial.
    if (state === states.DENYING) return;
    if (state === states.CONNECTING) this.answered(0);
    this.cycle.gone();
    this.finish();
  }

  /** An open WebSocket rests without an exchange while its peer is in the middle of a message. */
  protected override isIdle(): boolean {
    return this.cycle.state === states.CLOSED && this.#decoder?.error === undefined;
  }

  /** From here on what comes is dropped; for that, and for the peer's FIN, it must be read. */
  protected override linger(): void {
    super.linger();
    this.#held = null;
    if (!this.#paused || this.phase !== LINGERING) return;
    this.#paused = false;
    this.socket.resume();
  }

  // ---- time and ends ---------------------------------------------------------------------------------------

  #keepAlive(now: number): void {
    const { wsPingIntervalMs, wsPingTimeoutMs } = this.context.options;
    // The silence of a peer that does not read says nothing.
    if (wsPingIntervalMs === 0 || this.blocked) return;
    if (this.#paused) {
      // Nor does that of one that is not being read. But if it has gone, a ping finds it out: an application that does not
      // receive would keep it for ever.
      if (now - this.#heardAt < wsPingIntervalMs + wsPingTimeoutMs) return;
      this.#heardAt = now;
      this.putPing(pingPayload(now));
    } else if (this.#pingedAt !== 0) {
      if (wsPingTimeoutMs === 0 || now - this.#pingedAt < wsPingTimeoutMs) return;
      this.context.logger.info("a WebSocket client did not answer a ping in time; connection closed");
      this.putFarewell(CLOSE_INTERNAL_ERROR, "ping timeout");
      this.flush();
      this.reset();
    } else if (now - this.#heardAt >= wsPingIntervalMs) {
      this.#pingedAt = now;
      this.putPing(pingPayload(now));
    }
  }

  /** Begins the closing handshake on the server's own account. */
  #end(code: number, reason: string): void {
    this.cycle.end(code, reason);
    this.farewell(code, reason);
  }
}

function run(cycle: WebSocketCycle, { app }: ServerContext): void {
  cycle.run(app);
}

function pingPayload(now: number): Uint8Array {
  const payload = new Uint8Array(PING_BYTES);
  new DataView(payload.buffer).setUint32(0, now);
  return payload;
}
