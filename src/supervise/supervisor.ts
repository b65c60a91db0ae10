/** Joins the fleet's decisions to real processes, signals and file changes. */
import type { Logger } from "../observe/log.ts";
import type { Child, Runtime, SocketAddress } from "../runtime/types.ts";
import { MOST_TIMER_MS } from "../server/ranges.ts";
import { Fleet, type FleetEffects } from "./fleet.ts";
import { Fronts } from "./fronts.ts";
import { asFromWorker, type Bind, type FromWorker, type ToWorker } from "./messages.ts";
import { PARENT_GONE, watchParent } from "./parent.ts";
import { onStopSignals, STOPPING } from "./signals.ts";
import { type WatchOptions, watchFiles } from "./watch.ts";

export type SupervisorRuntime = Pick<
  Runtime,
  "spawn" | "listen" | "onSignal" | "now" | "parentPid" | "readTextFile" | "cwd"
>;

export interface SuperviseOptions {
  /** Program and arguments of a worker. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where to listen: port 0 lets the first worker pick one. */
  readonly host: string;
  readonly port: number;
  readonly uds: string | undefined;
  readonly workers: number;
  /** Where the workers are fronts of a Python application: how many workers each of them has. */
  readonly shares: readonly number[] | undefined;
  /** What stands before the command of the process at a place, from 0. */
  readonly prefix: ((place: number) => readonly string[]) | undefined;
  /** What to watch with --reload. */
  readonly watch: WatchOptions | undefined;
  readonly gracefulTimeoutMs: number;
  readonly exitWithParent: boolean;
  onServing(address: SocketAddress): void;
}

/** As many changed files as one message names. */
const NAMED_FILES = 3;

/**
 * Tells "address in use" once, before any process is started. The workers share the port, so that theirs would succeed
 * beside another program that shares it too; this one does not share.
 */
async function probe(runtime: SupervisorRuntime, options: SuperviseOptions): Promise<void> {
  if (options.uds !== undefined || options.port === 0) return;
  const { host, port } = options;
  const listener = await runtime.listen({ host, port, backlog: 1, reusePort: false }, (socket) => {
    socket.reset();
    return { onData() {}, onDrain() {}, onEnd() {}, onEndUnread() {}, onClose() {} };
  });
  listener.close();
}

function plainEnvironment(environment: SuperviseOptions["environment"]): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) plain[name] = value;
  return plain;
}

type Exited = (code: number | null, signal: string | null) => void;

/** The processes of the fleet's workers, by the fleet's ids. */
class Processes {
  private readonly children = new Map<number, Child>();
  private readonly runtime: SupervisorRuntime;
  private readonly options: SuperviseOptions;
  private readonly logger: Logger;
  private readonly environment: Record<string, string>;

  constructor(runtime: SupervisorRuntime, options: SuperviseOptions, logger: Logger) {
    this.runtime = runtime;
    this.options = options;
    this.logger = logger;
    this.environment = plainEnvironment(options.environment);
  }

  spawn(
    id: number,
    slot: number,
    bind: Bind,
    workers: number | undefined,
    told: (message: FromWorker) => void,
    exited: Exited,
  ): number {
    let child: Child;
    try {
      child = this.runtime.spawn({
        command: [...(this.options.prefix?.(slot) ?? []), ...this.options.command],
        env: this.environment,
        onMessage: (raw) => {
          const message = asFromWorker(raw);
          if (message !== undefined) told(message);
        },
        onExit: (code, signal) => {
          this.children.delete(id);
          exited(code, signal);
        },
      });
    } catch (error) {
      this.logger.error(error instanceof Error ? error.message : String(error));
      queueMicrotask(() => exited(1, null));
      return 0;
    }
    this.children.set(id, child);
    this.send(id, { type: "start", bind, workers });
    return child.pid;
  }

  send(id: number, message: ToWorker): void {
    this.children.get(id)?.send(message);
  }

  kill(id: number): void {
    this.children.get(id)?.kill("SIGKILL");
  }
}

/** What a process of the fleet, perhaps a front, says. */
function receive(fleet: Fleet, fronts: Fronts | undefined, id: number, slot: number, message: FromWorker): void {
  if (message.type === "ready") {
    fronts?.ready(id, slot);
    fleet.ready(id, message.address);
  } else if (message.type === "failed") fleet.failed(id, message.message, message.exitCode);
  else if (message.type === "retiring") fleet.retiring(id);
  else if (message.type === "rolled") fronts?.rolled(id, message.done);
  else fleet.closed(id);
}

/** What would be due later than a timer can hold is due when it ends, not at once. */
function after(ms: number, task: () => void): () => void {
  const timer = setTimeout(task, Math.min(ms, MOST_TIMER_MS));
  return () => clearTimeout(timer);
}

/** A few of the paths, as seen from a directory, for a message. */
export function shortPaths(paths: readonly string[], directory: string): string {
  const prefix = directory.endsWith("/") ? directory : `${directory}/`;
  const shown = paths.slice(0, NAMED_FILES).map((path) => (path.startsWith(prefix) ? path.slice(prefix.length) : path));
  const more = paths.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** What signals ask for: of the fleet, or of the fronts' own workers. */
type Crew = { replaceAll(): void; grow(): void; shrink(): void };

/** Starts what makes the fleet act: signals, the parent's end, file changes. Returns the function that ends it all. */
async function connect(
  runtime: SupervisorRuntime,
  options: SuperviseOptions,
  logger: Logger,
  fleet: Fleet,
  crew: Crew,
) {
  const stop = (why: string): void => {
    logger.info(why);
    fleet.stop();
  };
  const undo = [
    onStopSignals(
      runtime,
      ["SIGINT", "SIGTERM"],
      () => stop(STOPPING),
      () => fleet.stopNow(),
    ),
    runtime.onSignal("SIGHUP", () => {
      logger.info("SIGHUP: replacing the workers one by one.");
      crew.replaceAll();
    }),
    runtime.onSignal("SIGTTIN", () => crew.grow()),
    runtime.onSignal("SIGTTOU", () => crew.shrink()),
  ];
  if (options.exitWithParent) undo.push(watchParent(runtime, () => stop(PARENT_GONE)));
  if (options.watch !== undefined) {
    const watcher = watchFiles(
      options.watch,
      (paths) => {
        logger.info(`${shortPaths(paths, runtime.cwd())} changed; reloading.`);
        fleet.replaceAll();
      },
      (error) => logger.warning(`Watching files: ${error instanceof Error ? error.message : String(error)}`),
    );
    undo.push(() => void watcher.close());
    await watcher.ready;
  }
  return () => {
    for (const end of undo) end();
  };
}

/**
 * Runs the workers until a signal ends them.
 * @returns the exit code
 * @throws PlainError when the address can't be had
 */
export async function supervise(
  runtime: SupervisorRuntime,
  options: SuperviseOptions,
  logger: Logger,
): Promise<number> {
  await probe(runtime, options);
  const processes = new Processes(runtime, options, logger);
  const unix = options.uds !== undefined;
  let finish: (exitCode: number) => void;
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const fronts =
    options.shares === undefined
      ? undefined
      : new Fronts(
          options.shares,
          {
            roll: (id) => processes.send(id, { type: "roll" }),
            resize: (id, workers) => processes.send(id, { type: "resize", workers }),
          },
          logger,
        );
  const effects: FleetEffects = {
    spawn: (id, { replaceLive, port, slot }) => {
      const bind: Bind = {
        host: options.host,
        port: options.port === 0 ? (port ?? 0) : options.port,
        reusePort: !unix,
        joins: !unix && !replaceLive && port !== undefined,
        replaceLive: unix && replaceLive,
      };
      return processes.spawn(
        id,
        slot,
        bind,
        fronts?.share(slot),
        (message) => receive(fleet, fronts, id, slot, message),
        (code, signal) => {
          fronts?.gone(id);
          fleet.exited(id, code, signal);
        },
      );
    },
    stop: (id, handover) => processes.send(id, { type: "stop", handover }),
    kill: (id) => processes.kill(id),
    after,
    serving: (address) => options.onServing(address),
    finished: (exitCode) => finish(exitCode),
  };
  const fleet = new Fleet(
    {
      workers: options.workers,
      waitsForChange: options.watch !== undefined,
      single: unix,
      gracefulTimeoutMs: options.gracefulTimeoutMs,
    },
    effects,
    logger,
  );
  const crew =
    fronts === undefined
      ? fleet
      : { replaceAll: () => fronts.roll(), grow: () => fronts.grow(), shrink: () => fronts.shrink() };
  const disconnect = await connect(runtime, options, logger, fleet, crew);
  fleet.start();
  const exitCode = await finished;
  disconnect();
  return exitCode;
}
