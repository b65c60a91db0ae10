/**
 * Where the suite keeps what it installs: the user's cache, outside the tree (XDG Base Directory Specification).
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** A relative XDG_CACHE_HOME counts as not set, as the specification asks. */
export function cacheDirectory(
  env: Readonly<Record<string, string | undefined>> = process.env,
  home = homedir(),
): string {
  const set = env.XDG_CACHE_HOME;
  const base = set !== undefined && isAbsolute(set) ? set : join(home, ".cache");
  return join(base, "ringcorn-bench");
}

/** Short name of a text: another list of versions is another folder. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

/** A file of `size` bytes in the cache, made when it is not there. */
export function cachedFile(name: string, size: number, fill: string): string {
  const directory = cacheDirectory();
  const path = join(directory, name);
  mkdirSync(directory, { recursive: true });
  if (existsSync(path) && readFileSync(path).length === size) return path;
  // Another run may be reading it.
  const made = `${path}.${process.pid}`;
  writeFileSync(made, Buffer.alloc(size, fill));
  renameSync(made, path);
  return path;
}
