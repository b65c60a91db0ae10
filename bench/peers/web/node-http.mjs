/** Peer: Node's HTTP server. */
import { createServer } from "node:http";
import {
  countBytes,
  EVENT_STREAM,
  EVENTS,
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

const server = createServer(async (request, response) => {
  const { url } = request;
  if (url === "/") answer(response, HELLO);
  else if (url === "/json") answer(response, JSON.stringify(object()), "application/json");
  else if (url === "/10kb") answer(response, TEN_KB);
  else if (url === "/100kb") answer(response, HUNDRED_KB);
  else if (url === "/sse") sendEvents(response);
  else if (url === "/upload") answer(response, await countBytes(request));
  else response.writeHead(404).end();
});
server.keepAliveTimeout = KEEP_ALIVE_MS;
server.listen(PORT, HOST, 2048);
