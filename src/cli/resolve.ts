/** From the texts that the command line and the environment give to a typed configuration. */
import { nearest } from "../apps/nearest.ts";
import { PlainError } from "../runtime/types.ts";
import { DEFAULT_LIMITS } from "../server/options.ts";
import { type Config, DEFAULT_CONFIG } from "./config.ts";
import { OPTIONS, type OptionRow, type Section, variableOf } from "./options.ts";
import { ValueError } from "./values.ts";

/** A mistake in the command line or in a variable. The process ends with EXIT_USAGE. */
export class UsageError extends PlainError {}

/** Texts by option name (switches: "on" or "off"), and the application when it is given. */
export interface Given {
  readonly app: string | undefined;
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** As many characters of a wrong value as a message repeats. */
const SHOWN_VALUE_CHARACTERS = 60;

function quoted(text: string): string {
  const shown = text.length > SHOWN_VALUE_CHARACTERS ? `${text.slice(0, SHOWN_VALUE_CHARACTERS)}…` : text;
  return JSON.stringify(shown);
}

function parseValue(row: OptionRow, texts: readonly string[], source: string): unknown {
  try {
    return row.kind.parse(texts);
  } catch (error) {
    if (error instanceof ValueError) {
      throw new UsageError(`${source} must be ${error.message}; it is ${quoted(texts.join(","))}.`);
    }
    throw error;
  }
}

/** The variable's value; one that is set but empty counts as not set. */
function variable(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === "" ? undefined : value;
}

/** Command line before environment; undefined when neither has the option. */
function givenValue(row: OptionRow, given: Given, environment: Environment): { value: unknown } | undefined {
  const texts = given.flags.get(row.name);
  if (texts !== undefined) return { value: parseValue(row, texts, `--${row.name}`) };
  const name = variableOf(row.name);
  const text = variable(environment, name);
  if (text === undefined) return undefined;
  return { value: parseValue(row, row.kind.split(text), name) };
}

/** Path of the file to read variables from, which the file itself can't name. */
export function envFileOf(given: Given, environment: Environment): string | undefined {
  const row = OPTIONS.find(({ name }) => name === "env-file")!;
  return givenValue(row, given, environment)?.value as string | undefined;
}

/**
 * The configuration: command line before environment before defaults.
 * @throws UsageError
 */
export function resolveConfig(given: Given, environment: Environment): Config {
  if (given.app === "") throw new UsageError("The application must be a path or a Python module, not empty.");
  const parts: Record<Section, Record<string, unknown>> = { command: {}, server: {}, limits: {} };
  for (const row of OPTIONS) {
    const found = givenValue(row, given, environment);
    if (found !== undefined) parts[row.section][row.field] = found.value;
  }
  const config: Config = {
    app: given.app ?? variable(environment, "RINGCORN_APP"),
    command: { ...DEFAULT_CONFIG.command, ...parts.command },
    server: { ...DEFAULT_CONFIG.server, ...parts.server, limits: { ...DEFAULT_LIMITS, ...parts.limits } },
  };
  checkTogether(config);
  return config;
}

function checkTogether(config: Config): void {
  const { command, server } = config;
  if (command.maxRequestsJitter > 0 && command.maxRequests === 0) {
    throw new UsageError("--limit-max-requests-jitter has a meaning only with --limit-max-requests.");
  }
  if (server.limits.requestLineBytes > server.limits.headBytes) {
    throw new UsageError("--limit-head must not be less than --limit-request-line: the head begins with that line.");
  }
}

/** What is probably a mistake but harmless; one sentence each. */
export function adviceOn(config: Config, environment: Environment): string[] {
  const advice: string[] = [];
  const { command } = config;
  const reloadLists = [command.reloadDirs, command.reloadExcludes];
  const includesChanged = command.reloadIncludes !== DEFAULT_CONFIG.command.reloadIncludes;
  if (!command.reload && (includesChanged || reloadLists.some((list) => list.length > 0))) {
    advice.push("--reload-dir, --reload-include and --reload-exclude have no effect without --reload.");
  }
  if (config.server.uds === undefined && config.server.udsMode !== DEFAULT_CONFIG.server.udsMode) {
    advice.push("--uds-mode has no effect without --uds.");
  }
  const known = [...OPTIONS.map(({ name }) => variableOf(name)), "RINGCORN_APP"];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith("RINGCORN_") || known.includes(name)) continue;
    const meant = nearest(name, known);
    if (meant !== undefined) advice.push(`${name} is no option's variable; did you mean ${meant}?`);
  }
  return advice;
}
