/**
 * The programs the suite starts: runtimes and load generators, where they are, and which version.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PlainError } from "../../src/runtime/types.ts";
import { cacheDirectory } from "./cache.ts";

/** The project's root directory, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A command as results show it: what lies in the tree, the cache or the temporary folder is named from there, wherever that lies. */
export function shown(command: string): string {
  return command
    .replaceAll(ROOT, "$TREE/")
    .replaceAll(`${cacheDirectory()}/`, "$CACHE/")
    .replaceAll(`${tmpdir()}/`, "$TMPDIR/");
}

export type ProgramName = "bun" | "deno" | "node" | "wrk" | "autocannon" | "oha" | "h2load";

const VERSION_FLAG: Record<ProgramName, string> = {
  bun: "--version",
  deno: "--version",
  node: "--version",
  wrk: "-v",
  autocannon: "--version",
  oha: "--version",
  h2load: "--version",
};

let found: Partial<Record<ProgramName, string>> | undefined;

function which(name: string): string | undefined {
  const places = [join(ROOT, "node_modules/.bin"), ...(process.env.PATH ?? "").split(delimiter)];
  for (const place of places) {
    const path = join(place, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next place may have it.
    }
  }
  return undefined;
}

/** Paths of the programs that are installed. The project's own copies come before those on the PATH. */
export function programs(): Partial<Record<ProgramName, string>> {
  if (found !== undefined) return found;
  found = {};
  for (const name of Object.keys(VERSION_FLAG) as ProgramName[]) {
    const path = which(name);
    if (path !== undefined) found[name] = path;
  }
  return found;
}

/** A program that the suite has fetched itself. */
export function addProgram(name: ProgramName, path: string): void {
  found = { ...programs(), [name]: path };
}

/** @throws PlainError when it is not installed. */
export function program(name: ProgramName): string {
  const path = programs()[name];
  if (path === undefined) throw new PlainError(`${name} was not found: run "npm ci" or install it.`);
  return path;
}

/** The first thing that looks like a version in what a program prints about itself. */
export function parseVersion(text: string): string | undefined {
  return /\d+\.\d+(?:\.\d+)?(?:-[\w.+]+)?/.exec(text)?.[0];
}

export function version(name: ProgramName): string | undefined {
  const path = programs()[name];
  if (path === undefined) return undefined;
  try {
    return parseVersion(
      execFileSync(path, [VERSION_FLAG[name]], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
    );
  } catch (error) {
    // wrk prints its version and exits with 1.
    const text = (error as { stdout?: string }).stdout ?? "";
    return parseVersion(text);
  }
}
