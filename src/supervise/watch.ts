/** Watches files for --reload: which paths count, and one call for changes that come together. */
import { watch } from "chokidar";
import picomatch from "picomatch";

/** Editors write a file in several steps, and "save all" writes several files. */
export const DEBOUNCE_MS = 50;
/**
 * Never watched, unless an include that the user gave names the file: tool folders, and what builds write. A virtual
 * environment has thousands of files, whatever its name; most of them lie in `site-packages`.
 */
export const DEFAULT_EXCLUDES = [
  ...[".*", "node_modules", "dist", "build", "coverage", "*.swp", "*~"],
  ...["__pycache__", "venv", "site-packages"],
];

export interface WatchOptions {
  /** Absolute paths. */
  readonly directories: readonly string[];
  /** Absolute paths of single files, watched whatever the patterns say. */
  readonly files: readonly string[];
  readonly includes: readonly string[];
  /** The user's own includes win over DEFAULT_EXCLUDES. */
  readonly includesGiven: boolean;
  /** Besides DEFAULT_EXCLUDES. */
  readonly excludes: readonly string[];
}

type Match = (relativePath: string) => boolean;

/** A pattern without a slash is for the last name of a path, one with a slash for the path below the watched directory. */
function matcher(patterns: readonly string[]): Match {
  const matches = patterns.map((pattern) => {
    const isPath = pattern.includes("/");
    const name = pattern.replace(/^\.\//, "").replace(/\/$/, "");
    // The watched directory itself: nothing below it.
    if (name === "") return () => false;
    const match = picomatch(name, { dot: true });
    return (path: string) => match(isPath ? path : path.slice(path.lastIndexOf("/") + 1));
  });
  return (path) => matches.some((match) => match(path));
}

export interface PathFilter {
  /** A change of this file counts. */
  wanted(path: string): boolean;
  /** Nothing at or below this path is watched. */
  ignored(path: string, isDirectory: boolean): boolean;
}

/** What patterns and directories make of an absolute path. */
export function pathFilter(options: WatchOptions): PathFilter {
  const relative = (path: string): string | undefined => {
    const base = options.directories.find((directory) => path.startsWith(directory.replace(/\/?$/, "/")));
    return base === undefined ? undefined : path.slice(base.replace(/\/?$/, "/").length);
  };
  // An absolute pattern is one for a path below the watched directory, as its slash in front says to `matcher`.
  const ofPaths = (patterns: readonly string[]): Match =>
    matcher(patterns.map((pattern) => (relative(pattern) === undefined ? pattern : `./${relative(pattern)}`)));
  const included = ofPaths(options.includes);
  const excluded = ofPaths(options.excludes);
  const excludedByDefault = matcher(DEFAULT_EXCLUDES);
  const refused = (path: string, isDirectory: boolean): boolean => {
    if (excluded(path)) return true;
    return excludedByDefault(path) && (isDirectory || !options.includesGiven || !included(path));
  };
  return {
    wanted(path) {
      if (options.files.includes(path)) return true;
      const below = relative(path);
      return below !== undefined && included(below) && !refused(below, false);
    },
    ignored(path, isDirectory) {
      if (options.files.includes(path) || options.directories.includes(path)) return false;
      const below = relative(path);
      return below !== undefined && refused(below, isDirectory);
    },
  };
}

export interface Watcher {
  /** Settles when changes are noticed from now on. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** Gathers paths until none has come for DEBOUNCE_MS. */
export function debounce(onPaths: (paths: string[]) => void): { add(path: string): void; cancel(): void } {
  const paths = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    add(path) {
      paths.add(path);
      clearTimeout(timer);
      timer = setTimeout(() => {
        const gathered = [...paths];
        paths.clear();
        onPaths(gathered);
      }, DEBOUNCE_MS);
    },
    cancel: () => clearTimeout(timer),
  };
}

/** Calls `onChange` with the absolute paths of files that were written, added or removed; several at once together. */
export function watchFiles(
  options: WatchOptions,
  onChange: (paths: string[]) => void,
  onError: (error: unknown) => void,
): Watcher {
  const filter = pathFilter(options);
  const changes = debounce(onChange);
  const watcher = watch([...options.directories, ...options.files], {
    ignoreInitial: true,
    ignorePermissionErrors: true,
    // Without the file's kind, the path is asked about again with it.
    ignored: (path, stats) => stats !== undefined && filter.ignored(path, stats.isDirectory()),
  });
  const note = (path: string): void => {
    if (filter.wanted(path)) changes.add(path);
  };
  watcher.on("add", note).on("change", note).on("unlink", note).on("error", onError);
  return {
    ready: new Promise((resolve) => watcher.once("ready", () => resolve())),
    close: () => {
      changes.cancel();
      return watcher.close();
    },
  };
}
