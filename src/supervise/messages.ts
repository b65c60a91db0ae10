/** What supervisor and workers tell each other: one JSON document per line on the message pipe. */
import type { SocketAddress } from "../runtime/types.ts";

/** Where a worker listens: decided by the supervisor, so that all workers share it. */
export interface Bind {
  readonly host: string;
  readonly port: number;
  readonly reusePort: boolean;
  /** Others share the port already, and this one replaces none of them. */
  readonly joins: boolean;
  /** Take over a Unix socket that the predecessor still serves. */
  readonly replaceLive: boolean;
}

/** Others go on serving at a stopping worker's address, so that nobody may be turned away. */
export interface Handover {
  /**
   * Place of the newest listener, the successor's, in the kernel's list of those that share the port; undefined when
   * there is no successor. Should the list have become shorter meanwhile, no listener has this place, which is harmless.
   */
  readonly successor: number | undefined;
}

/** From the supervisor. */
export type ToWorker =
  /** The first message: load the application and listen. */
  | { readonly type: "start"; readonly bind: Bind; readonly workers?: number }
  /** A front of a Python application: replace your workers one by one. It answers `rolled`. */
  | { readonly type: "roll" }
  /** A front of a Python application: have so many workers from now on. */
  | { readonly type: "resize"; readonly workers: number }
  /** Stop gracefully. */
  | { readonly type: "stop"; readonly handover?: Handover };

/** From a worker. */
export type FromWorker =
  /** Listening, and the application has started. */
  | { readonly type: "ready"; readonly address: SocketAddress }
  /** The application could not be loaded or started, or the address not bound; the process ends with `exitCode`. */
  | { readonly type: "failed"; readonly message: string; readonly exitCode: number }
  /** It has started as many requests as it may: replace it. It goes on serving. */
  | { readonly type: "retiring" }
  /** The front's workers run the new code, or (`done` false) go on with the old. */
  | { readonly type: "rolled"; readonly done: boolean }
  /** Its listener is closed; what is in flight is being finished. */
  | { readonly type: "closed" };

function typeOf(message: unknown): unknown {
  return typeof message === "object" && message !== null ? (message as { type?: unknown }).type : undefined;
}

const TO_WORKER: readonly unknown[] = ["start", "stop", "roll", "resize"];
const FROM_WORKER: readonly unknown[] = ["ready", "failed", "retiring", "rolled", "closed"];

/** A message from the supervisor; undefined for one of another version. */
export function asToWorker(message: unknown): ToWorker | undefined {
  return TO_WORKER.includes(typeOf(message)) ? (message as ToWorker) : undefined;
}

/** A message from a worker; undefined for one of another version. */
export function asFromWorker(message: unknown): FromWorker | undefined {
  return FROM_WORKER.includes(typeOf(message)) ? (message as FromWorker) : undefined;
}
