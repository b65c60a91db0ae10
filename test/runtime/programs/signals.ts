/** Says which signals it gets; ends at the second SIGTERM. */
import { currentRuntime } from "../../../src/runtime/current.ts";

const runtime = await currentRuntime();
for (const name of ["SIGINT", "SIGHUP", "SIGTTIN", "SIGTTOU"] as const) {
  runtime.onSignal(name, () => say(name));
}
let terms = 0;
const remove = runtime.onSignal("SIGTERM", () => {
  say("SIGTERM");
  if (++terms === 1) remove();
});
say("ready");

function say(text: string): void {
  if (!runtime.arguments().includes("quiet")) runtime.writeOut(`${text}\n`);
}

setInterval(() => {}, 1000);
