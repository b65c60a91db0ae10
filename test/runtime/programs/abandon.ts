/** Starts a child with a stream, tells its process id, and ends. */
import { currentRuntime } from "../../../src/runtime/current.ts";
import { spawnStream } from "../../../src/runtime/stream-child.ts";

const nothing = (): void => {};
const options = { env: {}, onData: nothing, onDrain: nothing, onEnd: nothing, onExit: nothing };
const runtime = await currentRuntime();
const { pid } = spawnStream({ command: ["/bin/sleep", "120"], ...options });
runtime.writeOut(String(pid));
runtime.exit(0);
