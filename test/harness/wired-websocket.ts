/** A WebSocket on a fake socket whose application has accepted it. */
import type { Application, ReceiveEvent, Send } from "../../src/asgi/types.ts";
import { type Client, settle, Wired, type WiredOptions } from "./fake-socket.ts";
import { handshake, parseServerFrame, type ServerFrame } from "./websocket.ts";

export interface Opened {
  readonly wired: Wired;
  readonly client: Client;
  readonly got: ReceiveEvent[];
  /** Lets the application receive so many more events. */
  take(count: number): Promise<void>;
  readonly send: Send;
  /** Frames sent behind the head. */
  frames(): ServerFrame[];
}

/** @param early bytes behind the handshake, in the same chunk */
export async function openWired(options: WiredOptions = {}, early: Uint8Array = new Uint8Array()): Promise<Opened> {
  const got: ReceiveEvent[] = [];
  let sendNow!: Send;
  let receiveNow!: () => Promise<ReceiveEvent>;
  const app: Application = async (_scope, receive, send) => {
    sendNow = send;
    receiveNow = receive;
    await receive();
    await send({ type: "websocket.accept" });
    await new Promise(() => {});
  };
  const wired = new Wired(app, options);
  const client = wired.connect();
  client.feed(new Uint8Array(Buffer.concat([Buffer.from(handshake("/")), early])));
  await settle();
  const headEnd = client.socket.text.indexOf("\r\n\r\n") + 4;
  return {
    wired,
    client,
    got,
    send: sendNow,
    async take(count) {
      for (let i = 0; i < count; i++) got.push(await receiveNow());
      await settle();
    },
    frames() {
      const found: ServerFrame[] = [];
      let bytes = client.socket.bytes.subarray(headEnd);
      for (let next = parseServerFrame(bytes); next !== undefined; next = parseServerFrame(bytes)) {
        found.push(next.frame);
        bytes = bytes.subarray(next.end);
      }
      return found;
    },
  };
}
