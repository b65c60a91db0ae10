/**
 * The typed configuration that options, environment and defaults make together. What is added later (configuration
 * files, log formats, metrics, several addresses) becomes another source or another field here.
 */
import type { LogLevel } from "../observe/log.ts";
import { DEFAULT_QUEUE_LENGTH, DEFAULT_WORKER_TIMEOUT_MS } from "../python/defaults.ts";
import { DEFAULT_OPTIONS, type ServerOptions } from "../server/options.ts";

/** What the command line decides besides the server's own options. */
export interface CommandConfig {
  /** Processes that run the application; AUTO: as many as the cores suggest. */
  readonly workers: number;
  /** Server processes in front of a Python application's workers; AUTO: as many as those need. */
  readonly fronts: number;
  /** Each front with its workers, or each process of a TypeScript application, keeps to cores of its own. */
  readonly pin: boolean;
  /** Start again when a file changes. */
  readonly reload: boolean;
  /** Directories to watch; none given: the application directory. */
  readonly reloadDirs: readonly string[];
  readonly reloadIncludes: readonly string[];
  /** Besides the built-in ones. */
  readonly reloadExcludes: readonly string[];
  /** Requests after which a process is replaced; 0: never. */
  readonly maxRequests: number;
  /** Up to this many requests are added to `maxRequests`, at random in each process. */
  readonly maxRequestsJitter: number;
  /** Resident memory at which a Python worker is replaced; 0: any. */
  readonly maxRssBytes: number;
  /** Age at which a Python worker is replaced; 0: any. */
  readonly lifetimeMs: number;
  /** A Python worker whose loop does not turn, and that uses no processor time, for this long is stuck; 0: never. */
  readonly workerTimeoutMs: number;
  /** Requests that wait for a Python worker. */
  readonly queueLength: number;
  /** Directory that the application's path is relative to; undefined: the working directory. */
  readonly appDir: string | undefined;
  /** The export is a function that makes the application. */
  readonly factory: boolean;
  /** How a Python application is called. */
  readonly interface: "auto" | "asgi" | "asgi2" | "wsgi";
  /** Python program; undefined: that of the virtual environment, else python3. */
  readonly python: string | undefined;
  /** Python's event loop. */
  readonly loop: "auto" | "asyncio" | "uvloop";
  /** Threads of a WSGI application in each process; 0: as the cores suggest. */
  readonly threads: number;
  /** File that configures Python's logging. */
  readonly logConfig: string | undefined;
  readonly envFile: string | undefined;
  readonly logLevel: LogLevel;
  /** Stop when the parent process ends; undefined: only under a package manager's script runner. */
  readonly exitWithParent: boolean | undefined;
}

export interface Config {
  /** The application's path, with `:name` of its export; undefined: the built-in demo. */
  readonly app: string | undefined;
  readonly command: CommandConfig;
  readonly server: ServerOptions;
}

/** A number of processes that is decided when the server starts. */
export const AUTO = 0;
/** Enough for any machine, and few enough that a typing mistake does not bring it down. */
export const MOST_WORKERS = 1024;

export const DEFAULT_COMMAND: CommandConfig = {
  workers: 1,
  fronts: 1,
  pin: false,
  reload: false,
  reloadDirs: [],
  reloadIncludes: ["*.ts", "*.tsx", "*.js", "*.jsx", "*.mjs", "*.json", "*.py"],
  reloadExcludes: [],
  maxRequests: 0,
  maxRequestsJitter: 0,
  maxRssBytes: 0,
  lifetimeMs: 0,
  workerTimeoutMs: DEFAULT_WORKER_TIMEOUT_MS,
  queueLength: DEFAULT_QUEUE_LENGTH,
  appDir: undefined,
  factory: false,
  interface: "auto",
  python: undefined,
  loop: "auto",
  threads: 0,
  logConfig: undefined,
  envFile: undefined,
  logLevel: "info",
  exitWithParent: undefined,
};

export const DEFAULT_CONFIG: Config = { app: undefined, command: DEFAULT_COMMAND, server: DEFAULT_OPTIONS };
