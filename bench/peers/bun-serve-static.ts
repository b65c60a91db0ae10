/**
 * Peer: Bun's own HTTP server with a response that is prepared once; no program code runs for a request.
 */

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  idleTimeout: 75,
  routes: { "/": new Response("Hello, world!") },
  fetch: () => new Response("Not found", { status: 404 }),
});

console.error(`Listening on http://127.0.0.1:${server.port}`);

export {};
