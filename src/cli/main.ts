/** The program: chooses the runtime and starts the command. An executable with an application of its own begins elsewhere. */
import * as library from "../index.ts";
import { currentRuntime } from "../runtime/current.ts";
import { main } from "./command.ts";

await main(await currentRuntime(), { library });
