/** What all web peers answer. */
import { readFile } from "node:fs/promises";

export const PORT = Number(process.env.PORT);
/** Other processes serve on the same port. */
export const REUSE_PORT = process.env.REUSE_PORT === "1";
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

export const FILE = process.env.BENCH_FILE ?? "";
export const BINARY = "application/octet-stream";
const bodies = new Map();

/** As many bytes as `/body/N` says, made once. */
export function bodyOf(path) {
  let body = bodies.get(path);
  if (body === undefined) {
    body = new Uint8Array(Number(path.slice("/body/".length))).fill(0x78);
    bodies.set(path, body);
  }
  return body;
}

/** The file as each runtime hands it to a web response: Bun by its name, Deno as a stream, Node whole. */
async function fileBody() {
  if (typeof Bun !== "undefined") return Bun.file(FILE);
  if (typeof Deno !== "undefined") return (await Deno.open(FILE)).readable;
  return readFile(FILE);
}

/** The file as a web response. */
export async function fileResponse() {
  return new Response(await fileBody(), { headers: { "content-type": BINARY } });
}

/** The events as a web stream, one piece each. */
export function eventStream() {
  return new ReadableStream({
    start(controller) {
      for (const event of EVENTS) controller.enqueue(encoder.encode(event));
      controller.close();
    },
  });
}

const TEXT_FIELDS = { headers: { "content-type": TEXT } };

/** The body of so many bytes as a web response. */
export function sized(path) {
  return new Response(bodyOf(path), TEXT_FIELDS);
}

export function notFound() {
  return new Response("Not found", { status: 404 });
}

/** The routes with a fixed path, as handlers of a web request. */
export const WEB_ROUTES = {
  "/": () => new Response(HELLO, TEXT_FIELDS),
  "/json": () => Response.json(object()),
  "/10kb": () => new Response(TEN_KB, TEXT_FIELDS),
  "/100kb": () => new Response(HUNDRED_KB, TEXT_FIELDS),
  "/sse": () => new Response(eventStream(), { headers: { "content-type": EVENT_STREAM } }),
  "/upload": async (request) => new Response(await countBytes(request.body), TEXT_FIELDS),
  "/file": () => fileResponse(),
};

/** Behind "https://": where the path begins is looked for from here on. */
const AFTER_SCHEME = 8;

/** The path of a request's address. A URL object, made for each request, would cost more than the answer of a short one. */
export function pathOf(url) {
  const from = url.indexOf("/", AFTER_SCHEME);
  const to = url.indexOf("?", from);
  return to < 0 ? url.slice(from) : url.slice(from, to);
}

/** The routes as a fetch handler, for the servers that take one. */
export function handle(request) {
  const path = pathOf(request.url);
  const route = WEB_ROUTES[path];
  if (route !== undefined) return route(request);
  return path.startsWith("/body/") ? sized(path) : notFound();
}
