/**
 * How the programs of bench/ run: a mistake of the user's is one line and status 2, not a trace, and a signal leaves nothing
 * running behind.
 */
import { type SpawnOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { exit, stderr, stdout } from "node:process";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { PlainError } from "../src/runtime/types.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const SIGNALLED = 128;

/** Leaves on a signal, so that what hangs on "exit" is done; a program that listens itself decides itself. */
function leaveOnSignals(): void {
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (process.listenerCount(name) === 1) exit(SIGNALLED + constants.signals[name]);
    });
  }
}

function isMistake(error: unknown): error is Error {
  return error instanceof PlainError || ((error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ?? false);
}

/** Runs `main` and leaves with the status it returns; where it returns none, when nothing is under way any more. */
export async function runProgram(main: () => Promise<number> | Promise<void>): Promise<void> {
  leaveOnSignals();
  try {
    const status = await main();
    if (status !== undefined) exit(status);
  } catch (error) {
    if (!isMistake(error)) throw error;
    stderr.write(`${error.message}\n`);
    exit(2);
  }
}

/** The options of a program that is no function: it ends here when they are wrong, or `--help` is among them. */
export function parsedOrLeave<Config extends ParseArgsConfig>(
  config: Config,
  help: string,
): ReturnType<typeof parseArgs<Config>> {
  leaveOnSignals();
  if (config.args?.some((arg) => arg === "--help" || arg === "-h")) {
    stdout.write(help);
    exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    if (!isMistake(error)) throw error;
    stderr.write(`${error.message}\n`);
    exit(2);
  }
}

/**
 * Runs a program to its end; a signal to this one is handed on, and waited for.
 * @returns its status
 * @throws PlainError when a signal came
 */
export async function runChild(command: readonly string[], options: SpawnOptions): Promise<number | null> {
  let signalled = false;
  const child = spawn(command[0], command.slice(1), options);
  const hand = () => {
    signalled = true;
    child.kill("SIGTERM");
  };
  for (const name of SIGNALS) process.on(name, hand);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (signalled) throw new PlainError("It was interrupted, and says nothing.");
    return status;
  } finally {
    for (const name of SIGNALS) process.off(name, hand);
  }
}

/** A whole number from 1. @throws PlainError for another text */
export function positive(name: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new PlainError(`--${name} takes a whole number from 1, not "${text}".`);
  return Number(text);
}
