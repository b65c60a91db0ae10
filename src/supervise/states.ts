/**
 * The states of a worker process as the supervisor sees them, and what each event makes of them. An event that a
 * state's row lacks changes nothing: messages may cross on the pipe.
 */

export type WorkerState =
  /** Loading and starting the application, binding the address. */
  | "starting"
  | "serving"
  /** Serving still, and waiting for its replacement. */
  | "retiring"
  /** Told to stop; finishing what is in flight. */
  | "stopping"
  /** It said that it can't start; its exit follows. */
  | "failing"
  | "gone";

export type WorkerEvent = "ready" | "failed" | "retiring" | "stop" | "exit";

export const WORKER_TRANSITIONS: Readonly<Record<WorkerState, Partial<Record<WorkerEvent, WorkerState>>>> = {
  starting: { ready: "serving", failed: "failing", stop: "stopping", exit: "gone" },
  serving: { retiring: "retiring", stop: "stopping", exit: "gone" },
  retiring: { stop: "stopping", exit: "gone" },
  stopping: { exit: "gone" },
  failing: { exit: "gone" },
  gone: {},
};

/** The state after an event; undefined when the event has no meaning in this state. */
export function nextState(state: WorkerState, event: WorkerEvent): WorkerState | undefined {
  return WORKER_TRANSITIONS[state][event];
}

export type FleetPhase =
  /** The first worker starts alone: its failure is the user's to see once, and it may pick the port. */
  | "starting"
  /** With --reload: the first worker failed, and the next change tries again. */
  | "waiting"
  | "running"
  | "stopping"
  | "finished";

export type FleetEvent = "firstReady" | "firstFailed" | "change" | "stop" | "lastGone";

/** Phases of the whole; `firstFailed` without --reload goes to "finished" by way of the caller. */
export const FLEET_TRANSITIONS: Readonly<Record<FleetPhase, Partial<Record<FleetEvent, FleetPhase>>>> = {
  starting: { firstReady: "running", firstFailed: "waiting", stop: "stopping", lastGone: "finished" },
  waiting: { change: "starting", stop: "stopping", lastGone: "finished" },
  running: { stop: "stopping" },
  stopping: { lastGone: "finished" },
  finished: {},
};
