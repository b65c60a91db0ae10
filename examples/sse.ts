/**
 * Server-sent events (HTML Living Standard, section 9.2) that stop when the client goes.
 *
 *   bun run serve ./examples/sse.ts
 *   curl -N http://127.0.0.1:8000/
 */
import type { Application, Receive } from "ringcorn";

const INTERVAL_MS = 1_000;

const app: Application = async (scope, receive, send) => {
  if (scope.type !== "http") return;
  await send({
    type: "http.response.start",
    status: 200,
    headers: [
      ["content-type", "text/event-stream"],
      ["cache-control", "no-store"],
    ],
  });
  const encoder = new TextEncoder();
  // One promise for the whole response: it resolves when the client goes or the server is about to stop.
  const gone = disconnected(receive);
  let going = true;
  for (let id = 1; going; id++) {
    const body = encoder.encode(`id: ${id}\ndata: ${new Date().toISOString()}\n\n`);
    await send({ type: "http.response.body", body, more_body: true });
    going = await pause(INTERVAL_MS, gone);
  }
  // A server that stops can still deliver this end. A client that has gone makes `send` throw: that is no fault here.
  await send({ type: "http.response.body" }).catch(() => undefined);
};

/** Reads past the request's body until the disconnect event. */
async function disconnected(receive: Receive): Promise<void> {
  while ((await receive()).type !== "http.disconnect");
}

/** True after `ms`; false as soon as `gone` resolves. */
function pause(ms: number, gone: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(true), ms);
    gone.then(() => {
      clearTimeout(timer);
      resolve(false);
    });
  });
}

export default app;
