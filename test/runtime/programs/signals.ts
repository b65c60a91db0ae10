/** Says which signals it gets; ends at the second SIGTERM. */
import { currentRuntime } from "../../../src/runtime/current.ts";

const runtime = await currentRuntime();
for (const name of ["SIGINT", "SIGHUP", "SIGTTIN", "SIGTTOU"] as const) {
  runtime.onSignal(name, () => runtime.writeOut(`${name}\n`));
}
let terms = 0;
const remove = runtime.onSignal("SIGTERM", () => {
  runtime.writeOut("SIGTERM\n");
  if (++terms === 1) remove();
});
runtime.writeOut("ready\n");
setInterval(() => {}, 1000);
