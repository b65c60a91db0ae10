/**
 * A request, for an application that is part of the server (such as the one that passes requests to Python workers): what
 * `scope`, `receive` and `send` are to others, without a promise or a closure for what needs none.
 */
import type { Application, HttpReceiveEvent, HttpScope, SendEvent } from "./types.ts";

/** What the head says of content: there is none; some follows; some follows when the client has been told to continue. */
export type Content = "none" | "some" | "on-demand";

export interface HttpCall {
  readonly scope: HttpScope;
  readonly content: Content;
  /**
   * So many bytes in front of the array of the next body event, in the same memory, may be overwritten while `send` runs:
   * what waits to leave then leaves with it. Whoever sets it resets it behind `send`.
   */
  roomAhead: number;
  receive(): Promise<HttpReceiveEvent>;
  send(event: SendEvent): Promise<void>;
  /** `gone` is called, once, when the client has ended its half or is gone: what `http.disconnect` says to others. */
  watch(gone: () => void): void;
  /** The application has returned. It must not touch the call any more. */
  returned(): void;
  /** The application has failed. It must not touch the call any more. */
  raised(error: unknown): void;
}

/** Names what takes calls: a symbol, so that no application has it by chance (every function has a `call`). */
export const CALL = Symbol("ringcorn.call");

/** An application that can take calls besides being one like any other. */
export interface CallApplication extends Application {
  readonly [CALL]: (call: HttpCall) => void;
}

/** How the application takes calls, undefined when it is one like any other. */
export function callOf(app: Application): CallApplication[typeof CALL] | undefined {
  return (app as Partial<CallApplication>)[CALL];
}
