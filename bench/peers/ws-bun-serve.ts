/** A peer of the WebSocket rows: Bun's own server; `/broadcast` publishes, anything else echoes. Takes its port as argument. */
const TOPIC = "all";

const server = Bun.serve<{ speaks: boolean }>({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  fetch(request, server) {
    const speaks = new URL(request.url).pathname === "/broadcast";
    const upgraded = server.upgrade(request, { data: { speaks } });
    return upgraded ? undefined : new Response("a WebSocket, please", { status: 426 });
  },
  websocket: {
    perMessageDeflate: process.env.BENCH_DEFLATE === "1",
    maxPayloadLength: 16 * 1024 * 1024,
    open(socket) {
      if (socket.data.speaks) socket.subscribe(TOPIC);
    },
    message(socket, message) {
      if (socket.data.speaks) server.publish(TOPIC, message);
      else socket.send(message);
    },
  },
});
