/** Peer: Deno's own HTTP server. */
import { HOST, handle, PORT, REUSE_PORT } from "./payload.mjs";

Deno.serve({ hostname: HOST, port: PORT, reusePort: REUSE_PORT }, handle);
