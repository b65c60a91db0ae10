/**
 * The workers of one application: starts, watches and replaces them. Who is needed is decided in lineup.ts, how a
 * worker fares in pulse.ts, who gets a request in dispatch.ts.
 */
import { CrashReport } from "../observe/crashes.ts";
import type { Logger } from "../observe/log.ts";
import { PlainError } from "../runtime/types.ts";
import { type Carried, loadOf } from "./carried.ts";
import { Dispatcher, STOPPING } from "./dispatch.ts";
import { refusalPage } from "./error-page.ts";
import type { HostOwner, WorkerHost } from "./host.ts";
import { plan } from "./lineup.ts";
import { Nursery, type NurseryOptions } from "./nursery.ts";
import { type CheckLimits, type CheckRuntime, checkUp, residentBytes } from "./rounds.ts";
import type { WorkerFacts } from "./settings.ts";

export interface PoolOptions extends NurseryOptions, CheckLimits {
  readonly workers: number;
  /** Requests in flight per worker; more wait. 0: no limit. */
  readonly concurrency: number;
  /** Requests that wait; more are answered 503. */
  readonly queueLength: number;
  /** What draining may take before a worker is ended. */
  readonly gracefulTimeoutMs: number;
  /** For development: a failed start is shown to clients and waits for `reload`. */
  readonly reload: boolean;
}

/** A worker that served for this long has started well: its end is no part of a crash loop. */
export const STEADY_MS = 5_000;
export const FIRST_BACKOFF_MS = 100;
export const LONGEST_BACKOFF_MS = 10_000;
/** How often the workers are looked at; more often where a timeout is shorter. */
const LOOK_MS = 1_000;
/** A look that is later than this and two looks was held up with this process (Ctrl-Z, a machine without time to give). */
const LATE_MS = 500;
/** After a reload, what is left of the old code's answers gets this long: streams have no end of their own. */
const RELOAD_PATIENCE_MS = 5_000;
/** So much before the server's own patience with the shutdown is over: nobody would end the workers afterwards. */
const STOP_MARGIN_MS = 1_000;
const NOT_NEEDED = "it is not needed any more";

type Phase = "starting" | "running" | "broken" | "stopping";

export class WorkerPool implements HostOwner {
  readonly #runtime: CheckRuntime;
  readonly #logger: Logger;
  readonly #options: PoolOptions;
  readonly #crashes: CrashReport;
  readonly #nursery: Nursery;
  readonly #dispatcher: Dispatcher;
  /** Oldest first. */
  #members: WorkerHost[] = [];
  #phase: Phase = "starting";
  #wanted: number;
  #starting: PromiseWithResolvers<WorkerFacts | undefined> | undefined;
  #rolling: PromiseWithResolvers<boolean> | undefined;
  #emptied: (() => void) | undefined;
  #failures = new WeakMap<WorkerHost, string>();
  /** They have reached a limit or asked for it: to be replaced, also when a replacement of all has failed. */
  readonly #due = new WeakSet<WorkerHost>();
  /** The server is stopping: nobody who serves is replaced any more. */
  #replacesNone = false;
  #backoffMs = 0;
  #deaths = 0;
  #diedAt = 0;
  #lookedAt = 0;
  readonly #lookMs: number;
  /** No worker is started before this one fires. */
  #retry: ReturnType<typeof setTimeout> | undefined;
  #rounds: ReturnType<typeof setInterval> | undefined;

  constructor(runtime: CheckRuntime, logger: Logger, options: PoolOptions) {
    this.#runtime = runtime;
    this.#logger = logger;
    this.#options = options;
    this.#wanted = options.workers;
    this.#lookMs = options.workerTimeoutMs > 0 ? Math.min(LOOK_MS, options.workerTimeoutMs / 4) : LOOK_MS;
    this.#crashes = new CrashReport(logger);
    this.#nursery = new Nursery(runtime, this, options);
    this.#dispatcher = new Dispatcher(options, (host) => this.#leave(host));
  }

  /**
   * Starts the workers; resolves when the first is ready. To reload, also when it failed, with undefined.
   * @throws PlainError when the application can't be loaded or started
   */
  start(): Promise<WorkerFacts | undefined> {
    this.#starting = Promise.withResolvers();
    const { promise } = this.#starting;
    this.#arrange();
    if (this.#phase !== "stopping") this.#rounds = setInterval(() => this.look(), this.#lookMs);
    return promise;
  }

  /** Drains all workers; resolves with what their shutdown had to say when the last process has ended. */
  async stop(): Promise<string | undefined> {
    const { gracefulTimeoutMs } = this.#options;
    this.#halt();
    this.#dispatcher.refuse(STOPPING);
    const hosts = [...this.#members];
    for (const host of hosts) {
      if (host.state === "loading") host.dismiss(NOT_NEEDED);
      else host.drain(gracefulTimeoutMs);
    }
    const deadline = setTimeout(
      () => {
        for (const host of [...this.#members]) {
          this.#logger.warning(`Worker ${host.pid} did not finish in time and is killed.`);
          host.kill("it did not finish in time");
        }
      },
      gracefulTimeoutMs - Math.min(STOP_MARGIN_MS, gracefulTimeoutMs / 4),
    );
    if (this.#members.length > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    clearTimeout(deadline);
    return hosts.find((host) => host.shutdownProblem !== undefined)?.shutdownProblem;
  }

  /**
   * The server begins to stop; `stop` follows when its clients have been served. Workers ask for successors then, where a
   * service manager sends SIGTERM to all processes: those would load the application in order to leave.
   */
  replaceNone(): void {
    this.#replacesNone = true;
    for (const host of this.#members) {
      if (host.state === "ready" && host.leaving === "retiring") host.leaving = undefined;
    }
    this.#arrange();
  }

  /** From now on no worker is started. */
  #halt(): void {
    this.#phase = "stopping";
    clearTimeout(this.#retry);
    clearInterval(this.#rounds);
    this.#nursery.close();
    this.#endRoll(false);
  }

  get workers(): readonly WorkerHost[] {
    return this.#members;
  }

  /** Requests that wait for a worker. */
  get waiting(): number {
    return this.#dispatcher.waiting;
  }

  dispatch(exchange: Carried): void {
    this.#dispatcher.dispatch(exchange);
  }

  // ---- what the operator asks for --------------------------------------------------------------------------

  /**
   * Replaces every worker, one after the other, each when its successor serves.
   * @returns whether all run the new code: if one can't start it, the old ones go on
   */
  roll(): Promise<boolean> {
    if (this.#options.reload) this.reload();
    else if (this.#phase === "starting") {
      // Their start may never end.
      for (const host of this.#members) this.#drop(host);
      this.#arrange();
      return Promise.resolve(true);
    }
    if (this.#phase !== "running" || this.#options.reload) return Promise.resolve(this.#phase === "running");
    for (const host of this.#members) if (host.state === "loading" || host.state === "ready") host.leaving = "outdated";
    this.#rolling ??= Promise.withResolvers();
    const { promise } = this.#rolling;
    this.#calm();
    this.#arrange();
    return promise;
  }

  /** One worker more. */
  grow(): void {
    this.resize(this.#wanted + 1);
  }

  /** One worker less; the last one stays. */
  shrink(): void {
    if (this.#wanted > 1) this.resize(this.#wanted - 1);
    else this.#logger.warning("The last worker stays; SIGTERM stops the server.");
  }

  /** @param workers at least 1 */
  resize(workers: number): void {
    if (this.#phase === "stopping") return;
    this.#wanted = workers;
    this.#logger.info(`Workers: ${workers}.`);
    this.#arrange();
  }

  /** The code has changed: the old workers get no more requests, which wait for the new ones. */
  reload(): void {
    if (this.#phase === "stopping") return;
    if (this.#phase === "broken") this.#phase = "running";
    this.#dispatcher.serve();
    this.#calm();
    for (const host of [...this.#members]) {
      if (host.state === "loading") this.#drop(host);
      else {
        host.drain(RELOAD_PATIENCE_MS);
        // They would live on with the old code; who comes back gets the new.
        host.outstay();
      }
    }
    this.#arrange();
  }

  // ---- what is done about it -------------------------------------------------------------------------------

  /** Makes the workers as many and as new as they should be. */
  #arrange(): void {
    if (this.#phase !== "stopping" && this.#phase !== "broken") {
      const { start, drain, drop } = plan(this.#members, this.#wanted, !this.#failed);
      for (const host of drain) host.drain(this.#options.gracefulTimeoutMs);
      for (const host of drop) this.#drop(host);
      for (let i = 0; i < start && !this.#failed; i++) this.#begin();
      const outdated = ({ state, leaving }: WorkerHost) => leaving === "outdated" && state !== "draining";
      if (this.#rolling !== undefined && !this.#members.some(outdated)) {
        this.#logger.info("The workers have been replaced.");
        this.#endRoll(true);
      }
    }
    this.#dispatcher.serveWith(this.#members.filter(({ state }) => state === "ready"));
  }

  /** Nothing is to be started for now. */
  get #failed(): boolean {
    return this.#phase === "stopping" || this.#phase === "broken" || this.#retry !== undefined;
  }

  #begin(): void {
    try {
      this.#members.push(this.#nursery.host());
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      this.#startFailed(error.message);
    }
  }

  #endRoll(done: boolean): void {
    this.#rolling?.resolve(done);
    this.#rolling = undefined;
  }

  /** Ends a worker that nobody will miss. */
  #drop(host: WorkerHost, why = NOT_NEEDED): void {
    this.#members = this.#members.filter((other) => other !== host);
    host.dismiss(why);
  }

  #leave(host: WorkerHost): void {
    if (host.state !== "ready" || this.#replacesNone) return;
    this.#due.add(host);
    if (host.leaving !== undefined) return;
    host.leaving = "retiring";
    this.#arrange();
  }

  /** One look at how the workers fare; done once a second. */
  look(): void {
    const now = this.#runtime.now();
    // What the workers have said meanwhile is still unread, or they were held up too.
    if (now - this.#lookedAt > 2 * this.#lookMs + LATE_MS) for (const { pulse } of this.#members) pulse.begin(now);
    this.#lookedAt = now;
    for (const host of [...this.#members]) {
      const finding = checkUp(host, now, this.#runtime, this.#options);
      if (finding === undefined) continue;
      if (finding.level !== undefined) this.#logger[finding.level](finding.text);
      if (finding.act === "replace") this.#leave(host);
      else if (finding.act === "kill") this.#drop(host, finding.text);
    }
    if (this.#deaths > 0 && now - this.#diedAt >= STEADY_MS) this.#calm();
    this.#arrange();
  }

  /** What failed is forgotten. */
  #calm(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#backoffMs = 0;
    this.#deaths = 0;
    if (this.#phase === "running") this.#crashes.calm();
  }

  // ---- what hosts tell -------------------------------------------------------------------------------------

  ready(host: WorkerHost, facts: WorkerFacts): void {
    if (this.#options.maxRssBytes > 0) host.bornBytes = residentBytes(this.#runtime, host.pid);
    if (this.#phase === "starting") this.#phase = "running";
    this.#starting?.resolve(facts);
    this.#starting = undefined;
    this.#arrange();
    if (this.#options.reload) this.#nursery.prepare();
  }

  retiring(host: WorkerHost): void {
    if (this.#phase !== "stopping") this.#leave(host);
  }

  failed(host: WorkerHost, message: string, traceback: string): void {
    this.#failures.set(host, traceback === "" ? message : `${message}\n${traceback}`);
  }

  ended(): void {
    this.#arrange();
  }

  freed(): void {
    this.#dispatcher.freed();
  }

  gone(host: WorkerHost, orphans: Carried[], why: string): void {
    if (this.#nursery.lost(host)) return;
    // Else it was dropped, by one who sees to the others.
    if (this.#members.includes(host)) {
      this.#members = this.#members.filter((other) => other !== host);
      if (this.#phase !== "stopping" && !host.wasDrained) this.#died(host, loadOf(orphans), why);
      this.#arrange();
    }
    for (const exchange of orphans) if (exchange.orphaned()) this.dispatch(exchange);
    if (this.#phase === "stopping" && this.#members.length === 0) this.#emptied?.();
  }

  /** A worker ended that was not told to. */
  #died(host: WorkerHost, load: string, why: string): void {
    const { facts, pid, readyAt } = host;
    if (facts === undefined) {
      const [program] = this.#options.command;
      const failure = this.#failures.get(host) ?? `The Python worker (${program}) ended while it was starting: ${why}.`;
      this.#startFailed(failure, pid);
      return;
    }
    const end = `is gone (${why})${load === "" ? "" : ` with ${load}`}`;
    if (this.#runtime.now() - readyAt >= STEADY_MS) this.#crashes.died(pid, undefined, end, 0, 0);
    else this.#backOff(pid, undefined, end);
  }

  /** No worker is started for a while, longer each time. */
  #backOff(pid: number, failure: string | undefined, end: string): void {
    this.#diedAt = this.#runtime.now();
    this.#deaths += 1;
    this.#backoffMs = Math.min(Math.max(2 * this.#backoffMs, FIRST_BACKOFF_MS), LONGEST_BACKOFF_MS);
    this.#retryAfter(this.#backoffMs);
    this.#crashes.died(pid, failure, end, this.#backoffMs, this.#deaths);
  }

  #startFailed(failure: string, pid = 0): void {
    if (this.#options.reload) this.#broken(failure);
    else if (this.#starting !== undefined) {
      this.#starting.reject(new PlainError(failure));
      this.#starting = undefined;
      this.#halt();
    } else if (this.#rolling === undefined || !this.#members.some(({ state }) => state === "ready")) {
      this.#endRoll(false);
      this.#backOff(pid, failure, "failed to start");
    } else {
      this.#logger.error(`${failure}\nThe workers with the old code go on serving.`);
      for (const host of this.#members) {
        if (host.leaving === "outdated") host.leaving = this.#due.has(host) ? "retiring" : undefined;
      }
      this.#endRoll(false);
      // Where the old ones are too few, new ones are tried again, but not at once.
      this.#retryAfter(LONGEST_BACKOFF_MS);
    }
  }

  #retryAfter(ms: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#arrange();
    }, ms);
  }

  /** To reload: shows what failed until the next change. */
  #broken(failure: string): void {
    this.#phase = "broken";
    this.#logger.error(`${failure}\nWaiting for a file to change.`);
    this.#dispatcher.refuse(refusalPage(failure));
    for (const host of this.#members.filter(({ state }) => state === "loading")) this.#drop(host);
    this.#starting?.resolve(undefined);
    this.#starting = undefined;
    this.#nursery.prepare();
  }
}
