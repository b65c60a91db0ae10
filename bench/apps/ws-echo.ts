/**
 * The application of the WebSocket rows. `/broadcast`: each message goes to all who are connected there; anywhere else
 * it comes back as it was.
 */
import type { Application, Receive, Send, WebSocketSendEvent } from "../../src/asgi/types.ts";

const listeners = new Set<Send>();

function ignore(): void {}

async function broadcast(receive: Receive, send: Send): Promise<void> {
  listeners.add(send);
  for (;;) {
    const event = await receive();
    if (event.type !== "websocket.receive") break;
    const { text, bytes } = event;
    const message: WebSocketSendEvent =
      text === null ? { type: "websocket.send", bytes } : { type: "websocket.send", text };
    // Who is slow is waited for by nobody, and who has gone leaves by its own `receive`.
    for (const listener of listeners) listener(message).catch(ignore);
  }
  listeners.delete(send);
}

export const app: Application = async (scope, receive, send) => {
  if (scope.type !== "websocket") throw new Error(`This application does not speak ${scope.type}.`);
  await receive();
  await send({ type: "websocket.accept" });
  if (scope.path === "/broadcast") return broadcast(receive, send);
  for (;;) {
    const event = await receive();
    if (event.type !== "websocket.receive") return;
    if (event.text === null) await send({ type: "websocket.send", bytes: event.bytes });
    else await send({ type: "websocket.send", text: event.text });
  }
};
