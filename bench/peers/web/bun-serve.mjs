/** Peer: Bun's own HTTP server. */
import { HOST, handle, KEEP_ALIVE_SECONDS, PORT, REUSE_PORT } from "./payload.mjs";

Bun.serve({
  hostname: HOST,
  port: PORT,
  reusePort: REUSE_PORT,
  development: false,
  idleTimeout: KEEP_ALIVE_SECONDS,
  fetch: handle,
});
