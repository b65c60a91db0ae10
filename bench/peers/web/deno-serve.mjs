/** Peer: Deno's own HTTP server. */
import { HOST, handle, PORT } from "./payload.mjs";

Deno.serve({ hostname: HOST, port: PORT }, handle);
