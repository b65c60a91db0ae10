/** Where workers come from: new processes; to reload, one whose interpreter has started already. */
import { PlainError } from "../runtime/types.ts";
import { type HostOptions, type HostOwner, MOST_REQUESTS, WorkerHost } from "./host.ts";
import type { CheckRuntime } from "./rounds.ts";
import type { WorkerSettings } from "./settings.ts";

export interface NurseryOptions {
  /** The Python program and the worker's script. */
  readonly command: readonly string[];
  /** The environment of workers that are started from now on. */
  env(): Readonly<Record<string, string>>;
  readonly settings: WorkerSettings;
  /** Requests after which a worker is replaced; 0: never. */
  readonly maxRequests: number;
  /** Up to this many are added, at random for each worker. */
  readonly maxRequestsJitter: number;
  readonly spawn?: HostOptions["spawn"];
}

/** Tells the worker's script that HELLO comes later, and which event loop to load meanwhile. */
const SPARE_FLAG = "--spare";

export class Nursery {
  readonly #runtime: CheckRuntime;
  readonly #owner: HostOwner;
  readonly #options: NurseryOptions;
  #spare: { readonly host: WorkerHost; readonly environment: string } | undefined;
  #generation = 0;
  #closed = false;

  constructor(runtime: CheckRuntime, owner: HostOwner, options: NurseryOptions) {
    this.#runtime = runtime;
    this.#owner = owner;
    this.#options = options;
  }

  /** A worker that loads the application. @throws PlainError when Python can't be started */
  host(): WorkerHost {
    const { settings, env } = this.#options;
    const environment = env();
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined && spare.environment === JSON.stringify(environment)) {
      spare.host.load(settings);
      return spare.host;
    }
    spare?.host.kill("its environment is not that of the others");
    return this.#make(environment, false);
  }

  /** Starts the interpreter of the next worker. */
  prepare(): void {
    if (this.#spare !== undefined || this.#closed) return;
    const environment = this.#options.env();
    try {
      this.#spare = { host: this.#make(environment, true), environment: JSON.stringify(environment) };
    } catch (error) {
      // The next worker's own start tells.
      if (!(error instanceof PlainError)) throw error;
    }
  }

  /** Whether the host that is gone was the spare one. */
  lost(host: WorkerHost): boolean {
    if (host !== this.#spare?.host) return host.loadedAt === 0;
    this.#spare = undefined;
    return true;
  }

  close(): void {
    this.#closed = true;
    const spare = this.#spare;
    this.#spare = undefined;
    spare?.host.kill("it is not needed any more");
  }

  #make(env: Readonly<Record<string, string>>, spare: boolean): WorkerHost {
    const { command, settings, spawn, maxRequests, maxRequestsJitter } = this.#options;
    this.#generation += 1;
    const jitter = Math.floor(Math.random() * (maxRequestsJitter + 1));
    return new WorkerHost(this.#runtime, this.#owner, {
      command: spare ? [...command, SPARE_FLAG, settings.loop ?? "auto"] : command,
      env,
      settings,
      spare,
      spawn,
      generation: this.#generation,
      mostRequests: maxRequests > 0 ? maxRequests + jitter : MOST_REQUESTS,
    });
  }
}
