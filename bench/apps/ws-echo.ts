/** The application of the WebSocket echo rows: every message comes back as it was. */
import type { Application } from "../../src/asgi/types.ts";

export const app: Application = async (scope, receive, send) => {
  if (scope.type !== "websocket") throw new Error(`This application does not speak ${scope.type}.`);
  await receive();
  await send({ type: "websocket.accept" });
  for (;;) {
    const event = await receive();
    if (event.type !== "websocket.receive") return;
    if (event.text === null) await send({ type: "websocket.send", bytes: event.bytes });
    else await send({ type: "websocket.send", text: event.text });
  }
};
