/**
 * Peer: Node's HTTP server.
 */
import { createServer } from "node:http";

const BODY = Buffer.from("Hello, world!");
const FIELDS = { "Content-Type": "text/plain;charset=utf-8", "Content-Length": BODY.length };

const server = createServer((_request, response) => {
  response.writeHead(200, FIELDS);
  response.end(BODY);
});
// Ringcorn's keep-alive time, so that idle connections live alike.
server.keepAliveTimeout = 75_000;
server.listen(0, "127.0.0.1", 2048, () => {
  console.error(`Listening on http://127.0.0.1:${server.address().port}`);
});
