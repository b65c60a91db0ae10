/**
 * Every option as one row of a table: the command line, the environment variables, the help and docs/options.md are
 * made from it. Names are uvicorn's where it has the option.
 */
import { DEFAULT_LIMITS, DEFAULT_OPTIONS, type ServerLimits, type ServerOptions } from "../server/options.ts";
import { LIMIT_RANGES, OPTION_RANGES } from "../server/ranges.ts";
import { type CommandConfig, DEFAULT_COMMAND, MOST_WORKERS } from "./config.ts";
import { networks } from "./networks.ts";
import * as kinds from "./values.ts";
import { webSocketRows } from "./websocket-options.ts";

export const GROUPS = [
  "Application",
  "Address",
  "Processes",
  "Python",
  "Reload",
  "HTTP",
  "WebSocket",
  "Proxies",
  "Limits",
  "Timeouts",
  "Logging",
  "Environment",
] as const;
export type Group = (typeof GROUPS)[number];

/** Part of the configuration that a row's field is in. */
export type Section = "command" | "server" | "limits";

export interface OptionRow {
  /** Without the dashes. */
  readonly name: string;
  readonly group: Group;
  readonly kind: kinds.Kind<unknown>;
  readonly description: string;
  /** The default as shown; empty when there is none. */
  readonly shownDefault: string;
  readonly section: Section;
  readonly field: string;
}

/** `--reload-dir` is `RINGCORN_RELOAD_DIR` in the environment. */
export function variableOf(name: string): string {
  return `RINGCORN_${name.toUpperCase().replaceAll("-", "_")}`;
}

type Add<Fields> = <K extends keyof Fields & string>(
  field: K,
  name: string,
  kind: kinds.Kind<Fields[K]>,
  description: string,
  shownDefault?: string,
) => OptionRow;

/** Rows of one group whose fields are in one section; the kind's type is checked against the field's. */
function rows<Fields>(section: Section, defaults: Fields, group: Group): Add<Fields> {
  return (field, name, kind, description, shownDefault) => ({
    name,
    group,
    kind: kind as kinds.Kind<unknown>,
    description,
    shownDefault: shownDefault ?? kind.show(defaults[field]),
    section,
    field,
  });
}

const command = (group: Group): Add<CommandConfig> => rows("command", DEFAULT_COMMAND, group);
const server = (group: Group): Add<ServerOptions> => rows("server", DEFAULT_OPTIONS, group);
const limit = (group: Group): Add<ServerLimits> => rows("limits", DEFAULT_LIMITS, group);

const MOST = Number.MAX_SAFE_INTEGER;

function applicationRows(): OptionRow[] {
  const option = command("Application");
  const serve = server("Application");
  return [
    option(
      "appDir",
      "app-dir",
      kinds.optionalText("<path>", "a path"),
      "Directory that the application's path is relative to.",
      "the working directory",
    ),
    option(
      "factory",
      "factory",
      kinds.toggle,
      "The export is a function, called without arguments, that returns the application.",
    ),
    serve(
      "lifespan",
      "lifespan",
      kinds.lifespan,
      "Lifespan events: auto asks the application and goes on when it knows none.",
    ),
    serve(
      "rootPath",
      "root-path",
      kinds.pathPrefix,
      "Path that the application is mounted at behind a proxy (root_path of the scope).",
    ),
  ];
}

function addressRows(): OptionRow[] {
  const option = server("Address");
  return [
    option(
      "host",
      "host",
      kinds.text("<host>", "an address or host name"),
      "Address to listen on; 0.0.0.0 or :: for all.",
    ),
    option("port", "port", kinds.integer("<port>", ...OPTION_RANGES.port), "Port to listen on; 0 picks a free one."),
    option("uds", "uds", kinds.optionalText("<path>", "a path"), "Listen on a Unix socket instead of host and port."),
    option("udsMode", "uds-mode", kinds.octal(), "Permission bits of the Unix socket, in octal."),
    option(
      "backlog",
      "backlog",
      kinds.integer("<count>", ...OPTION_RANGES.backlog),
      "Connections that wait to be accepted.",
    ),
  ];
}

function processRows(): OptionRow[] {
  const option = command("Processes");
  const count = kinds.integer("<count>", 0, MOST);
  return [
    option(
      "workers",
      "workers",
      kinds.countOrAuto(MOST_WORKERS),
      "Processes that run the application; auto one for each core.",
    ),
    option(
      "fronts",
      "fronts",
      kinds.countOrAuto(MOST_WORKERS),
      "Server processes that share a Python application's workers; auto one for each four of them, with --pin for each core.",
    ),
    option(
      "pin",
      "pin",
      kinds.toggle,
      "Keep each front with its workers, or each process of a TypeScript application, on cores of its own. Linux only.",
    ),
    option("maxRequests", "limit-max-requests", count, "Replace a worker after this many requests; 0 never."),
    option(
      "maxRequestsJitter",
      "limit-max-requests-jitter",
      count,
      "Add up to this many requests at random, so that not all are replaced at once.",
    ),
    option(
      "maxRssBytes",
      "limit-max-rss",
      kinds.size(),
      "Replace a Python worker whose resident memory is above this; 0 never. Linux only.",
    ),
    option(
      "lifetimeMs",
      "worker-lifetime",
      kinds.seconds(),
      "Replace a Python worker that has served for this long; 0 never.",
    ),
    option(
      "exitWithParent",
      "exit-with-parent",
      kinds.optionalToggle,
      "Stop when the parent process ends.",
      "on under npm run and the like, else off",
    ),
  ];
}

const MOST_THREADS = 10_000;

function pythonRows(): OptionRow[] {
  const option = command("Python");
  return [
    option(
      "interface",
      "interface",
      kinds.choice("<name>", ["auto", "asgi", "asgi2", "wsgi"]),
      "How the application is called; auto looks at its parameters.",
    ),
    option(
      "python",
      "python",
      kinds.optionalText("<path>", "a path"),
      "Python program that runs the application.",
      "the active virtual environment's, that of .venv or venv, else python3",
    ),
    option(
      "loop",
      "loop",
      kinds.choice("<name>", ["auto", "asyncio", "uvloop"]),
      "Event loop; auto takes uvloop where the application's environment has it.",
    ),
    option(
      "threads",
      "threads",
      kinds.integer("<count>", 0, MOST_THREADS),
      "Threads of a WSGI application in each process; 0 as many as the cores suggest.",
    ),
    option(
      "logConfig",
      "log-config",
      kinds.optionalText("<path>", "a path"),
      "File that configures Python's logging: .json, .yaml or its own format.",
    ),
  ];
}

function reloadRows(): OptionRow[] {
  const option = command("Reload");
  return [
    option("reload", "reload", kinds.toggle, "Start again when a file changes; for development."),
    option(
      "reloadDirs",
      "reload-dir",
      kinds.list("<path>", "a path"),
      "Directory to watch; can be repeated.",
      "the application directory",
    ),
    option("reloadIncludes", "reload-include", kinds.globs(), "Files to watch; can be repeated."),
    option(
      "reloadExcludes",
      "reload-exclude",
      kinds.globs(),
      "Files and directories not to watch; can be repeated.",
      "names that begin with a dot, virtual environments, node_modules, dist, build and coverage are never watched",
    ),
  ];
}

function httpRows(): OptionRow[] {
  const option = server("HTTP");
  return [
    option("headers", "header", kinds.fields, "Header field added to every response that lacks it; can be repeated."),
    option("serverHeader", "server-header", kinds.toggle, "Send the Server field."),
    option("dateHeader", "date-header", kinds.toggle, "Send the Date field."),
  ];
}

function proxyRows(): OptionRow[] {
  const option = server("Proxies");
  return [
    option(
      "proxyHeaders",
      "proxy-headers",
      kinds.toggle,
      "Take the client's address and scheme from X-Forwarded-For and X-Forwarded-Proto of trusted proxies.",
    ),
    option(
      "forwardedAllowIps",
      "forwarded-allow-ips",
      networks,
      "Trusted proxies: addresses and networks with commas, or * for all.",
    ),
  ];
}

function queueRows(): OptionRow[] {
  return [
    command("Limits")(
      "queueLength",
      "limit-queue",
      kinds.integer("<count>", 0, MOST),
      "Requests that wait while all Python workers have as many as they may; above it 503.",
    ),
  ];
}

const count = (field: keyof ServerLimits): kinds.Kind<number> => kinds.integer("<count>", ...LIMIT_RANGES[field]);
const size = (field: keyof ServerLimits): kinds.Kind<number> => kinds.size(...LIMIT_RANGES[field]);

function limitRows(): OptionRow[] {
  const option = limit("Limits");
  return [
    option(
      "concurrency",
      "limit-concurrency",
      count("concurrency"),
      "Requests in flight at once, for Python in each worker; above it 503; 0 no limit.",
    ),
    option(
      "connections",
      "limit-connections",
      count("connections"),
      "Connections at once; above it 503; 0 as many as descriptors allow.",
    ),
    option(
      "requestsPerConnection",
      "limit-requests-per-connection",
      count("requestsPerConnection"),
      "Requests that one connection may make; 0 no limit.",
    ),
    option("requestLineBytes", "limit-request-line", size("requestLineBytes"), "Request line; beyond it 414."),
    option("headBytes", "limit-head", size("headBytes"), "Request line and header fields together; beyond it 431."),
    option("fieldCount", "limit-fields", count("fieldCount"), "Header fields in a request; beyond it 431."),
    option("bodyBytes", "limit-body", size("bodyBytes"), "Request body; beyond it 413; 0 no limit."),
    option(
      "bodyWatermarkBytes",
      "limit-body-buffer",
      size("bodyWatermarkBytes"),
      "Request body held for an application that does not read; reading pauses beyond it.",
    ),
    option(
      "chunkExtensionBytes",
      "limit-chunk-extension",
      size("chunkExtensionBytes"),
      "Extensions of one chunk; beyond it 400.",
    ),
    option(
      "chunkExtensionTotalBytes",
      "limit-chunk-extensions",
      size("chunkExtensionTotalBytes"),
      "Extensions of all chunks of a body; beyond it 400.",
    ),
    option("trailerBytes", "limit-trailers", size("trailerBytes"), "Trailer section of a body; beyond it 431."),
    option(
      "trailerCount",
      "limit-trailer-fields",
      count("trailerCount"),
      "Fields in a trailer section; beyond it 431.",
    ),
    option(
      "pipelinedRequests",
      "limit-pipelined",
      count("pipelinedRequests"),
      "Requests queued behind the current one of a connection; reading pauses beyond it.",
    ),
    option(
      "pipelinedBytes",
      "limit-pipelined-bytes",
      size("pipelinedBytes"),
      "Bytes queued behind the current request; reading pauses beyond it.",
    ),
    option(
      "lingerBytes",
      "limit-linger",
      size("lingerBytes"),
      "Bytes drained from a closing connection, so that its last response arrives.",
    ),
  ];
}

function timeoutRows(): OptionRow[] {
  const option = limit("Timeouts");
  const serve = server("Timeouts");
  return [
    option(
      "keepAliveTimeoutMs",
      "timeout-keep-alive",
      kinds.seconds(),
      "Close a connection that is idle for this long.",
    ),
    serve(
      "gracefulTimeoutMs",
      "timeout-graceful-shutdown",
      kinds.seconds(),
      "Requests in flight get this long when the server stops.",
    ),
    serve(
      "gracefulNoticeMs",
      "timeout-graceful-notice",
      kinds.seconds(),
      "Streaming applications hear of the disconnect this long before that deadline.",
    ),
    option(
      "headerTimeoutMs",
      "timeout-header",
      kinds.seconds(),
      "A request's head must have arrived within this; else 408.",
    ),
    command("Timeouts")(
      "workerTimeoutMs",
      "timeout-worker",
      kinds.seconds(),
      "Replace a Python worker whose event loop has not turned for this long and that uses no processor time; 0 never.",
    ),
    option("bodyTimeoutMs", "timeout-body", kinds.seconds(), "Longest pause inside a request body."),
    option(
      "writeTimeoutMs",
      "timeout-write",
      kinds.seconds(),
      "Longest time that a client may take no byte of its response.",
    ),
    option("lingerTimeoutMs", "timeout-linger", kinds.seconds(), "Longest time that a closing connection is drained."),
  ];
}

function otherRows(): OptionRow[] {
  return [
    command("Logging")(
      "logLevel",
      "log-level",
      kinds.logLevel,
      "Least severe level that is logged: critical, error, warning, info, debug or trace.",
    ),
    server("Logging")("accessLog", "access-log", kinds.toggle, "Log each request on standard output, at level info."),
    command("Environment")(
      "envFile",
      "env-file",
      kinds.optionalText("<path>", "a path"),
      "File of NAME=VALUE lines for the environment; what is set already stays.",
    ),
  ];
}

export const OPTIONS: readonly OptionRow[] = [
  ...applicationRows(),
  ...addressRows(),
  ...processRows(),
  ...pythonRows(),
  ...reloadRows(),
  ...httpRows(),
  ...webSocketRows(),
  ...proxyRows(),
  ...queueRows(),
  ...limitRows(),
  ...timeoutRows(),
  ...otherRows(),
];

/** A switch: takes no value on the command line. */
export function isSwitch(row: OptionRow): boolean {
  return row.kind.placeholder === "";
}

/** A switch that is on unless told otherwise, or decided by the server: `--no-name` exists too. */
export function hasNegation(row: OptionRow): boolean {
  return isSwitch(row) && row.shownDefault !== "off";
}
