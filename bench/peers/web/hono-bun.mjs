/** Peer: Hono on Bun.serve. */
import { app } from "./hono-app.mjs";
import { HOST, KEEP_ALIVE_SECONDS, PORT } from "./payload.mjs";

Bun.serve({ hostname: HOST, port: PORT, development: false, idleTimeout: KEEP_ALIVE_SECONDS, fetch: app.fetch });
