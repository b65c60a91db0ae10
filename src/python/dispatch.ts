/** Gives each request to the ready worker that has the fewest; when none may take one, requests wait in order. */
import type { Carried } from "./carried.ts";
import type { WorkerHost } from "./host.ts";

/** Seconds in Retry-After when the queue is full. */
const RETRY_AFTER = "1";

/** Answers a request in the workers' stead. */
export type Refusal = (exchange: Carried) => void;

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
  #queue: Carried[] = [];

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

  dispatch(exchange: Carried): void {
    const host = this.#queue.length === 0 && this.refusal === undefined ? this.#freest(exchange.isSocket) : undefined;
    if (host !== undefined) this.#begin(host, exchange);
    else if (this.refusal !== undefined) this.refusal(exchange);
    else if (this.#queue.length < this.#queueLength) this.#wait(exchange);
    else BUSY(exchange);
  }

  #wait(exchange: Carried): void {
    this.#queue.push(exchange);
    exchange.wait(() => {
      this.#queue = this.#queue.filter((other) => other !== exchange);
    });
  }

  /** A worker may take one more. */
  freed(): void {
    while (this.#queue.length > 0) {
      const host = this.#freest(this.#queue[0].isSocket);
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

  #begin(host: WorkerHost, exchange: Carried): void {
    host.begin(exchange);
    if (host.begun === host.mostRequests) this.#onSpent(host);
  }

  /**
   * The one with the fewest requests, of several the one with the fewest WebSockets; for a WebSocket, which stays, the
   * other way round. One that is busy only when all are.
   */
  #freest(forSocket: boolean): WorkerHost | undefined {
    const hosts = this.#hosts;
    let best: WorkerHost | undefined;
    let bestBusy: WorkerHost | undefined;
    for (let i = 0; i < hosts.length; i++) {
      const host = hosts[i];
      if (host.inFlight >= this.#most) continue;
      if (host.isBusy) {
        if (bestBusy === undefined || isFreer(host, bestBusy, forSocket)) bestBusy = host;
      } else if (best === undefined || isFreer(host, best, forSocket)) best = host;
    }
    return best ?? bestBusy;
  }
}

function isFreer(one: WorkerHost, other: WorkerHost, forSocket: boolean): boolean {
  const requests = one.inFlight - other.inFlight;
  const sockets = one.sockets - other.sockets;
  return forSocket ? sockets < 0 || (sockets === 0 && requests < 0) : requests < 0 || (requests === 0 && sockets < 0);
}
