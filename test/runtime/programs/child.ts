/** The child's side of the message pipe; argument 1 chooses what it does. */
import { appendFileSync } from "node:fs";
import { currentRuntime } from "../../../src/runtime/current.ts";
import type { ParentLink } from "../../../src/runtime/types.ts";

const runtime = await currentRuntime();
const [what, file] = runtime.arguments();
const found = runtime.parentLink();
if (found === undefined) runtime.exit(97);
const link = found as ParentLink;
const channelVariable = "RINGCORN_CHANNEL_FD" in runtime.env();
link.send({ pid: runtime.pid, parent: runtime.parentPid(), channelVariable, again: runtime.parentLink() === link });
link.onMessage((message) => {
  if (what === "orphan") {
    // The system names the new parent a moment after the old one's pipe has closed.
    if (message === undefined) setTimeout(() => report(file!), 100);
    return;
  }
  if (message === undefined) return;
  const text = "ä€😀".repeat(20_000);
  link.send({ echo: message, text });
  if (what === "exit") setTimeout(() => runtime.exit(7), 20);
});
if (what !== "natural") setInterval(() => {}, 1000);
// "natural": nothing but the link is left, which must not keep the process alive.
if (what === "natural") setTimeout(() => {}, 200);

function report(path: string): never {
  appendFileSync(path, `gone, parent ${runtime.parentPid()}\n`);
  return runtime.exit(0);
}
