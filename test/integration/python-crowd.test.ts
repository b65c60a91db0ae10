/** As many connections as a process may have descriptors for, up to 10,000, and the death of the worker that serves them. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { installed, Program } from "../harness/program.ts";
import { check } from "../harness/scene.ts";
import { ROOT } from "../harness/server.ts";

const WANTED = 10_000;
/** Of the server and of the client, besides one for each connection; the server keeps 128 in reserve. */
const SPARE_DESCRIPTORS = 256;

const limit = spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).stdout.trim();
const count = limit === "unlimited" ? WANTED : Math.min(WANTED, Number(limit) - SPARE_DESCRIPTORS);

if (installed("node")) {
  check(`${count} connections outlive the worker that serves them`, [], async (scene) => {
    const [pid] = await scene.workers(1);
    const client = new Program([
      "node",
      join(ROOT, "test/harness/crowd.mjs"),
      new URL(scene.server.url).port,
      `${count}`,
    ]);
    try {
      await client.sees(new RegExp(`^${count} answers, 0 lost$`, "m"));
      process.kill(pid, "SIGKILL");
      await scene.server.sees(/Worker \d+ is gone/);
      await scene.workers(1, [pid]);
      client.type("again\n");
      await client.sees(new RegExp(`^${count} answers, 0 lost\n${count} answers, 0 lost$`, "m"));
    } finally {
      client.finish();
      await client.exit();
    }
  });
}
