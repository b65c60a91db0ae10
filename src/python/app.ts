/** A Python application as an `Application`: served by a pool of workers. */
import { CALL, type CallApplication, type HttpCall } from "../asgi/call.ts";
import type { Application, LifespanScope, Receive, Send } from "../asgi/types.ts";
import { WEBSOCKET_CALL, type WebSocketCall, type WebSocketCallApplication } from "../asgi/websocket-call.ts";
import type { Logger } from "../observe/log.ts";
import { PlainError, type Runtime } from "../runtime/types.ts";
import { AsgiCall } from "./asgi-call.ts";
import { AsgiSocketCall } from "./asgi-socket-call.ts";
import { DEFAULT_QUEUE_LENGTH, DEFAULT_WORKER_TIMEOUT_MS } from "./defaults.ts";
import { workerStart } from "./embedded.ts";
import { Exchange } from "./exchange.ts";
import { type PoolOptions, WorkerPool } from "./pool.ts";
import { findPython } from "./python.ts";
import type { WorkerFacts, WorkerSettings } from "./settings.ts";
import { SocketExchange } from "./socket.ts";
import { WORKER_SOURCES } from "./sources.ts";

export interface PythonOptions extends WorkerSettings, Partial<Omit<PoolOptions, "command" | "settings" | "workers">> {
  /** Path or name of the Python program; undefined: see `findPython`. */
  readonly python?: string;
  readonly workers?: number;
}

export interface PythonApp {
  readonly app: Application;
  /** Of the first worker; undefined: to reload, the application does not start yet. */
  readonly facts: WorkerFacts | undefined;
  readonly pool: WorkerPool;
}

const DEFAULT_GRACEFUL_MS = 30_000;
const WORKER_SCRIPT = new URL("./start.py", import.meta.url);

type AppRuntime = Pick<
  Runtime,
  "defer" | "now" | "readTextFile" | "env" | "fileExists" | "resolvePath" | "cwd" | "selfCommand"
>;

/**
 * Starts the workers and waits until one is ready.
 * @param onPool hears of them when they are starting, which may take long
 * @throws PlainError when Python or the application can't be had; its message has the application's own traceback
 */
export async function startPythonApp(
  runtime: AppRuntime,
  logger: Logger,
  options: PythonOptions,
  onPool: (pool: WorkerPool) => void = () => {},
): Promise<PythonApp> {
  const { python, ...others } = options;
  const { args, spawn } = workerStart(WORKER_SCRIPT, WORKER_SOURCES, runtime.selfCommand()[0]);
  const pool = new WorkerPool(runtime, logger, {
    command: [findPython(runtime, python), ...args],
    env: others.env ?? (() => childEnvironment(runtime.env())),
    settings: settingsOf(options),
    workers: others.workers ?? 1,
    concurrency: others.concurrency ?? 0,
    queueLength: others.queueLength ?? DEFAULT_QUEUE_LENGTH,
    gracefulTimeoutMs: others.gracefulTimeoutMs ?? DEFAULT_GRACEFUL_MS,
    workerTimeoutMs: others.workerTimeoutMs ?? DEFAULT_WORKER_TIMEOUT_MS,
    maxRequests: others.maxRequests ?? 0,
    maxRequestsJitter: others.maxRequestsJitter ?? 0,
    maxRssBytes: others.maxRssBytes ?? 0,
    lifetimeMs: others.lifetimeMs ?? 0,
    reload: others.reload ?? false,
    spawn: others.spawn ?? spawn,
  });
  let facts: WorkerFacts | undefined;
  try {
    const started = pool.start();
    onPool(pool);
    facts = await started;
  } catch (error) {
    await pool.stop();
    throw error instanceof PlainError ? error : new PlainError(String(error), { cause: error });
  }
  return { pool, facts, app: poolApplication(pool) };
}

function settingsOf(options: PythonOptions): WorkerSettings {
  const { target, appDir, factory, lifespan, loop, threads, logConfig, workers, reload } = options;
  return { target, appDir, factory, interface: options.interface, lifespan, loop, threads, logConfig, workers, reload };
}

/** What a process can be given: the variables that are set. */
export function childEnvironment(env: Record<string, string | undefined>): Record<string, string> {
  const copy: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined) copy[name] = value;
  return copy;
}

/** The pool as an ASGI application. Its lifespan's shutdown stops the workers. */
export function poolApplication(pool: WorkerPool): CallApplication & WebSocketCallApplication {
  const call = (each: HttpCall) => pool.dispatch(new Exchange(each, true));
  const application: Application = (scope, receive, send) => {
    if (scope.type === "http") {
      const each = new AsgiCall(scope, receive, send);
      pool.dispatch(new Exchange(each, false));
      return each.done;
    }
    if (scope.type === "websocket") {
      const each = new AsgiSocketCall(scope, receive, send);
      pool.dispatch(new SocketExchange(each));
      return each.done;
    }
    return lifespan(pool, scope, receive, send);
  };
  const socketCall = (each: WebSocketCall) => pool.dispatch(new SocketExchange(each));
  return Object.assign(application, { [CALL]: call, [WEBSOCKET_CALL]: socketCall });
}

async function lifespan(pool: WorkerPool, _scope: LifespanScope, receive: Receive, send: Send): Promise<void> {
  await receive();
  await send({ type: "lifespan.startup.complete" });
  await receive();
  const problem = await pool.stop();
  if (problem === undefined) await send({ type: "lifespan.shutdown.complete" });
  else await send({ type: "lifespan.shutdown.failed", message: problem });
}
