/** Starts another file of this directory as a child and relays: argument 1 is its name, the rest its arguments. */
import { fileURLToPath } from "node:url";
import { currentRuntime } from "../../../src/runtime/current.ts";

const runtime = await currentRuntime();
const [name, ...rest] = runtime.arguments();
const command = runtime.selfCommand();
command[command.length - 1] = fileURLToPath(new URL(name!, import.meta.url));
const child = runtime.spawn({
  command: [...command, ...rest],
  env: runtime.env() as Record<string, string>,
  onMessage: (message) => runtime.writeOut(`${JSON.stringify(message)}\n`),
  onExit: (code, signal) => runtime.exit(signal === null ? (code ?? 99) : 98),
});
child.send({ to: "child" });
setInterval(() => {}, 1000);
