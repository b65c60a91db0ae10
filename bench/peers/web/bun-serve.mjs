/** Peer: Bun's own HTTP server. */
import { HOST, handle, KEEP_ALIVE_SECONDS, PORT } from "./payload.mjs";

Bun.serve({ hostname: HOST, port: PORT, development: false, idleTimeout: KEEP_ALIVE_SECONDS, fetch: handle });
