/** The file of `--env-file`: read with dotenv's rules on both runtimes, since each has rules of its own. */
import { parse } from "dotenv";
import type { Runtime } from "../runtime/types.ts";
import { type Environment, UsageError } from "./resolve.ts";

/**
 * Reads a file of NAME=VALUE lines.
 * @throws UsageError when it can't be read, or is no text
 */
export function readEnvFile(runtime: Pick<Runtime, "readTextFile" | "resolvePath">, path: string): Environment {
  let text: string;
  try {
    text = runtime.readTextFile(runtime.resolvePath(path));
  } catch {
    throw new UsageError(`The environment file ${path} can't be read; check its path and permissions.`);
  }
  // Also what UTF-16 is full of, in which no variable would be found.
  if (text.includes("\0")) {
    throw new UsageError(`The environment file ${path} has NUL characters; save it as text in UTF-8.`);
  }
  return parse(text);
}

/** Whether the file is there to be read again. A pipe, such as that of a shell's `<(command)`, gives its text once. */
export async function canReadAgain(runtime: Pick<Runtime, "openFile" | "resolvePath">, path: string): Promise<boolean> {
  try {
    (await runtime.openFile(runtime.resolvePath(path))).close();
    return true;
  } catch {
    return false;
  }
}

/** The file's variables with those of the process, which win, also when they are empty. */
export function mergeEnvironment(file: Environment, inherited: Environment): Environment {
  const merged: Record<string, string | undefined> = { ...file };
  for (const [name, value] of Object.entries(inherited)) if (value !== undefined) merged[name] = value;
  return merged;
}

/** Sets the file's variables in the running environment where they are not set: the application sees them. */
export function exportEnvironment(file: Environment, environment: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(file)) if (environment[name] === undefined) environment[name] = value;
}
