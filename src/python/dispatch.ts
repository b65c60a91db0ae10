/** Gives each request to the ready worker that has the fewest; when none may take one, requests wait in order. */
import type { Exchange } from "./exchange.ts";
import type { WorkerHost } from "./host.ts";

/** Seconds in Retry-After when the queue is full. */
const RETRY_AFTER = "1";

/** Answers a request in the workers' stead. */
export type Refusal = (exchange: Exchange) => void;

export const BUSY: Refusal = (exchange) =>
  exchange.answer(503, "The server is busy; try again.\n", [["retry-after", RETRY_AFTER]]);

export const STOPPING: Refusal = (exchange) => exchange.answer(503, "The server is stopping.\n", []);

export interface DispatchLimits {
  /** Requests in flight per worker; more wait. 0: no limit. */
  readonly concurrency: number;
  /** Requests that wait; more are answered 503. */
  readonly queueLength: number;
}

export class Dispatcher {
  /** While set, nothing is served and nothing waits. */
  refusal: Refusal | undefined;
  /** Told of a worker that has begun as many requests as it may. */
  readonly #onSpent: (host: WorkerHost) => void;
  readonly #most: number;
  readonly #queueLength: number;
  /** Those that are ready. */
  #hosts: readonly WorkerHost[] = [];
  #queue: Exchange[] = [];

  constructor({ concurrency, queueLength }: DispatchLimits, onSpent: (host: WorkerHost) => void) {
    this.#most = concurrency > 0 ? concurrency : Number.POSITIVE_INFINITY;
    this.#queueLength = queueLength;
    this.#onSpent = onSpent;
  }

  /** Requests that wait for a worker. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** These take requests from now on. */
  serveWith(hosts: readonly WorkerHost[]): void {
    this.#hosts = hosts;
    this.freed();
  }

  dispatch(exchange: Exchange): void {
    const host = this.#queue.length === 0 && this.refusal === undefined ? this.#freest() : undefined;
    if (host !== undefined) this.#begin(host, exchange);
    else if (this.refusal !== undefined) this.refusal(exchange);
    else if (this.#queue.length < this.#queueLength) this.#wait(exchange);
    else BUSY(exchange);
  }

  #wait(exchange: Exchange): void {
    this.#queue.push(exchange);
    exchange.wait(() => {
      this.#queue = this.#queue.filter((other) => other !== exchange);
    });
  }

  /** A worker may take one more. */
  freed(): void {
    while (this.#queue.length > 0) {
      const host = this.#freest();
      if (host === undefined) return;
      const exchange = this.#queue.shift()!;
      if (!exchange.isOver) this.#begin(host, exchange);
    }
  }

  /** Nothing is served any more, until `serve`; what waits is answered too. */
  refuse(refusal: Refusal): void {
    this.refusal = refusal;
    for (const exchange of this.#queue.splice(0)) refusal(exchange);
  }

  serve(): void {
    this.refusal = undefined;
  }

  #begin(host: WorkerHost, exchange: Exchange): void {
    host.begin(exchange);
    if (host.begun === host.mostRequests) this.#onSpent(host);
  }

  /** The one with the fewest requests; one that is busy only when all are. */
  #freest(): WorkerHost | undefined {
    const hosts = this.#hosts;
    let best: WorkerHost | undefined;
    let fewest = this.#most;
    let bestBusy: WorkerHost | undefined;
    let fewestBusy = fewest;
    for (let i = 0; i < hosts.length; i++) {
      const host = hosts[i];
      const count = host.inFlight;
      if (host.isBusy) {
        if (count < fewestBusy) {
          bestBusy = host;
          fewestBusy = count;
        }
      } else if (count < fewest) {
        best = host;
        fewest = count;
      }
    }
    return best ?? bestBusy;
  }
}
