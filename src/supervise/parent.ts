/**
 * Leaving with the parent: `npm run` passes no SIGTERM on, so the server would stay behind when its wrapper is killed.
 * Script runners put a shell between themselves and the server, which outlives a killed runner: where the system shows
 * the shell's own parent (Linux's /proc), that one is watched too.
 */
import type { Runtime } from "../runtime/types.ts";

/** How long an orphan may live on. */
export const PARENT_POLL_MS = 1_000;
/** The system's first process: the parent of services, and of processes whose parent has died. */
const INIT_PID = 1;
const SHELLS = ["sh", "bash", "dash", "ash", "busybox", "zsh", "ksh"];

export const PARENT_GONE = "The parent process has ended; stopping.";

type ParentRuntime = Pick<Runtime, "parentPid" | "readTextFile">;

/** Whether to watch the parent: as told, else where a package manager's script runner stands between user and server. */
export function wantsParentWatch(
  told: boolean | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const { npm_lifecycle_event: script, npm_config_user_agent: agent } = environment;
  // `deno task` names no script, but itself.
  return told ?? (script !== undefined || agent?.startsWith("deno/") === true);
}

/** The parent of a shell; undefined for anything else, and where the system does not tell. */
function parentOfShell(runtime: ParentRuntime, pid: number): number | undefined {
  try {
    // "4711 (sh) S 4710 ...", proc(5): the name may hold spaces and parentheses.
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+) /s.exec(runtime.readTextFile(`/proc/${pid}/stat`)) ?? [];
    return SHELLS.includes(name) ? Number(parent) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Calls `onGone` once when the parent process changes. Nothing is watched when the parent is the system's first process
 * from the start. Returns the function that ends the watch.
 */
export function watchParent(runtime: ParentRuntime, onGone: () => void): () => void {
  const parent = runtime.parentPid();
  if (parent <= INIT_PID) return () => {};
  const runner = parentOfShell(runtime, parent);
  const watchesRunner = runner !== undefined && runner > INIT_PID;
  const timer = setInterval(() => {
    const stays = runtime.parentPid() === parent;
    if (stays && (!watchesRunner || parentOfShell(runtime, parent) === runner)) return;
    clearInterval(timer);
    onGone();
  }, PARENT_POLL_MS);
  return () => clearInterval(timer);
}
