/**
 * What the ring is measured against: the two usual ways to hand records from a callback to an async consumer.
 */

/** A body piece, as the ring's record has it. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** An array of records and an array of waiting resolvers: what most servers' `receive` queues are. */
export class PromiseQueue {
  readonly #records: Piece[] = [];
  readonly #waiting: ((piece: Piece) => void)[] = [];

  push(bytes: Uint8Array, start: number, end: number): void {
    const piece = { bytes, start, end };
    const resolve = this.#waiting.shift();
    if (resolve === undefined) this.#records.push(piece);
    else resolve(piece);
  }

  take(): Promise<Piece> {
    const piece = this.#records.shift();
    if (piece !== undefined) return Promise.resolve(piece);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** The records of a queue as an async generator: what `for await` over a body reads. */
export async function* pieces(queue: PromiseQueue): AsyncGenerator<Piece, void, undefined> {
  while (true) yield await queue.take();
}
