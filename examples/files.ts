/**
 * Sends files with the extension `http.response.pathsend`: the application names the file, the server sends it.
 * Not one byte of it passes through the application.
 *
 *   bun run serve ./examples/files.ts
 *   curl http://127.0.0.1:8000/hello.ts
 */
import type { Application } from "ringcorn";

/** Paths that may be asked for, with their types. A fixed list can't be talked into leaving its directory. */
const FILES: ReadonlyMap<string, string> = new Map([
  ["/hello.ts", "text/plain; charset=utf-8"],
  ["/upload.ts", "text/plain; charset=utf-8"],
  ["/files.ts", "text/plain; charset=utf-8"],
]);

const app: Application = async (scope, _receive, send) => {
  if (scope.type !== "http") return;
  const type = FILES.get(scope.path);
  const canSend = "http.response.pathsend" in scope.extensions;
  if (type === undefined || !canSend) {
    const status = type === undefined ? 404 : 501;
    await send({ type: "http.response.start", status, headers: [["content-type", "text/plain"]] });
    await send({ type: "http.response.body", body: new TextEncoder().encode(`${status}\n`) });
    return;
  }
  // The path must be absolute. This directory is where this module lies.
  const path = decodeURIComponent(new URL(`.${scope.path}`, import.meta.url).pathname);
  await send({ type: "http.response.start", status: 200, headers: [["content-type", type]] });
  await send({ type: "http.response.pathsend", path });
};

export default app;
