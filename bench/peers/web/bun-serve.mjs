/** Peer: Bun's own HTTP server, with its own router, which looks at the path before a request becomes an object. */
import { HOST, KEEP_ALIVE_SECONDS, notFound, PORT, REUSE_PORT, sized, WEB_ROUTES } from "./payload.mjs";

Bun.serve({
  hostname: HOST,
  port: PORT,
  reusePort: REUSE_PORT,
  development: false,
  idleTimeout: KEEP_ALIVE_SECONDS,
  routes: { ...WEB_ROUTES, "/body/:size": ({ params }) => sized(`/body/${params.size}`) },
  fetch: notFound,
});
