/**
 * A WebSocket, for an application that is part of the server (such as the one that passes messages to Python workers):
 * what `scope`, `receive` and `send` are to others, with messages as bytes and no promise for what needs none.
 */
import type { Application, SendEvent, WebSocketScope } from "./types.ts";

/** Whom the messages of a peer are told. */
export interface WebSocketTaker {
  /** No more messages may come for now; `roomAgain` of the call ends that. */
  readonly full: boolean;
  /** `bytes[start, end)` is a message, the connection's to use again; a text is UTF-8 that has been checked. */
  message(isText: boolean, bytes: Uint8Array, start: number, end: number): void;
  /** What `websocket.disconnect` says to others, behind all messages; told once. */
  ended(code: number, reason: string): void;
}

export interface WebSocketCall {
  readonly scope: WebSocketScope;
  /** Bytes of messages that may wait, and their number. */
  readonly queueBytes: number;
  readonly queueMessages: number;
  /** From now on this one is told. To be called before anything else, and inside the call. */
  listen(taker: WebSocketTaker): void;
  /** The taker has room again. */
  roomAgain(): void;
  /** As for others. */
  send(event: SendEvent): Promise<void>;
  /**
   * Sends a message. `bytes` is the caller's again when this returns; a text must be UTF-8. Behind the end of the
   * connection nothing happens.
   * @param room so many bytes in front of `start` are nobody's: they may be written to
   * @returns null when nothing is to be waited for; rejects with ClientDisconnected, and with ProtocolViolation before
   *   `websocket.accept` or behind one that was refused. It throws nothing: others' messages may stand in the same chunk
   */
  message(isText: boolean, bytes: Uint8Array, start: number, end: number, room: number): Promise<void> | null;
  /** The application has returned. It must not touch the call any more. */
  returned(): void;
  /** The application has failed. It must not touch the call any more. */
  raised(error: unknown): void;
}

/** Names what takes such calls: a symbol, so that no application has it by chance. */
export const WEBSOCKET_CALL = Symbol("ringcorn.websocket-call");

/** An application that can take such calls besides being one like any other. */
export interface WebSocketCallApplication extends Application {
  readonly [WEBSOCKET_CALL]: (call: WebSocketCall) => void;
}

/** How the application takes such calls, undefined when it is one like any other. */
export function webSocketCallOf(app: Application): WebSocketCallApplication[typeof WEBSOCKET_CALL] | undefined {
  return (app as Partial<WebSocketCallApplication>)[WEBSOCKET_CALL];
}
