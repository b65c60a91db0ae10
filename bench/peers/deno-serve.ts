/**
 * Peer: Deno's own HTTP server. It prints its address by itself.
 */

interface DenoServe {
  serve(options: { hostname: string; port: number }, handler: () => Response): unknown;
}

// The content type is Deno's default for a string.
(globalThis as unknown as { Deno: DenoServe }).Deno.serve(
  { hostname: "127.0.0.1", port: 0 },
  () => new Response("Hello, world!"),
);
