/**
 * Results on disk. They are the fruit of hours: one is never replaced by half of another, and a disk that is full costs the
 * file, not the run.
 */
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { PlainError } from "../src/runtime/types.ts";
import type { BenchResult } from "./load/types.ts";

/** The text of a file, or of one that is compressed: a whole run's samples are a megabyte. */
function contentOf(path: string): string {
  const bytes = readFileSync(path);
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** @throws PlainError when the file holds none */
export function readResult(path: string): BenchResult {
  let found: Partial<BenchResult> | null;
  try {
    found = JSON.parse(contentOf(path)) as Partial<BenchResult> | null;
  } catch {
    found = null;
  }
  if (found?.machine !== undefined && found.http !== undefined && Array.isArray(found.notes))
    return found as BenchResult;
  throw new PlainError(`${path} holds no result: run "npm run bench" first, or name a JSON file that --json wrote.`);
}

export function textOf(result: BenchResult): string {
  return `${JSON.stringify(result, null, 1)}\n`;
}

/** Writes a file wholly or not at all; what is no usual file (`/dev/stdout`, a link) is written to as it is. */
export function writeWhole(path: string, text: string): void {
  if (existsSync(path) && !lstatSync(path).isFile()) {
    writeFileSync(path, text);
    return;
  }
  const made = `${path}.${process.pid}`;
  try {
    writeFileSync(made, text);
    renameSync(made, path);
  } catch (error) {
    if (existsSync(made) && lstatSync(made).isFile()) rmSync(made);
    throw error;
  }
}

/** Where a run's files go, for options that are read hours before. @throws PlainError when there is no such folder */
export function checkFolderOf(option: string, path: string | undefined): void {
  if (path === undefined || existsSync(dirname(path))) return;
  throw new PlainError(`--${option} names ${path}, and there is no folder ${dirname(path)}.`);
}

/** Writes all of them; what can't be written is told, and the rest is. @returns how many there were of those */
export function writeAll(
  files: readonly (readonly [path: string, text: string])[],
  tell: (line: string) => void,
): number {
  let failed = 0;
  for (const [path, text] of files) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeWhole(path, text);
    } catch (error) {
      failed++;
      tell(`${path} could not be written: ${(error as Error).message}.`);
    }
  }
  return failed;
}

/** The name of a run's files below `directory`, without their ending. */
export function datedName(directory: string, { startedAt }: Pick<BenchResult, "startedAt">): string {
  return join(directory, startedAt.replaceAll(":", "-").slice(0, 19));
}
