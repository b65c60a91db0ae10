/**
 * The workers of one application: starts and replaces them, and gives each request to the ready one that has the fewest.
 */
import type { Logger } from "../observe/log.ts";
import { PlainError, type Runtime } from "../runtime/types.ts";
import type { Exchange } from "./exchange.ts";
import { type HostOptions, type HostOwner, type WorkerFacts, WorkerHost, type WorkerSettings } from "./host.ts";

export interface PoolOptions {
  /** The Python program and the worker's script. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly settings: WorkerSettings;
  readonly workers: number;
  /** Requests in flight per worker; more wait. 0: no limit. */
  readonly concurrency: number;
  /** Requests that wait; more are answered 503. */
  readonly queueLength: number;
  /** What draining may take before a worker is ended. */
  readonly gracefulTimeoutMs: number;
  readonly spawn?: HostOptions["spawn"];
}

/** Seconds in Retry-After when the queue is full. */
const RETRY_AFTER = "1";
/** A worker that lived this long was no failed start: the next one is started at once. */
const STEADY_MS = 5_000;
const FIRST_BACKOFF_MS = 500;
const MOST_BACKOFF_MS = 30_000;

type PoolRuntime = Pick<Runtime, "defer" | "now">;

export class WorkerPool implements HostOwner {
  readonly #runtime: PoolRuntime;
  readonly #logger: Logger;
  readonly #options: PoolOptions;
  #hosts: WorkerHost[] = [];
  #queue: Exchange[] = [];
  /** Those that leave when their successors are ready. */
  #retiring: WorkerHost[] = [];
  #generation = 0;
  #backoffMs = 0;
  #stopping = false;
  #startedAt = new Map<WorkerHost, number>();
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #starting: { resolve(facts: WorkerFacts): void; reject(error: unknown): void } | undefined;
  #emptied: (() => void) | undefined;
  #lastFailure = "";

  constructor(runtime: PoolRuntime, logger: Logger, options: PoolOptions) {
    this.#runtime = runtime;
    this.#logger = logger;
    this.#options = options;
  }

  /**
   * Starts the workers; resolves when the first is ready.
   * @throws PlainError when the application can't be loaded or started
   */
  start(): Promise<WorkerFacts> {
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
      try {
        for (let i = 0; i < this.#options.workers; i++) this.#spawn();
      } catch (error) {
        reject(error);
      }
    });
  }

  /** Drains all workers; resolves with what their shutdown had to say when the last process has ended. */
  async stop(): Promise<string | undefined> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const hosts = [...this.#hosts];
    for (const host of hosts) {
      if (host.state === "loading") host.kill("it is not needed any more");
      else host.drain();
    }
    const deadline = setTimeout(() => {
      for (const host of this.#hosts) host.kill("it did not finish in time");
    }, this.#options.gracefulTimeoutMs);
    if (this.#hosts.length > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    clearTimeout(deadline);
    return hosts.find((host) => host.shutdownProblem !== undefined)?.shutdownProblem;
  }

  get workers(): readonly WorkerHost[] {
    return this.#hosts;
  }

  /** Requests that wait for a worker. */
  get waiting(): number {
    return this.#queue.length;
  }

  dispatch(exchange: Exchange): void {
    const host = this.#queue.length === 0 ? this.#freest() : undefined;
    if (host !== undefined) host.begin(exchange);
    else if (this.#queue.length < this.#options.queueLength && !this.#stopping) this.#queue.push(exchange);
    else exchange.answer(503, "The server is busy; try again.\n", [["retry-after", RETRY_AFTER]]);
  }

  #freest(): WorkerHost | undefined {
    const hosts = this.#hosts;
    const { concurrency } = this.#options;
    let best: WorkerHost | undefined;
    let fewest = concurrency > 0 ? concurrency : Number.POSITIVE_INFINITY;
    for (let i = 0; i < hosts.length; i++) {
      const host = hosts[i];
      if (host.state !== "ready" || host.isSpent) continue;
      const count = host.inFlight;
      if (count < fewest) {
        best = host;
        fewest = count;
      }
    }
    return best;
  }

  #pump(): void {
    while (this.#queue.length > 0) {
      const host = this.#freest();
      if (host === undefined) return;
      const exchange = this.#queue.shift()!;
      if (!exchange.isOver) host.begin(exchange);
    }
  }

  #spawn(): void {
    const { command, env, settings, spawn } = this.#options;
    this.#generation += 1;
    const host = new WorkerHost(this.#runtime, this, { command, env, settings, spawn, generation: this.#generation });
    this.#startedAt.set(host, this.#runtime.now());
    this.#hosts.push(host);
  }

  // ---- what hosts tell -------------------------------------------------------------------------------------

  ready(_host: WorkerHost, facts: WorkerFacts): void {
    this.#retiring.shift()?.drain();
    this.#backoffMs = 0;
    this.#lastFailure = "";
    this.#starting?.resolve(facts);
    this.#starting = undefined;
    this.#pump();
  }

  retiring(host: WorkerHost): void {
    if (this.#stopping || this.#retiring.includes(host)) return;
    this.#retiring.push(host);
    this.#spawn();
  }

  failed(_host: WorkerHost, message: string, traceback: string): void {
    const whole = traceback === "" ? message : `${message}\n${traceback}`;
    if (this.#starting !== undefined) {
      this.#starting.reject(new PlainError(whole));
      this.#starting = undefined;
      this.#stopping = true;
    } else if (whole !== this.#lastFailure) this.#logger.error(whole);
    this.#lastFailure = whole;
  }

  freed(): void {
    if (this.#queue.length > 0) this.#pump();
  }

  gone(host: WorkerHost, orphans: Exchange[], why: string): void {
    this.#hosts = this.#hosts.filter((other) => other !== host);
    const lived = this.#runtime.now() - (this.#startedAt.get(host) ?? 0);
    this.#startedAt.delete(host);
    if (!this.#stopping && this.#starting !== undefined && host.facts === undefined) {
      this.#starting.reject(new PlainError(`The Python worker ended while it was starting: ${why}.`));
      this.#starting = undefined;
      this.#stopping = true;
    }
    const retired = host.state === "gone" && host.wasDrained;
    if (this.#retiring.includes(host)) this.#retiring = this.#retiring.filter((other) => other !== host);
    else if (!this.#stopping && !retired) this.#replace(host, orphans.length, lived, why);
    for (const exchange of orphans) if (exchange.orphaned()) this.dispatch(exchange);
    if (this.#stopping && this.#hosts.length === 0) {
      for (const exchange of this.#queue.splice(0)) exchange.answer(503, "The server is stopping.\n", []);
      this.#emptied?.();
    }
  }

  #replace(host: WorkerHost, orphans: number, lived: number, why: string): void {
    const steady = host.facts !== undefined && lived >= STEADY_MS;
    this.#backoffMs = steady ? 0 : Math.min(Math.max(2 * this.#backoffMs, FIRST_BACKOFF_MS), MOST_BACKOFF_MS);
    if (this.#lastFailure === "") {
      const cut = orphans === 0 ? "" : `, with ${orphans} requests in flight`;
      const wait = steady ? "" : ` in ${this.#backoffMs / 1000} s`;
      this.#logger.error(`Worker ${host.pid} is gone (${why})${cut}; starting another one${wait}.`);
    }
    if (steady) this.#spawn();
    else {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        if (!this.#stopping) this.#spawn();
      }, this.#backoffMs);
      this.#timers.add(timer);
    }
  }
}
