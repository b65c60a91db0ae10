/**
 * The smallest useful application.
 *
 *   bun run serve ./examples/hello.ts
 *   curl http://127.0.0.1:8000/
 */
import type { Application } from "ringcorn";

const BODY = new TextEncoder().encode("Hello\n");

const app: Application = async (scope, _receive, send) => {
  // The server also offers "lifespan" and "websocket". Returning means: not for me.
  if (scope.type !== "http") return;
  await send({
    type: "http.response.start",
    status: 200,
    // With a Content-Length the body is sent as it is; without one it is sent in chunks.
    headers: [
      ["content-type", "text/plain; charset=utf-8"],
      ["content-length", String(BODY.length)],
    ],
  });
  await send({ type: "http.response.body", body: BODY });
};

export default app;
