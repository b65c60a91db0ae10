/** The command: reads its arguments and environment, serves, and ends the process with an exit code. */
import manifest from "../../package.json" with { type: "json" };
import { pythonTarget } from "../apps/python-target.ts";
import { createAccessLog } from "../observe/access.ts";
import { createLogger, sanitizeMessage } from "../observe/log.ts";
import { PlainError, type Runtime } from "../runtime/types.ts";
import { failureText } from "../supervise/worker.ts";
import { banner } from "./banner.ts";
import type { Config } from "./config.ts";
import { canReadAgain, exportEnvironment, mergeEnvironment, readEnvFile } from "./environment.ts";
import { parseArguments } from "./parse.ts";
import { decideProcesses, needsSupervisor, processAdvice } from "./processes.ts";
import { adviceOn, type Environment, envFileOf, resolveConfig, UsageError } from "./resolve.ts";
import { type BuiltInApp, type ServeContext, serveAlone, serveAsWorker, serveSupervised } from "./serve.ts";
import { watchAdvice } from "./watched.ts";

/** The application could not be loaded or started, the address not bound, or a second signal ended the server. */
export const EXIT_FAILURE = 1;
/** A mistake in the options, as most command-line programs have it. */
export const EXIT_USAGE = 2;
/** Width of the help when the terminal does not tell. */
const DEFAULT_COLUMNS = 100;

export interface MainOptions {
  /** The application that is served when none is named. Default: the built-in demo. */
  readonly builtIn?: BuiltInApp;
  /** What `ringcorn` exports to an application that the command line names, where the runtime can supply it. */
  readonly library?: Readonly<Record<string, unknown>>;
}

const DEMO: BuiltInApp = { title: "the built-in demo", load: () => import("../apps/demo/app.ts"), factory: false };

interface Settings {
  readonly config: Config;
  /** The variables of the environment file. */
  readonly file: Environment;
  /** The process's own, before the file's are added. */
  readonly inherited: Environment;
  readonly environment: Environment;
}

function readSettings(runtime: Runtime): Settings | { readonly text: string } {
  // First: it takes the variable that led here out of the environment, which others are given.
  runtime.parentLink();
  const inherited = { ...runtime.env() };
  const parsed = parseArguments(runtime.arguments(), {
    version: `ringcorn ${manifest.version} (${runtime.name} ${runtime.version})`,
    columns: Number(inherited.COLUMNS) || DEFAULT_COLUMNS,
    colours: wantsColours(runtime.stdoutIsTerminal, inherited),
  });
  if ("text" in parsed) return parsed;
  const envFile = envFileOf(parsed, inherited);
  const file = envFile === undefined ? {} : readEnvFile(runtime, envFile);
  const environment = mergeEnvironment(file, inherited);
  return { config: resolveConfig(parsed, environment), file, inherited, environment };
}

/** Colours on terminals only, and not where https://no-color.org or a dumb terminal forbids them. */
function wantsColours(isTerminal: boolean, environment: Environment): boolean {
  return isTerminal && !environment.NO_COLOR && environment.TERM !== "dumb";
}

/** @throws UsageError when the options don't fit the application */
async function contextOf(runtime: Runtime, settings: Settings, options: MainOptions): Promise<ServeContext> {
  const { config: asked, environment } = settings;
  const { builtIn = DEMO, library } = options;
  const colours = wantsColours(runtime.stderrIsTerminal, environment);
  const { appDir, envFile, python: program } = asked.command;
  const python = asked.app === undefined ? undefined : await pythonTarget(runtime, asked.app, appDir, program);
  const config = decideProcesses(asked, python !== undefined, runtime.cores());
  const again = envFile !== undefined && (await canReadAgain(runtime, envFile));
  if (envFile !== undefined && !again && needsSupervisor(config, python !== undefined)) {
    throw new UsageError(`Each process reads ${envFile}, which can be read only once; write it to a file.`);
  }
  const logger = createLogger((line) => runtime.writeErr(line), { level: config.command.logLevel, colours });
  return {
    runtime,
    config,
    python,
    logger,
    access: createAccessLog(runtime, wantsColours(runtime.stdoutIsTerminal, environment)),
    builtIn,
    library,
    environment: () => (again ? environmentNow(runtime, settings, envFile) : environment),
    onServing: (address) => {
      if (!logger.enabled("info")) return;
      runtime.writeErr(
        banner({ version: manifest.version, runtime, config, address, builtIn: builtIn.title, colours }),
      );
    },
  };
}

/** What processes that are started now are given: the environment file may have changed. */
function environmentNow(runtime: Runtime, { inherited, environment }: Settings, envFile: string): Environment {
  try {
    return mergeEnvironment(readEnvFile(runtime, envFile), inherited);
  } catch {
    // It is just being written, or gone: what it held is better than nothing.
    return environment;
  }
}

async function serve(runtime: Runtime, settings: Settings, options: MainOptions): Promise<number> {
  let context: ServeContext;
  try {
    context = await contextOf(runtime, settings, options);
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    return usageFailed(runtime, error);
  }
  const { config } = context;
  const isPython = context.python !== undefined;
  const link = runtime.parentLink();
  const supervised = link === undefined && needsSupervisor(config, isPython);
  // A supervisor's own environment stays as it was: its workers inherit it, and read the file themselves.
  if (!supervised) exportEnvironment(settings.file, runtime.env());
  if (link === undefined)
    for (const advice of [
      ...adviceOn(config, settings.environment),
      ...processAdvice(settings.config, isPython),
      ...watchAdvice(runtime, config),
    ])
      context.logger.warning(advice);
  try {
    if (link !== undefined) return await serveAsWorker(context, link);
    if (supervised) return await serveSupervised(context, runtime.arguments());
    return await serveAlone(context);
  } catch (error) {
    context.logger.critical(failureText(error));
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
  } finally {
    context.access.flush();
  }
}

/** Tells a mistake in the options: a worker's supervisor, which logs it, or the user. */
function usageFailed(runtime: Runtime, error: unknown): number {
  const exitCode = error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
  const link = runtime.parentLink();
  if (link !== undefined) link.send({ type: "failed", message: failureText(error), exitCode });
  else runtime.writeErr(`Error: ${sanitizeMessage(failureText(error))}\n`);
  return exitCode;
}

/** Runs the command line of this process, and ends the process. */
export async function main(runtime: Runtime, options: MainOptions = {}): Promise<never> {
  let settings: Settings | { readonly text: string };
  try {
    settings = readSettings(runtime);
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    return runtime.exit(usageFailed(runtime, error));
  }
  if ("text" in settings) {
    runtime.writeOut(settings.text);
    return runtime.exit(0);
  }
  return runtime.exit(await serve(runtime, settings, options));
}
