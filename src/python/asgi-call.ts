/** A call as any ASGI server makes it, with `scope`, `receive` and `send`, in the shape that a request is passed on in. */
import type { Content, HttpCall } from "../asgi/call.ts";
import type { HttpReceiveEvent, HttpScope, Receive, Send, SendEvent } from "../asgi/types.ts";

export class AsgiCall implements HttpCall {
  readonly scope: HttpScope;
  readonly content: Content;
  /** Taken by nobody: others may hold what stands in front of an array that they are sent. */
  roomAhead = 0;
  /** Settles when the response is complete or given up; rejects when the application failed. */
  readonly done: Promise<void>;
  readonly #receive: Receive;
  readonly #send: Send;
  returned!: () => void;
  raised!: (error: unknown) => void;
  /** The end of the content, where there is none, is still to be received. */
  #endDue: boolean;

  constructor(scope: HttpScope, receive: Receive, send: Send) {
    this.scope = scope;
    this.#receive = receive;
    this.#send = send;
    this.content = contentOf(scope);
    this.#endDue = this.content === "none";
    this.done = new Promise((resolve, reject) => {
      this.returned = resolve;
      this.raised = reject;
    });
  }

  receive(): Promise<HttpReceiveEvent> {
    return this.#receive() as Promise<HttpReceiveEvent>;
  }

  send(event: SendEvent): Promise<void> {
    return this.#send(event);
  }

  watch(gone: () => void): void {
    if (this.#endDue) {
      this.#endDue = false;
      void this.#receive();
    }
    this.#receive().then((event) => {
      if (event.type === "http.disconnect") gone();
    }, ignore);
  }
}

function ignore(): void {}

function contentOf(scope: HttpScope): Content {
  let some = false;
  let onDemand = false;
  for (const [name] of scope.headers) {
    const { length } = name;
    if (length === 14 && is(name, "content-length")) some = true;
    else if (length === 17 && is(name, "transfer-encoding")) some = true;
    else if (length === 6 && is(name, "expect")) onDemand = true;
  }
  return some ? (onDemand ? "on-demand" : "some") : "none";
}

function is(name: Uint8Array, text: string): boolean {
  for (let i = 0; i < name.length; i++) if (name[i] !== text.charCodeAt(i)) return false;
  return true;
}
