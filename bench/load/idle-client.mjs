/**
 * Opens many keep-alive connections, makes one request on each, and holds them until its input ends.
 *
 *   node idle-client.mjs PORT CONNECTIONS
 *
 * Prints "ready N" when all have been answered, and at the end "closing N", N being how many still stand.
 */
import { holdConnections } from "./standing.mjs";

const [port, wanted] = process.argv.slice(2).map(Number);
const ANSWER_END = "Hello, world!";

function hearing() {
  let tail = "";
  return (piece) => {
    tail = (tail + piece.toString("latin1")).slice(-ANSWER_END.length);
    return tail === ANSWER_END;
  };
}

holdConnections({
  port,
  wanted,
  first: `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`,
  hearing,
  ready: () => `ready ${wanted}`,
});
