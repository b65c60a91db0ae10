/** The floor on Bun: a bare `Bun.listen`. */
import { answersFor } from "./floor.ts";

const listener = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(socket, chunk) {
      socket.write(answersFor(chunk, chunk.length));
    },
  },
});

console.error(`Listening on http://127.0.0.1:${listener.port}`);
