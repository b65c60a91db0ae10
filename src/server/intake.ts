/**
 * The input side of a busy connection: the parser, the ring of body pieces, what waits to be parsed, and whether the
 * socket is paused for want of room.
 */
import { ByteRing } from "../channel/ring.ts";
import type { Http1Limits } from "../protocol/http1/limits.ts";
import { Http1Parser } from "../protocol/http1/parser.ts";
import type { Socket } from "../runtime/types.ts";
import { HeldInput } from "./held-input.ts";
import type { ServerLimits } from "./options.ts";

/** Reading goes on once the ring, and what waits to be parsed, hold at most this share of their limits. */
const RESUME_SHARE = 0.5;

export class Intake {
  readonly parser: Http1Parser;
  readonly ring = new ByteRing();
  /** The socket is paused. */
  paused = false;
  /** Bytes of the current request's body so far. */
  bodyBytes = 0;
  #socket: Socket | null = null;
  #held: HeldInput | null = null;

  constructor(limits: Http1Limits) {
    this.parser = new Http1Parser(limits);
  }

  attach(socket: Socket): void {
    this.#socket = socket;
  }

  /** Forgets its connection; reading goes on if it was paused. */
  detach(): void {
    // Who only writes has never attached it.
    if (this.#socket === null) return;
    this.resume();
    this.parser.reset();
    this.forgetBody();
    this.#held = null;
    this.#socket = null;
  }

  /** Drops what the last request's application has not taken: nobody will, and it must not hold up reading. */
  forgetBody(): void {
    if (this.bodyBytes === 0 && this.ring.size === 0) return;
    this.bodyBytes = 0;
    this.ring.clear();
  }

  /** Something is left to parse. */
  get waiting(): boolean {
    return this.parser.position < this.parser.limit || this.#held !== null;
  }

  get waitingBytes(): number {
    return this.parser.limit - this.parser.position + (this.#held?.bytes ?? 0);
  }

  /** Bytes of a sized body that are still to come. */
  get bodyOwed(): number {
    return this.parser.contentLength - this.bodyBytes;
  }

  /** The parser gets a chunk that has just arrived. Follow with `keepRemainder` before the turn ends. */
  feed(chunk: Uint8Array, length: number): void {
    this.parser.feed(chunk, 0, length, length === chunk.length);
  }

  /** Where read buffers are reused, what the parser has not consumed is copied before that happens. */
  keepRemainder(): void {
    this.parser.keepInput();
  }

  /** Keeps a chunk for later and pauses the socket when that is enough. */
  hold(chunk: Uint8Array, length: number, limits: ServerLimits): void {
    this.#held ??= new HeldInput();
    const held = this.#held;
    held.add(chunk, length, length === chunk.length);
    if (held.bytes >= limits.pipelinedBytes || held.heads >= limits.pipelinedRequests) this.pause();
  }

  /** Gives the parser the next chunk that waits. */
  feedHeld(): boolean {
    const chunk = this.#held?.shift();
    if (chunk === undefined) return false;
    this.parser.feed(chunk, 0, chunk.length);
    if (this.#held!.empty) this.#held = null;
    return true;
  }

  /** Publishes the piece of body that the parser has just found; pauses the socket when the ring holds enough. */
  publish(watermarkBytes: number): void {
    const { parser, ring } = this;
    const { chunk, bodyStart, bodyEnd } = parser;
    if (parser.inputKept) ring.push(chunk, bodyStart, bodyEnd);
    else ring.push(chunk.slice(bodyStart, bodyEnd), 0, bodyEnd - bodyStart);
    if (ring.pinnedBytes >= watermarkBytes || ring.full) this.pause();
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.#socket!.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#socket?.resume();
  }

  /**
   * Resumes reading when there is room again. A body that is whole needs no more room in the ring: reading goes on so
   * that the peer's end is seen while its application works.
   */
  resumeIfRoom(limits: ServerLimits, bodyDone: boolean): void {
    if (!this.paused) return;
    if (!bodyDone && (this.ring.full || this.ring.pinnedBytes > limits.bodyWatermarkBytes * RESUME_SHARE)) return;
    const held = this.#held;
    if (held !== null) {
      if (held.bytes > limits.pipelinedBytes * RESUME_SHARE) return;
      if (held.heads > limits.pipelinedRequests * RESUME_SHARE) return;
    }
    this.resume();
  }
}
