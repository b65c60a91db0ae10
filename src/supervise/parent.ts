/** Leaving with the parent: `npm run` passes no SIGTERM on, so the server would stay behind when its wrapper is killed. */
import type { Runtime } from "../runtime/types.ts";

/** How long an orphan may live on. */
export const PARENT_POLL_MS = 1_000;
/** The system's first process: the parent of services, and of processes whose parent has died. */
const INIT_PID = 1;

export const PARENT_GONE = "The parent process has ended; stopping.";

/** Whether to watch the parent: as told, else where a package manager's script runner stands between user and server. */
export function wantsParentWatch(told: boolean | undefined, environment: Readonly<Record<string, string | undefined>>) {
  return told ?? environment.npm_lifecycle_event !== undefined;
}

/**
 * Calls `onGone` once when the parent process changes. Nothing is watched when the parent is the system's first process
 * from the start. Returns the function that ends the watch.
 */
export function watchParent(runtime: Pick<Runtime, "parentPid">, onGone: () => void): () => void {
  const parent = runtime.parentPid();
  if (parent <= INIT_PID) return () => {};
  const timer = setInterval(() => {
    if (runtime.parentPid() === parent) return;
    clearInterval(timer);
    onGone();
  }, PARENT_POLL_MS);
  return () => clearInterval(timer);
}
