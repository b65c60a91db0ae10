/**
 * Keeps the memory of long uploads flat. Received pieces become garbage as fast as they are read, far faster than the
 * engines' collectors, which wait for a share of the heap, would free them.
 */
import type { Runtime } from "../runtime/types.ts";

/** Garbage that may lie about: well below what an operator would notice, well above what makes collecting costly. */
const COLLECT_EVERY_BYTES = 24 * 1024 * 1024;
/** In a process larger than this a collection takes longer than it is worth: the engine decides. */
const LARGE_PROCESS_BYTES = 256 * 1024 * 1024;

export class Collection {
  readonly #runtime: Pick<Runtime, "collectGarbage" | "residentBytes">;
  #bytes = 0;

  constructor(runtime: Pick<Runtime, "collectGarbage" | "residentBytes">) {
    this.#runtime = runtime;
  }

  /** Notes body bytes that were received. */
  received(count: number): void {
    this.#bytes += count;
    if (this.#bytes < COLLECT_EVERY_BYTES) return;
    this.#bytes = 0;
    if (this.#runtime.residentBytes() < LARGE_PROCESS_BYTES) this.#runtime.collectGarbage();
  }
}
