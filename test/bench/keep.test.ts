/** Results on disk, and two runs at once: what a full disk, a wrong path, an end in the middle and another run may not do. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { announce, oneAtATime, othersIn } from "../../bench/load/alone.ts";
import { checkCpus } from "../../bench/load/machine.ts";
import { program, ROOT } from "../../bench/load/programs.ts";
import { checkFolderOf, readResult, textOf, writeAll, writeWhole } from "../../bench/results.ts";
import { result } from "./fixtures.ts";

const directory = mkdtempSync(join(tmpdir(), "ringcorn-keep-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string) => join(directory, name);

test("a result is read back as it was, and what is none is refused by its path", () => {
  writeWhole(at("a.json"), textOf(result({})));
  assert.deepEqual(readResult(at("a.json")), JSON.parse(textOf(result({}))));
  for (const [name, text] of [
    ["broken.json", '{"machine": {'],
    ["other.json", '{"name": "ringcorn"}'],
    ["null.json", "null"],
  ]) {
    writeFileSync(at(name), text);
    assert.throws(() => readResult(at(name)), { name: "PlainError", message: new RegExp(`${name} holds no result`) });
  }
  assert.throws(() => readResult(at("nowhere.json")), /holds no result/);
});

test("what can't be written leaves what was there, is told, and the rest is written", () => {
  writeFileSync(at("old.json"), "old");
  // Where the new text would be gathered stands a folder.
  mkdirSync(at(`old.json.${process.pid}`));
  const told: string[] = [];
  const failed = writeAll(
    [
      [at("old.json"), "new"],
      [at("sub/new.json"), "new"],
    ],
    (line) => told.push(line),
  );
  assert.equal(failed, 1);
  assert.match(told.join(), /old\.json could not be written: /);
  assert.equal(readFileSync(at("old.json"), "utf8"), "old");
  assert.equal(readFileSync(at("sub/new.json"), "utf8"), "new");
  assert.deepEqual(readdirSync(at("sub")), ["new.json"]);
});

test("a full disk is told", { skip: existsSync("/dev/full") ? false : "no /dev/full" }, () => {
  const told: string[] = [];
  assert.equal(
    writeAll([["/dev/full", "x"]], (line) => told.push(line)),
    1,
  );
  assert.match(told.join(), /\/dev\/full could not be written: .*ENOSPC/);
});

test("--json into a folder that is not there is refused before the run", () => {
  assert.throws(() => checkFolderOf("json", at("none/a.json")), { name: "PlainError", message: /there is no folder/ });
  checkFolderOf("json", at("a.json"));
  checkFolderOf("json", undefined);
});

test("cores that the machine has not are refused", () => {
  const choice = { server: 0, generator: [2, 9], shared: false };
  assert.throws(() => checkCpus(choice, [0, 1, 2, 3]), {
    name: "PlainError",
    message: /core 9, and this machine has 0, 1/,
  });
  checkCpus({ ...choice, generator: [2] }, [0, 1, 2, 3]);
});

test("one at a time does the work, and a lock whose process is gone counts for nothing", async () => {
  const path = at("lock");
  const order: string[] = [];
  let waited = 0;
  // A process number that no one has, and one whose process began at another time.
  for (const stale of ["4194999 1", `${process.pid} 1`, ""]) {
    writeFileSync(path, stale);
    await oneAtATime(
      path,
      () => waited++,
      () => Promise.resolve(),
    );
  }
  assert.equal(waited, 0);
  let leave = () => {};
  const first = oneAtATime(
    path,
    () => waited++,
    async () => {
      order.push("first");
      await new Promise<void>((resolve) => {
        leave = resolve;
      });
      order.push("first done");
    },
  );
  const second = oneAtATime(
    path,
    () => {
      waited++;
      leave();
    },
    () => Promise.resolve(order.push("second")),
  );
  await Promise.all([first, second]);
  assert.deepEqual(order, ["first", "first done", "second"]);
  assert.equal(waited, 1);
  assert.ok(!existsSync(path));
});

test("a run sees others that still run, and not itself", async () => {
  const runs = at("runs");
  assert.deepEqual(othersIn(runs), []);
  announce(runs);
  assert.deepEqual(othersIn(runs), []);
  // A cache that can't be written to is no reason not to measure.
  announce(join(runs, String(process.pid), "below a file"));
  const other = spawn("sleep", ["60"]);
  const [, startedAt] = readFileSync(`/proc/${other.pid}/stat`, "latin1").split(") ");
  writeFileSync(join(runs, String(other.pid)), `${other.pid} ${startedAt.split(" ")[19]}`);
  writeFileSync(join(runs, "4194999"), "4194999 1");
  assert.deepEqual(othersIn(runs), [other.pid]);
  const ended = new Promise((resolve) => other.once("close", resolve));
  other.kill("SIGKILL");
  await ended;
  assert.deepEqual(othersIn(runs), []);
});

/** Runs a program of bench/ with arguments that it answers at once. */
function said(file: string, ...args: string[]): Promise<{ status: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(program("bun"), [join(ROOT, "bench", file), ...args], { cwd: ROOT }, (error, out, err) => {
      resolve({ status: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

for (const [file, ...args] of [
  ["run.ts", "--nonsense"],
  ["run.ts", "--html", "a.html", "--only", "micro"],
  ["run.ts", "--report", "package.json"],
  ["check.ts", "--rounds", "2"],
  ["check-slowed.ts", "--microseconds", "x"],
  ["profile.ts", "web/json", "--seconds", "x"],
  ["split.ts", "--nonsense"],
  ["websocket.ts", "--nonsense"],
  ["python-memory.ts", "--nonsense"],
]) {
  test(`bench/${file} ${args.join(" ")} is one line and status 2`, async () => {
    const { status, out, err } = await said(file, ...args);
    assert.deepEqual([status, out, err.trim().split("\n").length], [2, "", 1], err);
  });
}

for (const file of [
  "run.ts",
  "check.ts",
  "check-slowed.ts",
  "profile.ts",
  "split.ts",
  "websocket.ts",
  "python-memory.ts",
]) {
  test(`bench/${file} says what it takes when it is asked`, async () => {
    const { status, out } = await said(file, "--help");
    assert.equal(status, 0);
    assert.match(out, /--cpus|--seconds/);
  });
}
