/** A server for more clients than it has descriptors; prints its address, and its CPU share every 200 ms. */
import { currentRuntime } from "../../../src/runtime/current.ts";

const runtime = await currentRuntime();
// As every server does; Deno needs descriptors of its own for the first one.
runtime.onSignal("SIGTERM", () => runtime.exit(0));
const listener = await runtime.listen(
  { port: 0, backlog: 512, onError: (error) => runtime.writeOut(`error ${error}\n`) },
  (socket) => ({
    onData: (chunk, length) => {
      socket.write(chunk, 0, length);
    },
    onDrain: () => {},
    onEnd: () => socket.close(),
    onEndUnread: () => {},
    onClose: () => {},
  }),
);
runtime.writeOut(`port ${listener.address.port}\n`);
let last = process.cpuUsage();
let lastAt = runtime.now();
setInterval(() => {
  const used = process.cpuUsage(last);
  const at = runtime.now();
  runtime.writeOut(`cpu ${((used.user + used.system) / 1000 / (at - lastAt)).toFixed(2)}\n`);
  last = process.cpuUsage();
  lastAt = at;
}, 200);
