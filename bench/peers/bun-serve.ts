/**
 * Peer: Bun's own HTTP server, answering from a handler as an application would.
 */

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  // Ringcorn's keep-alive time, so that idle connections live alike.
  idleTimeout: 75,
  // The content type is Bun's default for a string.
  fetch: () => new Response("Hello, world!"),
});

console.error(`Listening on http://127.0.0.1:${server.port}`);

export {};
