/** The suite as a whole, on one core, with the load generator that comes with npm: a sample is measured, then Ctrl-C. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { allowedCpus } from "../../bench/load/machine.ts";
import { processTree } from "../../bench/load/procfs.ts";
import { program, ROOT } from "../../bench/load/programs.ts";
import { readResult } from "../../bench/results.ts";

const skip = existsSync("/proc/self/status") ? false : "no Linux";

test("an interrupted run keeps what it has measured, says so, and leaves no process", { skip }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringcorn-run-"));
  const json = join(directory, "result.json");
  const [core] = allowedCpus();
  const args = ["--only", "http/hello", "--servers", "bun-serve", "--tools", "autocannon", "--rounds", "3"];
  const short = ["--seconds", "1", "--warmup", "1", "--cpus", `${core}:${core}`, "--scratch", "--json", json];
  // Not the user's cache: a run that is under way elsewhere is no concern of a test.
  const env = { ...process.env, XDG_CACHE_HOME: directory };
  const child = spawn(program("bun"), ["bench/run.ts", ...args, ...short], { cwd: ROOT, env });
  try {
    let out = "";
    let err = "";
    let tree: number[] = [];
    child.stdout.on("data", (piece: Buffer) => {
      out += piece.toString("utf8");
    });
    child.stderr.on("data", (piece: Buffer) => {
      err += piece.toString("utf8");
      if (tree.length > 0 || !err.includes("http/hello 1/3")) return;
      tree = processTree(child.pid!);
      child.kill("SIGINT");
    });
    await new Promise((resolve) => child.once("close", resolve));
    assert.match(err, /Interrupted: what is done is kept/);
    assert.match(out, /INTERRUPTED/);
    assert.deepEqual(
      tree.filter((pid) => existsSync(`/proc/${pid}/exe`)),
      [],
    );
    const { complete, done, http, machine } = readResult(json);
    assert.deepEqual([complete, done, machine.shared], [false, [], true]);
    const suite = http["http/hello"];
    const [sample] = suite.samples["bun-serve"];
    assert.ok(sample.requests > 0 && sample.serverCpuSeconds > 0 && sample.peakRssBytes > 1e6, JSON.stringify(sample));
    assert.ok(sample.p50Us <= sample.p99Us && sample.p99Us <= sample.p999Us!, JSON.stringify(sample));
    assert.ok(sample.generatorUtilisation > 0 && sample.errors === 0, JSON.stringify(sample));
    assert.match(suite.loads!.autocannon, /autocannon --json -c 64 -d 1 -p 1 http:\/\/127\.0\.0\.1:PORT\/$/);
    assert.match(suite.commands!["bun-serve"], /bench\/peers\/bun-serve\.ts$/);
    assert.equal(JSON.parse(readFileSync(json, "utf8")).args.length, args.length + short.length);
  } finally {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
});
