/** A WebSocket that is none: the test plays its connection. */
import { ClientDisconnected } from "../../src/asgi/errors.ts";
import type { SendEvent, WebSocketScope } from "../../src/asgi/types.ts";
import type { WebSocketCall, WebSocketTaker } from "../../src/asgi/websocket-call.ts";
import type { WorkerPool } from "../../src/python/pool.ts";
import { SocketExchange } from "../../src/python/socket.ts";
import { latin1 } from "./fake.ts";

export const SCOPE: WebSocketScope = {
  type: "websocket",
  asgi: { version: "3.0", spec_version: "2.5" },
  http_version: "1.1",
  scheme: "ws",
  path: "/chat",
  raw_path: latin1("/chat"),
  query_string: latin1("a=1"),
  root_path: "",
  headers: [[latin1("host"), latin1("test")]],
  client: ["127.0.0.1", 5],
  server: null,
  subprotocols: ["one", "two"],
  state: {},
  extensions: {},
};

export class FakeSocketCall implements WebSocketCall {
  readonly scope = SCOPE;
  readonly queueBytes = 100_000;
  readonly queueMessages = 4;
  taker!: WebSocketTaker;
  /** What has been sent, messages as `text: ...` or `binary of n bytes`. */
  readonly sent: (SendEvent | string)[] = [];
  rooms = 0;
  /** What the peer has ready when reading goes on. */
  onRoom: (() => void) | undefined;
  /** While set, messages wait for it. */
  stalled: Promise<void> | undefined;
  /** While set, `send` rejects with it. */
  refusal: unknown;
  outcome: "pending" | "returned" | string = "pending";

  listen(taker: WebSocketTaker): void {
    this.taker = taker;
  }

  roomAgain(): void {
    this.rooms += 1;
    this.onRoom?.();
  }

  send(event: SendEvent): Promise<void> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    this.sent.push(event);
    return Promise.resolve();
  }

  message(isText: boolean, bytes: Uint8Array, start: number, end: number): Promise<void> | null {
    const part = bytes.subarray(start, end);
    this.sent.push(isText ? `text: ${new TextDecoder().decode(part)}` : `binary of ${part.length} bytes`);
    return this.stalled ?? null;
  }

  returned(): void {
    this.outcome = "returned";
  }

  raised(error: unknown): void {
    this.outcome = String(error);
  }

  // ---- what the test does ----

  says(message: string | Uint8Array): void {
    const isText = typeof message === "string";
    const bytes = isText ? new TextEncoder().encode(message) : message;
    const around = new Uint8Array(bytes.length + 2);
    around.set(bytes, 1);
    this.taker.message(isText, around, 1, bytes.length + 1);
    // The connection uses it again.
    around.fill(0);
  }

  get types(): string[] {
    return this.sent.map((each) => (typeof each === "string" ? each : each.type));
  }
}

/** A WebSocket on its way to one of the pool's workers. */
export function connect(pool: WorkerPool): FakeSocketCall {
  const call = new FakeSocketCall();
  pool.dispatch(new SocketExchange(call));
  return call;
}

export const GONE = new ClientDisconnected();
