/** A peer of the WebSocket echo rows: Bun's own server. Takes its port as argument. */
Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("a WebSocket, please", { status: 426 });
  },
  websocket: {
    maxPayloadLength: 16 * 1024 * 1024,
    message(socket, message) {
      socket.send(message);
    },
  },
});
