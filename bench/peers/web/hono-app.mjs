/** The Hono application that both of its servers serve. */
import { Hono } from "hono";
import { countBytes, EVENT_STREAM, eventStream, HELLO, HUNDRED_KB, object, TEN_KB } from "./payload.mjs";

export const app = new Hono();
app.get("/", (context) => context.text(HELLO));
app.get("/json", (context) => context.json(object()));
app.get("/10kb", (context) => context.text(TEN_KB));
app.get("/100kb", (context) => context.text(HUNDRED_KB));
app.get("/sse", (context) => context.body(eventStream(), 200, { "content-type": EVENT_STREAM }));
app.post("/upload", async (context) => context.text(await countBytes(context.req.raw.body)));
