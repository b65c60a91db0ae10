/** Tasks for the end of a turn of the event loop: one `setImmediate` for all of them, since it costs up to 2 µs. */
import { setImmediate } from "node:timers";

let waiting: (() => void)[] = [];
/** The array that `run` has emptied, kept for the next turn. */
let spare: (() => void)[] = [];

/** See `Runtime.defer`. A task deferred by a task runs a turn later. */
export function defer(task: () => void): void {
  if (waiting.length === 0) setImmediate(run);
  waiting.push(task);
}

function run(): void {
  const tasks = waiting;
  waiting = spare;
  for (let i = 0; i < tasks.length; i++) {
    try {
      tasks[i]!();
    } catch (error) {
      // The others are not to blame: as uncaught as if it had been alone, but after them.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
  tasks.length = 0;
  spare = tasks;
}
