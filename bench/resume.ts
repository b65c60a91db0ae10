/**
 * A run that was interrupted, or whose machine went down, goes on: `npm run bench -- --resume`. What is done stays; a suite
 * that was being run begins anew.
 */
import { PlainError } from "../src/runtime/types.ts";
import { serversOf } from "./load/row-groups.ts";
import { parseVariant } from "./load/row-servers.ts";
import { SOCKET_IDLE_SUITES, type SocketIdleSuite } from "./load/socket-idle.ts";
import type { BenchResult } from "./load/types.ts";

/** The suites among `names` that have still to be run. */
export function suitesLeft(names: readonly string[], result: Pick<BenchResult, "done">): string[] {
  return names.filter((name) => result.done?.includes(name) !== true);
}

/** @throws PlainError when more is given than `--resume` and a file: it would have no effect */
export function checkAlone(args: readonly string[]): void {
  if (
    args.filter((arg) => arg !== "--resume").length <= 1 &&
    args.every((arg) => arg === "--resume" || !arg.startsWith("-"))
  ) {
    return;
  }
  throw new PlainError("--resume goes on with the options of its run: give no others.");
}

/**
 * The arguments of the run that wrote `result`.
 * @param revision that of this tree: figures of two trees don't belong into one report
 * @throws PlainError when it can't go on
 */
export function argumentsOf(result: BenchResult, revision: string): readonly string[] {
  const { args, complete, machine } = result;
  if (args === undefined) throw new PlainError("That result does not say how it was begun: begin anew.");
  if (complete) throw new PlainError("That run is complete: there is nothing to go on with.");
  const measured = machine.versions.ringcorn;
  if (measured === revision) return args;
  throw new PlainError(
    `That run measured ringcorn ${measured}, and this is ${revision}: check that out, or begin anew.`,
  );
}

/** Takes out what suites that are not done have left, so that they begin anew. Returns the result. */
export function withoutLoose(result: BenchResult, left: readonly string[]): BenchResult {
  for (const row of Object.keys(result.http)) if (left.includes(row.replace(/@\d+$/, ""))) delete result.http[row];
  if (left.includes("idle")) result.idle = {};
  if (left.includes("memory")) result.memory = {};
  const sockets = (Object.keys(SOCKET_IDLE_SUITES) as SocketIdleSuite[]).filter((suite) => left.includes(suite));
  const all = { names: undefined, against: undefined };
  const loose = sockets.flatMap((suite) => serversOf(SOCKET_IDLE_SUITES[suite], all).map(({ id }) => id));
  for (const name of Object.keys(result.idleSockets ?? {})) {
    if (loose.includes(parseVariant(name).id)) delete result.idleSockets?.[name];
  }
  return result;
}
