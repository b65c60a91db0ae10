/**
 * Keeps the memory of long uploads flat. Received pieces become garbage as fast as they are read, far faster than the
 * engines' collectors, which wait for a share of the heap, would free them.
 */
import { returned } from "../channel/memory.ts";
import type { Runtime } from "../runtime/types.ts";

/** Garbage that may lie about: well below what an operator would notice, well above what makes collecting costly. */
const COLLECT_EVERY_BYTES = 24 * 1024 * 1024;
/** In a process larger than this a collection takes longer than it is worth: the engine decides. */
const LARGE_PROCESS_BYTES = 256 * 1024 * 1024;

export class Collection {
  readonly #runtime: Pick<Runtime, "collectGarbage" | "residentBytes">;
  #bytes = 0;
  /** The most requests that were being served since the last collection: they end together, and more begin. */
  #mostInFlight = 1;
  /** `returned.bytes` when `#bytes` was 0. */
  #returnedBefore = returned.bytes;

  constructor(runtime: Pick<Runtime, "collectGarbage" | "residentBytes">) {
    this.#runtime = runtime;
  }

  /**
   * Notes body bytes that were received.
   * @param inFlight requests that are being served: each may have its share of garbage. A collection takes as long as some
   *   hundred requests, which a single upload does not feel and a busy server does.
   */
  received(count: number, inFlight = 1): void {
    this.#bytes += count;
    if (inFlight > this.#mostInFlight) this.#mostInFlight = inFlight;
    const most = COLLECT_EVERY_BYTES * this.#mostInFlight;
    if (this.#bytes < most) return;
    this.#bytes = Math.max(0, this.#bytes - (returned.bytes - this.#returnedBefore));
    this.#returnedBefore = returned.bytes;
    if (this.#bytes < most) return;
    this.#bytes = 0;
    this.#mostInFlight = 1;
    if (this.#runtime.residentBytes() < LARGE_PROCESS_BYTES) this.#runtime.collectGarbage();
  }
}
