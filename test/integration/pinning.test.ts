/** `--pin`: real processes on cores of their own, also those that take another's place. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { coreSets, parseCoreList } from "../../src/supervise/pinning.ts";
import { below, check, TWO } from "../harness/scene.ts";
import { RUNTIMES, withServer } from "../harness/server.ts";
import { appText, gone, Site } from "../harness/site.ts";
import { until } from "../harness/wait.ts";

const site = new Site();
const APP = site.write("app.ts", appText("v1"));
const isAble = process.platform === "linux" && spawnSync("taskset", ["--version"]).error === undefined;

/** The cores on which the first thread of a process may run. */
function coresOf(pid: number | string): string {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return parseCoreList(list ?? "").join(",");
}

function children(pid: number): number[] {
  const listed = spawnSync("ps", ["--ppid", `${pid}`, "-o", "pid="], { encoding: "utf8" }).stdout;
  return listed.trim().split(/\s+/).filter(Boolean).map(Number);
}

/** Of two places, in order. */
function expected(): string[] {
  return coreSets(parseCoreList(coresOf("self")), 2)
    .map((set) => set.join(","))
    .sort();
}

if (!isAble) test("--pin", { skip: "it needs Linux and taskset" }, () => {});
else {
  check(
    "--pin: each front and its worker share cores of their own",
    ["--fronts", "2", "--pin", ...TWO],
    async (scene) => {
      const supervisor = scene.server.pid;
      const placed = () =>
        until(() => {
          const fronts = children(supervisor);
          return fronts.length === 2 && fronts.every((front) => below(front).length > 0) ? fronts : undefined;
        }, "two fronts have their workers");
      const fronts = await placed();
      assert.deepEqual(fronts.map(coresOf).sort(), expected());
      for (const front of fronts) for (const pid of below(front)) assert.equal(coresOf(pid), coresOf(front));
      process.kill(fronts[0], "SIGKILL");
      await gone(fronts[0], "a front");
      assert.deepEqual((await placed()).map(coresOf).sort(), expected());
    },
  );

  for (const runtime of RUNTIMES) {
    test(`${runtime}: --pin: each process has cores of its own`, () =>
      withServer(runtime, APP, ["--no-access-log", "--workers", "2", "--pin"], async (server) => {
        const processes = await until(() => {
          const pids = children(server.pid);
          return pids.length === 2 ? pids : undefined;
        }, "two processes");
        await until(() => processes.map(coresOf).sort().join(" ") === expected().join(" "), "each is on its cores");
      }));
  }
}
