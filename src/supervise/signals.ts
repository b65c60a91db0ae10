/** SIGINT and SIGTERM: the first one stops gracefully, another one at once. */
import type { Runtime, SignalName } from "../runtime/types.ts";

/**
 * A signal that follows the first one so closely is the same one: a terminal's Ctrl-C reaches the whole process group,
 * and script runners and `timeout` pass it on besides. A person's second Ctrl-C takes longer.
 */
export const SAME_SIGNAL_MS = 250;

export const STOPPING = "Stopping; a second signal stops at once.";

/**
 * Listens for signals that end the process.
 * @returns the function that ends the listening
 */
export function onStopSignals(
  runtime: Pick<Runtime, "onSignal" | "now">,
  signals: readonly SignalName[],
  onStop: (signal: SignalName) => void,
  onStopNow: () => void,
): () => void {
  let firstAt: number | undefined;
  const undo = signals.map((signal) =>
    runtime.onSignal(signal, () => {
      if (firstAt === undefined) {
        firstAt = runtime.now();
        onStop(signal);
      } else if (runtime.now() - firstAt > SAME_SIGNAL_MS) onStopNow();
    }),
  );
  return () => {
    for (const end of undo) end();
  };
}
