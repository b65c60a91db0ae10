/** What a WebSocket's cycle asks of the connection that it serves. */
import type { SentHeader, WebSocketHttpResponseBodyEvent, WebSocketHttpResponseStartEvent } from "./types.ts";

export interface WebSocketHost {
  /** Bytes of messages that may wait for `receive`, and their number. */
  readonly queueBytes: number;
  readonly queueMessages: number;
  /** Answers 101. @throws ProtocolViolation when the application asks for what can't be sent */
  accept(subprotocol: string | undefined, headers: readonly SentHeader[]): void;
  /** Answers the handshake with this status. */
  refuse(status: number): void;
  /** A denial response. The first returns whether its head could be taken. */
  denialStart(event: WebSocketHttpResponseStartEvent): { readonly started: boolean; readonly sent: Promise<void> };
  denialBody(event: WebSocketHttpResponseBodyEvent): Promise<void>;
  /** The application has ended in the middle of a denial response; `error` when it threw. */
  abandonDenial(error: unknown): void;
  /** Puts a message on its way; null when nothing is to be waited for. */
  message(message: string | Uint8Array): Promise<void> | null;
  /**
   * The same for bytes that are the caller's again when this returns. A text is UTF-8.
   * @param room so many bytes in front of `start` are nobody's: they may be written to
   */
  messageBytes(isText: boolean, bytes: Uint8Array, start: number, end: number, room: number): Promise<void> | null;
  /** Begins the closing handshake, behind the messages before it. */
  farewell(code: number, reason: string): void;
  /** There is room for messages again. */
  roomAgain(): void;
  /** The application has been called, and it has returned or failed; not told of one that is part of the server. */
  applicationBegan(): void;
  applicationEnded(): void;
  /** The application has failed, or returned without an answer (`error` undefined). */
  report(error: unknown): void;
}
