/** A process that serves under a supervisor: obeys the message pipe, and leaves when the supervisor is gone. */
import { traceOf } from "../observe/error-text.ts";
import type { Logger } from "../observe/log.ts";
import { type ParentLink, PlainError, type Runtime, type SocketAddress } from "../runtime/types.ts";
import { asToWorker, type Bind, type FromWorker, type Handover } from "./messages.ts";
import { onStopSignals } from "./signals.ts";

/** Ctrl-C, a terminal's hang-up, and what operators send. */
const GROUP_SIGNALS = ["SIGINT", "SIGHUP", "SIGTTIN", "SIGTTOU"] as const;

/** What the worker needs of the server that it runs. */
export interface WorkerServer {
  readonly address: SocketAddress;
  /**
   * Stops gracefully; resolves when everything has ended. With `handover` other processes go on at the same address:
   * nobody may be turned away. `onClosed` is called when the address is left.
   */
  stop(handover: Handover | undefined, onClosed: () => void): Promise<void>;
  /** It is stopping, and the whole server is from now on: nobody is to stay longer than a response takes. */
  hurry(): void;
  /** Replaces the workers of a Python application, where this process is a front of one; whether they run the new code. */
  roll?(): Promise<boolean>;
  /** Changes the number of those workers. */
  resize?(workers: number): void;
}

export interface WorkerDependencies {
  readonly runtime: Pick<Runtime, "onSignal" | "now">;
  readonly logger: Logger;
  readonly link: ParentLink;
  /**
   * Loads the application and serves it.
   * @param retire to be called when the process should be replaced
   * @param workers this front's share of a Python application's workers
   * @throws PlainError when it can't
   */
  start(bind: Bind, retire: () => void, workers: number | undefined): Promise<WorkerServer>;
  /** Ends what `start` has begun, when it is to stop before that has ended. Never rejects. */
  abandon?(): Promise<void>;
}

/** The failure as the supervisor's log shows it: one sentence for a user's mistake, a stack for anything else. */
export function failureText(error: unknown): string {
  return error instanceof PlainError ? error.message : traceOf(error);
}

/** Runs until the supervisor says stop or is gone; resolves with the exit code. */
export function runWorker({ runtime, logger, link, start, abandon }: WorkerDependencies): Promise<number> {
  const send = (message: FromWorker): boolean => link.send(message);
  return new Promise((resolve) => {
    let server: WorkerServer | undefined;
    let stopping = false;

    const stop = (handover: Handover | undefined): void => {
      if (stopping) {
        if (handover === undefined) server?.hurry();
        return;
      }
      stopping = true;
      // Nothing is in flight before the server runs: only its own children are to end.
      if (server === undefined) void (abandon?.() ?? Promise.resolve()).then(() => resolve(0));
      else void finish(server, handover);
    };
    const rolled = (done: boolean): void => void send({ type: "rolled", done });
    const finish = async (running: WorkerServer, handover: Handover | undefined): Promise<void> => {
      try {
        await running.stop(handover, () => send({ type: "closed" }));
        resolve(0);
      } catch (error) {
        logger.error(failureText(error));
        resolve(1);
      }
    };
    const run = async (bind: Bind, workers: number | undefined): Promise<void> => {
      try {
        server = await start(bind, () => send({ type: "retiring" }), workers);
      } catch (error) {
        send({ type: "failed", message: failureText(error), exitCode: 1 });
        resolve(1);
        return;
      }
      send({ type: "ready", address: server.address });
    };

    // What reaches the whole process group: the supervisor decides what it means.
    for (const signal of GROUP_SIGNALS) runtime.onSignal(signal, () => {});
    onStopSignals(
      runtime,
      ["SIGTERM"],
      () => stop({ successor: undefined }),
      () => resolve(1),
    );
    link.onMessage((message) => {
      if (message === undefined) {
        if (!stopping) logger.warning("The supervisor is gone; stopping.");
        stop(undefined);
        return;
      }
      const order = asToWorker(message);
      if (order?.type === "start") void run(order.bind, order.workers);
      else if (order?.type === "roll") void (server?.roll?.() ?? Promise.resolve(true)).then(rolled);
      else if (order?.type === "resize") server?.resize?.(order.workers);
      else if (order?.type === "stop") stop(order.handover);
    });
  });
}
