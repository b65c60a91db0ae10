/** A WebSocket as any ASGI server hands it over, with `scope`, `receive` and `send`, in the shape that is passed on. */
import { ClientDisconnected } from "../asgi/errors.ts";
import type { Receive, Send, SendEvent, WebSocketReceivedEvent, WebSocketScope } from "../asgi/types.ts";
import type { WebSocketCall, WebSocketTaker } from "../asgi/websocket-call.ts";

/** What may wait here: the server in front has its own limits. */
const QUEUE_BYTES = 256 * 1024;
const QUEUE_MESSAGES = 32;
const TEXT = new TextDecoder("utf-8", { ignoreBOM: true });
const UTF8 = new TextEncoder();

export class AsgiSocketCall implements WebSocketCall {
  readonly scope: WebSocketScope;
  readonly queueBytes = QUEUE_BYTES;
  readonly queueMessages = QUEUE_MESSAGES;
  /** Settles when the application has ended; rejects when it failed. */
  readonly done: Promise<void>;
  readonly #receive: Receive;
  readonly #send: Send;
  returned!: () => void;
  raised!: (error: unknown) => void;
  #taker: WebSocketTaker | undefined;
  #reading = false;
  #over = false;

  constructor(scope: WebSocketScope, receive: Receive, send: Send) {
    this.scope = scope;
    this.#receive = receive;
    this.#send = send;
    this.done = new Promise((resolve, reject) => {
      this.returned = () => {
        this.#over = true;
        resolve();
      };
      this.raised = (error) => {
        this.#over = true;
        reject(error);
      };
    });
  }

  listen(taker: WebSocketTaker): void {
    this.#taker = taker;
    this.roomAgain();
  }

  roomAgain(): void {
    if (this.#reading || this.#over || this.#taker?.full === true) return;
    this.#reading = true;
    this.#receive().then(
      (event) => {
        this.#reading = false;
        this.#received(event as WebSocketReceivedEvent);
      },
      (error: unknown) => this.raised(error),
    );
  }

  #received(event: WebSocketReceivedEvent): void {
    const taker = this.#taker!;
    if (this.#over) return;
    if (event.type === "websocket.disconnect") {
      taker.ended(event.code, event.reason ?? "");
      return;
    }
    if (event.type === "websocket.receive") {
      const isText = typeof event.text === "string";
      const bytes = isText ? UTF8.encode(event.text as string) : (event.bytes as Uint8Array);
      taker.message(isText, bytes, 0, bytes.length);
    }
    this.roomAgain();
  }

  send(event: SendEvent): Promise<void> {
    return this.#send(event);
  }

  message(isText: boolean, bytes: Uint8Array, start: number, end: number): Promise<void> {
    const part = bytes.subarray(start, end);
    const sent = isText
      ? this.#send({ type: "websocket.send", text: TEXT.decode(part) })
      : this.#send({ type: "websocket.send", bytes: new Uint8Array(part) });
    return sent.catch((error: unknown) => {
      if (!(error instanceof ClientDisconnected)) throw error;
    });
  }
}
