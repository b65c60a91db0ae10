/** Peer: Hono on Node, with its own adapter. */
import { serve } from "@hono/node-server";
import { app } from "./hono-app.mjs";
import { HOST, KEEP_ALIVE_MS, PORT } from "./payload.mjs";

const server = serve({ fetch: app.fetch, hostname: HOST, port: PORT });
server.keepAliveTimeout = KEEP_ALIVE_MS;
