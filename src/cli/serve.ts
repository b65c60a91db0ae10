/** Serving: in this process alone, as a worker, or as the supervisor of workers. Each resolves with the exit code. */
import { applicationOf, loadApplication, loadModule } from "../apps/load.ts";
import type { PythonTarget } from "../apps/python-target.ts";
import type { Application } from "../asgi/types.ts";
import type { BufferedAccessLog } from "../observe/access.ts";
import type { Logger } from "../observe/log.ts";
import type { WorkerPool } from "../python/pool.ts";
import { retireListeners, spreadConnections } from "../runtime/retire.ts";
import type { ParentLink, Runtime, SocketAddress } from "../runtime/types.ts";
import type { ServerOptions } from "../server/options.ts";
import { startServer } from "../server/server.ts";
import type { Bind, Handover } from "../supervise/messages.ts";
import { PARENT_GONE, wantsParentWatch, watchParent } from "../supervise/parent.ts";
import { pinning } from "../supervise/pinning.ts";
import { onStopSignals, STOPPING } from "../supervise/signals.ts";
import { supervise } from "../supervise/supervisor.ts";
import { failureText, runWorker } from "../supervise/worker.ts";
import type { Config } from "./config.ts";
import { sharesOf } from "./processes.ts";
import { listenToOperator, startWorkers } from "./python.ts";
import type { Environment } from "./resolve.ts";
import { watchOptions } from "./watched.ts";

/** What is served when the command line names no application. */
export interface BuiltInApp {
  /** For the banner and for messages. */
  readonly title: string;
  load(): Promise<Record<string, unknown>>;
  /** The export that is the application; undefined: the first of DEFAULT_EXPORTS. */
  readonly exportName?: string;
  /** The export makes the application; undefined: as `--factory` says. */
  readonly factory?: boolean;
}

export interface ServeContext {
  readonly runtime: Runtime;
  readonly config: Config;
  /** Where the application is Python's. */
  readonly python: PythonTarget | undefined;
  readonly logger: Logger;
  readonly access: BufferedAccessLog;
  readonly builtIn: BuiltInApp;
  readonly library: Readonly<Record<string, unknown>> | undefined;
  /** The environment of processes that are started now. */
  environment(): Environment;
  /** The server listens; for the banner. */
  onServing(address: SocketAddress): void;
}

interface Loaded {
  readonly app: Application;
  readonly options: ServerOptions;
  /** The workers of a Python application. */
  readonly pool?: WorkerPool;
}

async function loadConfigured(
  context: ServeContext,
  workers = context.config.command.workers,
  onPool?: (pool: WorkerPool) => void,
): Promise<Loaded> {
  const { config, python } = context;
  if (python === undefined) return { app: await loadScript(context), options: config.server };
  const { app, pool } = await startWorkers(context, workers, onPool);
  // The worker speaks lifespan with the application; here it begins and ends the worker. The pool limits what is in
  // flight, and lets more wait.
  const limits = { ...config.server.limits, concurrency: 0 };
  return { app, pool, options: { ...config.server, lifespan: "on", limits } };
}

async function loadScript({ runtime, config, builtIn, library }: ServeContext): Promise<Application> {
  const { appDir, factory } = config.command;
  if (config.app === undefined) {
    const { title, load, exportName } = builtIn;
    const module = await loadModule(runtime, title, load);
    return applicationOf(runtime, module, title, exportName, builtIn.factory ?? factory);
  }
  if (library !== undefined) runtime.provideModule("ringcorn", library);
  return loadApplication(runtime, { target: config.app, appDir, factory });
}

/** What an application's forgotten promise or timer throws is logged; the requests of others go on. */
function surviveStrayErrors({ runtime, logger }: ServeContext): void {
  runtime.onStrayError((error) => logger.error(`an error that the application handles nowhere\n${failureText(error)}`));
}

/** Serves in this process until a signal, or the parent's end. */
export async function serveAlone(context: ServeContext): Promise<number> {
  const { runtime, config, logger } = context;
  return new Promise((resolve, reject) => {
    let stopping = false;
    let stopServer: (() => Promise<void>) | undefined;
    let begun: WorkerPool | undefined;
    const stop = (why: string): void => {
      if (stopping) return;
      stopping = true;
      logger.info(why);
      // Nothing is in flight before the server runs: only workers that are loading are to end.
      const ended: Promise<unknown> = stopServer?.() ?? begun?.stop() ?? Promise.resolve();
      ended.then(() => resolve(0), reject);
    };
    onStopSignals(
      runtime,
      ["SIGINT", "SIGTERM"],
      () => stop(STOPPING),
      () => resolve(1),
    );
    if (wantsParentWatch(config.command.exitWithParent, runtime.env())) watchParent(runtime, () => stop(PARENT_GONE));
    const run = async (): Promise<void> => {
      const operator = context.python === undefined ? undefined : await listenToOperator(context);
      // The first start may not end either before the code has changed.
      const { app, options, pool } = await loadConfigured(context, undefined, (workers) => {
        begun = workers;
        operator?.commands(workers);
      });
      const server = await startServer(app, options, serverParts(context));
      surviveStrayErrors(context);
      stopServer = () => {
        pool?.replaceNone();
        return server.stop();
      };
      context.onServing(server.address);
      await server.stopped;
    };
    run().then(() => stopping || resolve(0), reject);
  });
}

function serverParts({ runtime, logger, access }: ServeContext) {
  return { runtime, logger, access };
}

/** `--limit-max-requests` with this process's share of the jitter. */
export function requestLimit(config: Config, random: () => number): number {
  const { maxRequests, maxRequestsJitter } = config.command;
  return maxRequests + Math.floor(random() * (maxRequestsJitter + 1));
}

/**
 * Longer than a handshake takes round the world, so that those under way end here; much shorter than the second after
 * which a client repeats a SYN that was dropped meanwhile.
 */
export const HANDOVER_MS = 250;

/**
 * Before a listener is closed at whose address others go on: takes no more connections, and lets those that the system
 * has given to it already arrive, since the kernel would reset those in its queue. A Unix socket's path leads to the
 * successor already.
 */
async function awaitArrivals(address: SocketAddress, bind: Bind, { successor }: Handover): Promise<void> {
  const waits = bind.reusePort ? await retireListeners(address.port, successor) : true;
  if (waits) await new Promise((resolve) => setTimeout(resolve, HANDOVER_MS));
}

/** Serves as a worker until the supervisor says stop, or is gone. */
export function serveAsWorker(context: ServeContext, link: ParentLink): Promise<number> {
  const { runtime, config, logger } = context;
  let begun: WorkerPool | undefined;
  return runWorker({
    runtime,
    logger,
    link,
    abandon: async () => void (await begun?.stop()),
    start: async (bind, retire, workers) => {
      const { app, options, pool } = await loadConfigured(context, workers, (pool) => {
        begun = pool;
      });
      const server = await startServer(app, { ...options, ...bind }, serverParts(context));
      surviveStrayErrors(context);
      if (config.command.maxRequests > 0 && pool === undefined) {
        const limit = requestLimit(config, Math.random);
        server.onRequest = () => {
          if (server.requestsStarted === limit) retire();
        };
      }
      if (bind.joins) await spreadConnections(server.address.port);
      let patient = true;
      let stopping = false;
      return {
        address: server.address,
        roll: pool && (() => pool.roll()),
        resize: pool && ((count) => pool.resize(count)),
        stop: async (handover, onClosed) => {
          pool?.replaceNone();
          if (handover !== undefined) {
            // Who asks meanwhile reads that the connection ends; only who does not may meet a closing one.
            server.leave();
            await awaitArrivals(server.address, bind, handover);
          }
          // Who edits an application wants its pages to meet the new one.
          patient &&= handover !== undefined && !config.command.reload;
          const stopped = server.stop(patient);
          stopping = true;
          onClosed();
          await stopped;
        },
        hurry: () => {
          patient = false;
          // Not while it still listens for what is arriving.
          if (stopping) void server.stop();
        },
      };
    },
  });
}

/** Runs worker processes of the same command until a signal. */
export function serveSupervised(context: ServeContext, argv: readonly string[]): Promise<number> {
  const { runtime, config, logger } = context;
  const { command, server } = config;
  // A Python application's processes are fronts, and each has its own workers.
  const processes = context.python === undefined ? command.workers : command.fronts;
  const options = {
    command: [...runtime.selfCommand(), ...argv],
    // As they were given: the workers read the environment file themselves, also after it has changed.
    environment: runtime.env(),
    host: server.host,
    port: server.port,
    uds: server.uds,
    workers: processes,
    shares: context.python === undefined ? undefined : sharesOf(command.workers, command.fronts),
    prefix: command.pin ? pinning(runtime, processes) : undefined,
    watch: command.reload ? watchOptions(runtime, config) : undefined,
    gracefulTimeoutMs: server.gracefulTimeoutMs,
    exitWithParent: wantsParentWatch(command.exitWithParent, runtime.env()),
    onServing: context.onServing,
  };
  return supervise(runtime, options, logger);
}
