/**
 * Processes that are groups of their own, so that Ctrl-C is the suite's to handle: none of them outlives it.
 */
import type { ChildProcess } from "node:child_process";

const running = new Set<ChildProcess>();
let watching = false;

function killQuietly(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

/** Ends the process, and what it has started, when this one leaves with it still running. @returns the same child */
export function endWithUs<Child extends ChildProcess>(child: Child): Child {
  if (!watching) {
    watching = true;
    process.on("exit", () => {
      for (const each of running) killQuietly(each);
    });
  }
  running.add(child);
  child.once("close", () => running.delete(child));
  return child;
}
