/** Peer: Elysia on Bun. */
import { Elysia } from "elysia";
import {
  countBytes,
  EVENT_STREAM,
  eventStream,
  HELLO,
  HOST,
  HUNDRED_KB,
  KEEP_ALIVE_SECONDS,
  object,
  PORT,
  TEN_KB,
} from "./payload.mjs";

new Elysia({ serve: { idleTimeout: KEEP_ALIVE_SECONDS } })
  .get("/", () => HELLO)
  .get("/json", () => object())
  .get("/10kb", () => TEN_KB)
  .get("/100kb", () => HUNDRED_KB)
  .get("/sse", () => new Response(eventStream(), { headers: { "content-type": EVENT_STREAM } }))
  .post("/upload", ({ request }) => countBytes(request.body), { parse: "none" })
  .listen({ hostname: HOST, port: PORT });
