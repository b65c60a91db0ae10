/** Where the worker's Python modules are: files beside this one, or, in an executable, texts within it. */

/**
 * The modules' texts by file name; undefined: they are files. The build of an executable puts a module with all of them in
 * this one's place (scripts/build/program.ts).
 */
export const WORKER_SOURCES: Readonly<Record<string, string>> | undefined = undefined;
