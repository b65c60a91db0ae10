/**
 * Cores for the processes of a supervisor (`--pin`): each place has its own, and what is started there inherits them, so
 * that a front and its workers stay on one core while they hand requests to each other. Linux, by taskset(1).
 */
import { PlainError, type Runtime } from "../runtime/types.ts";

const STATUS_FILE = "/proc/self/status";
const PROGRAM = "taskset";

export type PinningRuntime = Pick<Runtime, "readTextFile" | "fileExists" | "env">;

/** The numbers in a list such as `0-3,8`, as Linux writes sets of cores. */
export function parseCoreList(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/**
 * The cores of each of so many places: neighbours, which share caches, in numbers as even as can be; taken again where they
 * are fewer than places.
 */
export function coreSets(cores: readonly number[], places: number): number[][] {
  const sets = Math.min(cores.length, places);
  const setOf = (i: number) => Math.floor((i * sets) / cores.length);
  return Array.from({ length: places }, (_, place) => cores.filter((_core, i) => setOf(i) === place % sets));
}

function allowedCores(runtime: PinningRuntime): number[] {
  let status = "";
  try {
    status = runtime.readTextFile(STATUS_FILE);
  } catch {
    // Another system: told below.
  }
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
  if (list === undefined) throw new PlainError("--pin works on Linux only; leave it out here.");
  return parseCoreList(list);
}

function hasProgram(runtime: PinningRuntime): boolean {
  const { PATH = "" } = runtime.env();
  return PATH.split(":").some((directory) => directory !== "" && runtime.fileExists(`${directory}/${PROGRAM}`));
}

/**
 * What stands before the command of a process, by its place; places beyond `places` begin anew.
 * @throws PlainError when cores can't be given here
 */
export function pinning(runtime: PinningRuntime, places: number): (place: number) => readonly string[] {
  const sets = coreSets(allowedCores(runtime), places);
  if (!hasProgram(runtime)) {
    throw new PlainError("--pin needs the program taskset; install it (package util-linux), or leave --pin out.");
  }
  return (place) => [PROGRAM, "-c", sets[place % sets.length].join(",")];
}
