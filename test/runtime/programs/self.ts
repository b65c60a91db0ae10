/** Prints how it would start itself again. */
import { currentRuntime } from "../../../src/runtime/current.ts";

const runtime = await currentRuntime();
runtime.writeOut(JSON.stringify({ command: runtime.selfCommand(), arguments: runtime.arguments() }));
