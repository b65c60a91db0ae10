/** Ringcorn as a library: `serve` an ASGI application, and the types to write one. */
import type { Application } from "./asgi/types.ts";
import { createAccessLog } from "./observe/access.ts";
import { createLogger, type Logger, type LogLevel } from "./observe/log.ts";
import { currentRuntime } from "./runtime/current.ts";
import { DEFAULT_LIMITS, DEFAULT_OPTIONS, type ServerLimits, type ServerOptions } from "./server/options.ts";
import { checkRanges } from "./server/ranges.ts";
import { type ServerHandle, startServer } from "./server/server.ts";

export { ClientDisconnected, ProtocolViolation } from "./asgi/errors.ts";
export type { HeaderList } from "./asgi/headers.ts";
export type * from "./asgi/types.ts";
export { LOG_LEVELS, type Logger, type LogLevel } from "./observe/log.ts";
export { PlainError, type SocketAddress } from "./runtime/types.ts";
export {
  DEFAULT_LIMITS,
  DEFAULT_OPTIONS,
  type LifespanMode,
  type ServerLimits,
  type ServerOptions,
} from "./server/options.ts";
export type { ServerHandle } from "./server/server.ts";

/** Options of `serve`; what is left out has its default. */
export interface ServeOptions extends Partial<Omit<ServerOptions, "limits">> {
  readonly limits?: Partial<ServerLimits>;
  /** Default "info". */
  readonly logLevel?: LogLevel;
  /** Takes the server's messages instead of standard error. */
  readonly logger?: Logger;
  /** SIGINT and SIGTERM stop the server gracefully. Default false: the program decides. */
  readonly signals?: boolean;
}

/**
 * Serves an application from this process until `stop()`.
 *
 * @returns once lifespan startup has succeeded and the address is bound
 * @throws PlainError when either fails, or a number among the options is out of its range
 */
export async function serve(app: Application, options: ServeOptions = {}): Promise<ServerHandle> {
  const runtime = await currentRuntime();
  const { limits, logLevel, logger: ownLogger, signals, ...rest } = options;
  const logger =
    ownLogger ??
    createLogger((line) => runtime.writeErr(line), { level: logLevel ?? "info", colours: runtime.stderrIsTerminal });
  const access = createAccessLog(runtime, runtime.stdoutIsTerminal);
  const full: ServerOptions = { ...withDefaults(DEFAULT_OPTIONS, rest), limits: withDefaults(DEFAULT_LIMITS, limits) };
  checkRanges(full);
  const handle = await startServer(app, full, { runtime, logger, access });
  if (signals === true) {
    const releases = (["SIGINT", "SIGTERM"] as const).map((signal) =>
      runtime.onSignal(signal, () => void handle.stop()),
    );
    handle.stopped.then(() => {
      for (const release of releases) release();
    });
  }
  handle.stopped.then(() => access.flush());
  return handle;
}

/** `given` over `defaults`; what is undefined counts as left out. */
function withDefaults<T extends object>(defaults: T, given: Partial<T> = {}): T {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(set) };
}
