/** Prints more than a pipe holds, then leaves at once: by exit, by running out of work, or by an exception. */
import { currentRuntime } from "../../../src/runtime/current.ts";

const runtime = await currentRuntime();
const [how, lines] = runtime.arguments();
for (let i = 0; i < Number(lines); i++) {
  runtime.writeOut(`line ${i} ${"-".repeat(90)}\n`);
  if (i % 1000 === 0) runtime.writeErr(`error ${i}\n`);
}
if (how === "exit") runtime.exit(3);
if (how === "throw") throw new Error("on purpose");
