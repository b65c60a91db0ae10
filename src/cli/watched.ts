/** What --reload watches. */
import { splitTarget } from "../apps/load.ts";
import type { Runtime } from "../runtime/types.ts";
import type { WatchOptions } from "../supervise/watch.ts";
import { type Config, DEFAULT_COMMAND } from "./config.ts";

/** Directories to watch: as given, else the application directory, and the application's own where that is elsewhere. */
function watchedDirectories(runtime: Runtime, config: Config): string[] {
  const { appDir, reloadDirs } = config.command;
  if (reloadDirs.length > 0) return reloadDirs.map((directory) => runtime.resolvePath(directory));
  const base = runtime.resolvePath(appDir ?? ".");
  if (config.app === undefined) return [base];
  const folder = runtime.resolvePath(base, splitTarget(config.app).path, "..");
  return folder === base || folder.startsWith(base.replace(/\/?$/, "/")) ? [base] : [base, folder];
}

/** Patterns and paths, from the options. */
export function watchOptions(runtime: Runtime, config: Config): WatchOptions {
  const { reloadIncludes, reloadExcludes, envFile } = config.command;
  return {
    directories: watchedDirectories(runtime, config),
    files: envFile === undefined ? [] : [runtime.resolvePath(envFile)],
    includes: reloadIncludes,
    includesGiven: reloadIncludes !== DEFAULT_COMMAND.reloadIncludes,
    excludes: reloadExcludes,
  };
}

/** What is probably a mistake in the directories; one sentence each. */
export function watchAdvice(runtime: Pick<Runtime, "fileExists" | "resolvePath">, { command }: Config): string[] {
  if (!command.reload) return [];
  const missing = command.reloadDirs.filter((directory) => !runtime.fileExists(runtime.resolvePath(directory)));
  return missing.map((directory) => `There is no directory ${directory} to watch; check --reload-dir.`);
}
