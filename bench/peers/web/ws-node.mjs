/** A peer of the WebSocket rows: npm's ws on Node; `/broadcast` sends to all, anything else echoes. Takes its port as argument. */
import { WebSocketServer } from "ws";

const listeners = new Set();
const server = new WebSocketServer({
  port: Number(process.argv[2]),
  host: "127.0.0.1",
  perMessageDeflate: process.env.BENCH_DEFLATE === "1",
});
server.on("connection", (socket, request) => {
  if (request.url === "/broadcast") {
    listeners.add(socket);
    socket.on("close", () => listeners.delete(socket));
    socket.on("message", (data, isBinary) => {
      for (const listener of listeners) listener.send(data, { binary: isBinary });
    });
    return;
  }
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
