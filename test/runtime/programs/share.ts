/** Shares the port given as argument 1 (0: a free one) and answers each connection with this process's id. */
import { currentRuntime } from "../../../src/runtime/current.ts";

const runtime = await currentRuntime();
const port = Number(runtime.arguments()[0]);
const name = new TextEncoder().encode(`${runtime.pid}`);
const listener = await runtime.listen({ host: "127.0.0.1", port, backlog: 128, reusePort: true }, (socket) => ({
  // When the client speaks: then the connection has reached the application for certain.
  onData() {
    socket.write(name, 0, name.length);
    socket.close();
  },
  onDrain() {},
  onEnd() {},
  onEndUnread() {},
  onClose() {},
}));
runtime.writeOut(`${listener.address.port}\n`);
