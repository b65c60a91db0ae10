/** Peer: Fastify on Node, without a log. The objects' shape is told, as its documentation advises. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import fastify from "fastify";
import {
  BINARY,
  bodyOf,
  countBytes,
  EVENT_STREAM,
  EVENTS,
  FILE,
  HELLO,
  HOST,
  HUNDRED_KB,
  KEEP_ALIVE_MS,
  object,
  PORT,
  TEN_KB,
  TEXT,
} from "./payload.mjs";

const app = fastify({ logger: false, keepAliveTimeout: KEEP_ALIVE_MS, bodyLimit: 2 ** 30 });
app.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));

const schema = {
  response: {
    200: {
      type: "object",
      properties: {
        message: { type: "string" },
        items: { type: "array", items: { type: "integer" } },
        ok: { type: "boolean" },
      },
    },
  },
};
app.get("/", (_request, reply) => reply.type(TEXT).send(HELLO));
app.get("/json", { schema }, (_request, reply) => reply.send(object()));
app.get("/10kb", (_request, reply) => reply.type(TEXT).send(TEN_KB));
app.get("/100kb", (_request, reply) => reply.type(TEXT).send(HUNDRED_KB));
app.get("/sse", (_request, reply) => reply.type(EVENT_STREAM).send(Readable.from(EVENTS)));
app.get("/file", async (_request, reply) => {
  const { size } = await stat(FILE);
  return reply.type(BINARY).header("content-length", size).send(createReadStream(FILE));
});
app.get("/body/:size", (request, reply) => reply.type(TEXT).send(bodyOf(request.url)));
app.post("/upload", async (request, reply) => reply.type(TEXT).send(await countBytes(request.body)));
await app.listen({ host: HOST, port: PORT, backlog: 2048 });
