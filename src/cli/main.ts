/** The program: chooses the runtime and starts the command. */
import { currentRuntime } from "../runtime/current.ts";
import { main } from "./command.ts";

await main(await currentRuntime());
