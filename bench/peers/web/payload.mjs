/** What all web peers answer. */
export const PORT = Number(process.env.PORT);
export const HOST = "127.0.0.1";
export const HELLO = "Hello, world!";
export const TEN_KB = "x".repeat(10_240);
export const HUNDRED_KB = "x".repeat(102_400);
export const TEXT = "text/plain;charset=utf-8";
export const EVENT_STREAM = "text/event-stream";
/** Milliseconds and seconds; Ringcorn's keep-alive time. */
export const KEEP_ALIVE_MS = 75_000;
export const KEEP_ALIVE_SECONDS = 75;

const EVENT_COUNT = 20;
export const EVENTS = Array.from({ length: EVENT_COUNT }, (_, number) => `id: ${number}\ndata: tick ${number}\n\n`);

/** A new object each time, as an application would make it. */
export function object() {
  return { message: HELLO, items: [1, 2, 3], ok: true };
}

/** Reads a web stream to its end. @returns the count of bytes as text */
export async function countBytes(stream) {
  let bytes = 0;
  for await (const piece of stream) bytes += piece.length;
  return String(bytes);
}

const encoder = new TextEncoder();

/** The events as a web stream, one piece each. */
export function eventStream() {
  return new ReadableStream({
    start(controller) {
      for (const event of EVENTS) controller.enqueue(encoder.encode(event));
      controller.close();
    },
  });
}

/** The routes as a fetch handler, for the servers that take one. */
export function handle(request) {
  const { pathname } = new URL(request.url);
  const text = { headers: { "content-type": TEXT } };
  if (pathname === "/") return new Response(HELLO, text);
  if (pathname === "/json") return Response.json(object());
  if (pathname === "/10kb") return new Response(TEN_KB, text);
  if (pathname === "/100kb") return new Response(HUNDRED_KB, text);
  if (pathname === "/sse") return new Response(eventStream(), { headers: { "content-type": EVENT_STREAM } });
  if (pathname === "/upload") return countBytes(request.body).then((count) => new Response(count, text));
  return new Response("Not found", { status: 404 });
}
