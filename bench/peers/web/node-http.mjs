/** Peer: Node's HTTP server. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
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

function answer(response, body, type = TEXT) {
  response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

function sendEvents(response) {
  response.writeHead(200, { "Content-Type": EVENT_STREAM });
  for (const event of EVENTS) response.write(event);
  response.end();
}

async function sendFile(response) {
  const { size } = await stat(FILE);
  response.writeHead(200, { "Content-Type": BINARY, "Content-Length": size });
  createReadStream(FILE).pipe(response);
}

async function handle(request, response) {
  const { url } = request;
  if (url === "/") answer(response, HELLO);
  else if (url === "/json") answer(response, JSON.stringify(object()), "application/json");
  else if (url === "/10kb") answer(response, TEN_KB);
  else if (url === "/100kb") answer(response, HUNDRED_KB);
  else if (url === "/sse") sendEvents(response);
  else if (url === "/upload") answer(response, await countBytes(request));
  else if (url === "/file") await sendFile(response);
  else if (url.startsWith("/body/")) answer(response, bodyOf(url));
  else response.writeHead(404).end();
}

// A client that leaves in the middle of its upload must not end the server.
const server = createServer((request, response) => handle(request, response).catch(() => response.destroy()));
server.keepAliveTimeout = KEEP_ALIVE_MS;
server.listen(PORT, HOST, 2048);
