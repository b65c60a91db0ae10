/**
 * Counts the bytes of a request body while it arrives. A body of any size runs in flat memory: the server reads on only
 * as fast as the application asks.
 *
 *   bun run serve ./examples/upload.ts
 *   head -c 100000000 /dev/zero | curl -T - http://127.0.0.1:8000/
 */
import type { Application } from "ringcorn";

const app: Application = async (scope, receive, send) => {
  if (scope.type !== "http") return;
  let bytes = 0;
  let pieces = 0;
  for (;;) {
    const event = await receive();
    // The client went away inside the body: nobody is left to answer.
    if (event.type !== "http.request") return;
    bytes += event.body.length;
    pieces++;
    // The bytes are this event's own. Write them somewhere here, and await that: it slows the client down, not the server.
    if (!event.more_body) break;
  }
  const body = new TextEncoder().encode(`${bytes} bytes in ${pieces} pieces\n`);
  await send({ type: "http.response.start", status: 200, headers: [["content-type", "text/plain"]] });
  await send({ type: "http.response.body", body });
};

export default app;
