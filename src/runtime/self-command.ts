/** The runtime's own options of this process, for the workers that it starts: what it imports by, preloads or may do. */
import { readFileSync } from "node:fs";

/** A debugger listens at one port, and a watcher would start its process again beside the supervisor. */
const OF_ONE_PROCESS = /^--(?:inspect|watch|hot)\b/;
/** Linux's, proc(5): each word ends with NUL. */
const COMMAND_FILE = "/proc/self/cmdline";

/** Those that every process may have, besides `given`. */
export function sharedOptions(options: readonly string[], given: readonly string[]): string[] {
  return options.filter((option) => !OF_ONE_PROCESS.test(option) && !given.includes(option));
}

/**
 * What stands between the program and its arguments, for a runtime that does not tell: `run`, options and the module.
 * @returns undefined where the system does not show it, or this process was not started by `run`
 */
export function ownWords(args: readonly string[]): string[] | undefined {
  let words: string[];
  try {
    words = readFileSync(COMMAND_FILE, "utf8").split("\0").slice(1, -1);
  } catch {
    return undefined;
  }
  const own = words.slice(0, words.length - args.length);
  const isOwn = args.every((argument, i) => argument === words[own.length + i]);
  const [first = ""] = own;
  const runs = first === "run" || first.startsWith("-") || own.length === 1;
  return isOwn && runs ? own : undefined;
}
