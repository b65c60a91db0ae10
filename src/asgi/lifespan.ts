/**
 * The lifespan protocol: ASGI lifespan specification 2.0. One application task that lives as long as the server.
 */
import { messageOf } from "../observe/error-text.ts";
import type { Application, AsgiVersions, LifespanReceiveEvent, SendEvent, State } from "./types.ts";

const LIFESPAN_VERSIONS: AsgiVersions = Object.freeze({ version: "3.0", spec_version: "2.0" });

export type LifespanMode = "auto" | "on" | "off";

export type StartupOutcome =
  | { readonly kind: "complete" }
  /**
   * auto mode, and the application returned or raised: it does not speak lifespan. `raised` is what it threw when it had been
   * told of the startup, other than `send`'s refusal of the answer to a request: that may have been a failure.
   */
  | { readonly kind: "unsupported"; readonly raised?: { readonly error: unknown } }
  | { readonly kind: "failed"; readonly message: string; readonly error?: unknown };

export type ShutdownOutcome =
  | { readonly kind: "complete" }
  | { readonly kind: "failed"; readonly message: string; readonly error?: unknown };

type Phase = "startup" | "running" | "shutdown" | "ended";

/** Drives one application's lifespan. `startup` once, then `shutdown` once. */
export class Lifespan {
  /** What the application leaves for its requests. */
  readonly state: State = {};
  /** Hears what the application throws between startup and shutdown. */
  onRaised: ((error: unknown) => void) | undefined;
  readonly #app: Application;
  readonly #mode: LifespanMode;
  #phase: Phase = "startup";
  #started = deferred<StartupOutcome>();
  #stopped = deferred<ShutdownOutcome>();
  #askShutdown = deferred<void>();
  #delivered = 0;
  /** What `send` threw on an event of another protocol. */
  #strange: Error | undefined;

  constructor(app: Application, mode: LifespanMode) {
    this.#app = app;
    this.#mode = mode;
  }

  /** Runs startup. Never rejects. */
  startup(): Promise<StartupOutcome> {
    if (this.#mode === "off") {
      this.#phase = "ended";
      return Promise.resolve({ kind: "complete" });
    }
    this.#run();
    return this.#started.promise;
  }

  /** Runs shutdown; complete at once when there is nothing to shut down. Never rejects. */
  shutdown(): Promise<ShutdownOutcome> {
    if (this.#phase !== "running") return Promise.resolve({ kind: "complete" });
    this.#phase = "shutdown";
    this.#askShutdown.resolve();
    return this.#stopped.promise;
  }

  #run(): void {
    const scope = { type: "lifespan", asgi: LIFESPAN_VERSIONS, state: this.state } as const;
    const call = async () =>
      this.#app(
        scope,
        () => this.#receive(),
        (event) => {
          const sent = this.#send(event);
          // Refused, and not awaited by the application: no reason to end the process.
          sent.catch(noop);
          return sent;
        },
      );
    call().then(
      () => this.#returned(),
      (error: unknown) => this.#raised(error),
    );
  }

  async #receive(): Promise<LifespanReceiveEvent> {
    this.#delivered++;
    if (this.#delivered === 1) return { type: "lifespan.startup" };
    await this.#askShutdown.promise;
    return { type: "lifespan.shutdown" };
  }

  async #send(event: SendEvent): Promise<void> {
    const { type } = event;
    if (this.#phase === "startup" && type === "lifespan.startup.complete") {
      this.#phase = "running";
      this.#started.resolve({ kind: "complete" });
    } else if (this.#phase === "startup" && type === "lifespan.startup.failed") {
      this.#phase = "ended";
      this.#started.resolve({ kind: "failed", message: event.message ?? "" });
    } else if (this.#phase === "shutdown" && type === "lifespan.shutdown.complete") {
      this.#phase = "ended";
      this.#stopped.resolve({ kind: "complete" });
    } else if (this.#phase === "shutdown" && type === "lifespan.shutdown.failed") {
      this.#phase = "ended";
      this.#stopped.resolve({ kind: "failed", message: event.message ?? "" });
    } else {
      const error = new Error(`${type} can't be sent during lifespan ${this.#phase}`);
      if (!String(type).startsWith("lifespan.")) this.#strange = error;
      throw error;
    }
  }

  /** Returning early is allowed: the application has nothing to do at shutdown. */
  #returned(): void {
    if (this.#phase === "startup" && this.#mode === "on") {
      this.#phase = "ended";
      this.#started.resolve({
        kind: "failed",
        message: "the application returned without completing lifespan startup",
      });
      return;
    }
    const was = this.#phase;
    this.#phase = "ended";
    if (was === "startup") this.#started.resolve({ kind: "unsupported" });
    if (was === "shutdown") this.#stopped.resolve({ kind: "complete" });
  }

  #raised(error: unknown): void {
    const was = this.#phase;
    this.#phase = "ended";
    const message = messageOf(error);
    if (was === "startup") {
      if (this.#mode === "on") this.#started.resolve({ kind: "failed", message, error });
      else {
        const hasFailed = this.#delivered > 0 && (this.#strange === undefined || error !== this.#strange);
        this.#started.resolve(hasFailed ? { kind: "unsupported", raised: { error } } : { kind: "unsupported" });
      }
    } else if (was === "shutdown") this.#stopped.resolve({ kind: "failed", message, error });
    else if (was === "running") {
      this.#askShutdown.resolve();
      this.onRaised?.(error);
    }
    // Else it has said how it ended.
  }
}

function noop(): void {}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
