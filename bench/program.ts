/** How the programs of bench/ run: a mistake of the user's is one line and status 2, not a trace. */
import { exit, stderr } from "node:process";
import { PlainError } from "../src/runtime/types.ts";

/** Runs `main` and leaves with the status it returns; where it returns none, when nothing is under way any more. */
export async function runProgram(main: () => Promise<number> | Promise<void>): Promise<void> {
  try {
    const status = await main();
    if (status !== undefined) exit(status);
  } catch (error) {
    const plain = error instanceof PlainError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
    if (!plain) throw error;
    stderr.write(`${(error as Error).message}\n`);
    exit(2);
  }
}
