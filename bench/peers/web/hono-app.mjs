/** The Hono application that both of its servers serve. */
import { Hono } from "hono";
import {
  bodyOf,
  countBytes,
  EVENT_STREAM,
  eventStream,
  fileResponse,
  HELLO,
  HUNDRED_KB,
  object,
  TEN_KB,
  TEXT,
} from "./payload.mjs";

export const app = new Hono();
app.get("/", (context) => context.text(HELLO));
app.get("/json", (context) => context.json(object()));
app.get("/10kb", (context) => context.text(TEN_KB));
app.get("/100kb", (context) => context.text(HUNDRED_KB));
app.get("/sse", (context) => context.body(eventStream(), 200, { "content-type": EVENT_STREAM }));
app.get("/file", () => fileResponse());
app.get("/body/:size", (context) => context.body(bodyOf(context.req.path), 200, { "content-type": TEXT }));
app.post("/upload", async (context) => context.text(await countBytes(context.req.raw.body)));
