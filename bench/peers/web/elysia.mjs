/** Peer: Elysia on Bun. */
import { Elysia } from "elysia";
import {
  bodyOf,
  countBytes,
  EVENT_STREAM,
  eventStream,
  fileResponse,
  HELLO,
  HOST,
  HUNDRED_KB,
  KEEP_ALIVE_SECONDS,
  object,
  PORT,
  TEN_KB,
  TEXT,
} from "./payload.mjs";

new Elysia({ serve: { idleTimeout: KEEP_ALIVE_SECONDS } })
  .get("/", () => HELLO)
  .get("/json", () => object())
  .get("/10kb", () => TEN_KB)
  .get("/100kb", () => HUNDRED_KB)
  .get("/sse", () => new Response(eventStream(), { headers: { "content-type": EVENT_STREAM } }))
  .get("/file", () => fileResponse())
  .get("/body/:size", ({ path }) => new Response(bodyOf(path), { headers: { "content-type": TEXT } }))
  .post("/upload", ({ request }) => countBytes(request.body), { parse: "none" })
  .listen({ hostname: HOST, port: PORT });
