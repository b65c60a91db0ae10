/**
 * Several processes of one peer on one port, for the rows on several cores: Node's cluster, or (Bun and Deno) programs that
 * share the port by SO_REUSEPORT, as each runtime's own documentation has it.
 *
 *   node many.mjs COUNT cluster FILE
 *   node many.mjs COUNT spawn PROGRAM [ARGUMENT ...]
 */
import { spawn } from "node:child_process";
import cluster from "node:cluster";
import { resolve } from "node:path";

const [count, how, ...command] = process.argv.slice(2);

if (how === "cluster") {
  cluster.setupPrimary({ exec: resolve(command[0]) });
  for (let i = 0; i < Number(count); i++) cluster.fork();
} else {
  const env = { ...process.env, REUSE_PORT: "1" };
  for (let i = 0; i < Number(count); i++) spawn(command[0], command.slice(1), { env, stdio: "inherit" });
}
