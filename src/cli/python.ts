/** Serving a Python application: its workers' settings from the options, and who tells them to change. */
import type { Logger } from "../observe/log.ts";
import type { PythonApp } from "../python/app.ts";
import type { WorkerPool } from "../python/pool.ts";
import { shortPaths } from "../supervise/supervisor.ts";
import { watchFiles } from "../supervise/watch.ts";
import type { ServeContext } from "./serve.ts";
import { watchOptions } from "./watched.ts";

/**
 * Starts the workers.
 * @param workers this front's share of them
 * @param onPool hears of them when they are starting
 */
export async function startWorkers(
  context: ServeContext,
  workers: number,
  onPool?: (pool: WorkerPool) => void,
): Promise<PythonApp> {
  const { runtime, config, logger, python } = context;
  if (python === undefined) throw new TypeError("the application is none of Python's");
  const { childEnvironment, startPythonApp } = await import("../python/app.ts");
  const { command, server } = config;
  const { factory, loop, threads, logConfig, maxRequests, maxRequestsJitter, reload } = command;
  const { maxRssBytes, lifetimeMs, workerTimeoutMs, queueLength } = command;
  const { lifespan, gracefulTimeoutMs, limits } = server;
  const options = {
    ...python,
    ...{ factory, loop, threads, logConfig, lifespan, workers, reload, gracefulTimeoutMs },
    ...{ maxRequests, maxRequestsJitter, maxRssBytes, lifetimeMs, workerTimeoutMs, queueLength },
    interface: command.interface,
    python: command.python,
    concurrency: limits.concurrency,
    env: () => childEnvironment(context.environment()),
  };
  return startPythonApp(runtime, logger, options, onPool);
}

type Order = (pool: WorkerPool) => void;

// The outcome is logged.
const ROLL: Order = (pool) => void pool.roll();
const RELOAD: Order = (pool) => pool.reload();

/** Signals and changes of files that are there before the workers are wait for them. */
export class Operator {
  readonly #logger: Logger;
  #pool: WorkerPool | undefined;
  #early: Order[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** From now on these workers are told. */
  commands(pool: WorkerPool): void {
    this.#pool = pool;
    for (const order of this.#early.splice(0)) order(pool);
  }

  roll(): void {
    this.#logger.info("SIGHUP: replacing the workers one by one.");
    this.#order(ROLL);
  }

  grow(): void {
    this.#order((pool) => pool.grow());
  }

  shrink(): void {
    this.#order((pool) => pool.shrink());
  }

  changed(paths: string): void {
    this.#logger.info(`${paths} changed; reloading.`);
    this.#order(RELOAD);
  }

  #order(order: Order): void {
    if (this.#pool !== undefined) order(this.#pool);
    else if (!this.#early.includes(order)) this.#early.push(order);
  }
}

/** Listens for signals, and with --reload for changes, from now on. */
export async function listenToOperator({ runtime, config, logger }: ServeContext): Promise<Operator> {
  const operator = new Operator(logger);
  runtime.onSignal("SIGHUP", () => operator.roll());
  runtime.onSignal("SIGTTIN", () => operator.grow());
  runtime.onSignal("SIGTTOU", () => operator.shrink());
  if (config.command.reload) {
    const watcher = watchFiles(
      watchOptions(runtime, config),
      (paths) => operator.changed(shortPaths(paths, runtime.cwd())),
      (error) => logger.warning(`Watching files: ${error instanceof Error ? error.message : String(error)}`),
    );
    await watcher.ready;
  }
  return operator;
}
