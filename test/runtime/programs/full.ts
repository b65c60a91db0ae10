/** Prints while its disk is full, makes room by removing the named file, and prints again. */
import { unlinkSync } from "node:fs";
import { currentRuntime } from "../../../src/runtime/current.ts";

const runtime = await currentRuntime();
runtime.writeOut("one\n");
runtime.writeOut("two\n");
unlinkSync(runtime.arguments()[0]!);
runtime.writeOut("three\n");
runtime.writeOut("four\n");
runtime.exit(0);
