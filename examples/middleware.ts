/**
 * Middleware is a function from an application to an application. It may change the scope, wrap `receive`, wrap `send`,
 * or answer by itself.
 *
 *   bun run serve ./examples/middleware.ts
 *   curl -i -d hello http://127.0.0.1:8000/
 */
import type { Application, SendEvent } from "ringcorn";
import upload from "./upload.ts";

/** Adds a `Server-Timing` field (W3C Server Timing) that says how long the application took to begin its answer. */
function timed(app: Application): Application {
  return async (scope, receive, send) => {
    if (scope.type !== "http") return app(scope, receive, send);
    const started = performance.now();
    await app(scope, receive, (event: SendEvent) => {
      if (event.type !== "http.response.start") return send(event);
      const timing = `app;dur=${(performance.now() - started).toFixed(1)}`;
      // Events are plain objects: send a changed copy instead of changing the application's own.
      return send({ ...event, headers: [...(event.headers ?? []), ["server-timing", timing]] });
    });
  };
}

/** Refuses bodies above a size by what really arrives, whatever Content-Length says. */
function limited(app: Application, mostBytes: number): Application {
  return async (scope, receive, send) => {
    if (scope.type !== "http") return app(scope, receive, send);
    let bytes = 0;
    let refused = false;
    const counting = async () => {
      const event = await receive();
      if (event.type !== "http.request") return event;
      bytes += event.body.length;
      if (bytes <= mostBytes) return event;
      refused = true;
      await send({ type: "http.response.start", status: 413, headers: [["connection", "close"]] });
      await send({ type: "http.response.body", body: new TextEncoder().encode("Too large\n") });
      // To the application it looks as if the client had gone.
      return { type: "http.disconnect" } as const;
    };
    await app(scope, counting, async (event) => {
      if (!refused) await send(event);
    });
  };
}

const MOST_BYTES = 1_000_000;

export default timed(limited(upload, MOST_BYTES));
