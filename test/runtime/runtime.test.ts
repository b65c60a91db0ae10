/** The rest of `Runtime`: bytes to text, turns, files, modules, the process. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { PlainError } from "../../src/runtime/types.ts";
import { bytes, pattern, runtime, temporaryDirectory } from "./harness.ts";

test("latin1 of each single byte is its code unit", () => {
  for (let value = 0; value < 256; value++) {
    assert.equal(runtime.latin1(Uint8Array.of(65, value, 66), 1, 2), String.fromCharCode(value));
    const text = `${"A".repeat(20)}${String.fromCharCode(value)}B`;
    const long = Uint8Array.from(text, (char) => char.charCodeAt(0));
    assert.equal(runtime.latin1(long, 0, 22), text);
  }
});

test("latin1 of parts, of views and of long runs", () => {
  const all = Uint8Array.from({ length: 100_000 }, (_, i) => i & 0xff);
  const expected = Array.from(all, (value) => String.fromCharCode(value)).join("");
  assert.equal(runtime.latin1(all, 0, all.length), expected);
  assert.equal(runtime.latin1(all, 70, 90_001), expected.slice(70, 90_001));
  assert.equal(runtime.latin1(all.subarray(1000), 10, 50), expected.slice(1010, 1050));
  assert.equal(runtime.latin1(all, 5, 5), "");
  assert.equal(runtime.latin1(bytes("\u00ef\u00bb\u00bfGET"), 0, 9), "\u00c3\u00af\u00c2\u00bb\u00c2\u00bfGET");
  assert.equal(runtime.latin1(Uint8Array.of(0xef, 0xbb, 0xbf, 71), 0, 4), "\u00ef\u00bb\u00bfG");
});

test("defer runs after the microtasks, in order", async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    runtime.defer(() => order.push("deferred 1"));
    runtime.defer(() => {
      order.push("deferred 2");
      resolve();
    });
    Promise.resolve()
      .then(() => order.push("microtask 1"))
      .then(() => order.push("microtask 2"));
    order.push("sync");
  });
  assert.deepEqual(order, ["sync", "microtask 1", "microtask 2", "deferred 1", "deferred 2"]);
});

test("a deferred task that defers runs a turn later, and 1,000 tasks run in order", async () => {
  const order: number[] = [];
  let later = -1;
  await new Promise<void>((resolve) => {
    for (let i = 0; i < 1000; i++) {
      runtime.defer(() => {
        order.push(i);
        if (i !== 0) return;
        runtime.defer(() => {
          later = order.length;
          resolve();
        });
      });
    }
  });
  assert.equal(later, 1000);
  assert.deepEqual(
    order,
    Array.from({ length: 1000 }, (_, i) => i),
  );
});

test("the clock runs forwards", () => {
  const first = runtime.now();
  assert.ok(runtime.now() >= first);
});

test("the descriptor limit is this process's soft limit", () => {
  const limit = runtime.descriptorLimit();
  assert.ok(limit !== undefined && limit > 0);
  const child = `import { currentRuntime } from ${JSON.stringify(new URL("../../src/runtime/current.ts", import.meta.url).href)};
    console.log((await currentRuntime()).descriptorLimit());`;
  const directory = temporaryDirectory();
  const file = join(directory.path, "limit.ts");
  writeFileSync(file, child);
  const run = runtime.name === "deno" ? `'${process.execPath}' run -A` : `'${process.execPath}'`;
  const shell = spawnSync("sh", ["-c", `ulimit -S -n 200; ulimit -H -n 200; ${run} '${file}'`], { encoding: "utf8" });
  assert.equal(shell.stdout.trim(), "200", shell.stderr);
  directory.remove();
});

test("openFile reads at positions", async () => {
  const directory = temporaryDirectory();
  const path = join(directory.path, "file");
  const content = pattern(300_000);
  writeFileSync(path, content);
  const file = await runtime.openFile(path);
  assert.equal(file.sizeBytes, 300_000);
  const buffer = new Uint8Array(65_536);
  let at = 0;
  for (let count = -1; count !== 0; at += count) {
    count = await file.read(buffer, at);
    assert.deepEqual(buffer.subarray(0, count), content.subarray(at, at + count));
  }
  assert.equal(at, 300_000);
  assert.equal(await file.read(buffer.subarray(0, 10), 299_995), 5);
  assert.equal(await file.read(buffer, 400_000), 0);
  buffer.fill(0);
  assert.equal(file.readNow(buffer, 10, 20, 299_990), 10);
  assert.deepEqual(buffer.subarray(10, 20), content.subarray(299_990));
  assert.ok(buffer.subarray(20, 40).every((byte) => byte === 0));
  assert.equal(file.readNow(buffer, 0, 10, 400_000), 0);
  file.close();
  directory.remove();
});

test("openFile refuses what is not a regular file", async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory.path, "d"));
  const fifo = join(directory.path, "fifo");
  spawnSync("mkfifo", [fifo]);
  for (const path of [join(directory.path, "d"), fifo, "/dev/null"]) {
    await assert.rejects(runtime.openFile(path), (error: unknown) => {
      assert.ok(error instanceof PlainError, String(error));
      assert.match(error.message, /is not a regular file; /);
      return true;
    });
  }
  await assert.rejects(runtime.openFile(join(directory.path, "none")), { code: "ENOENT" });
  directory.remove();
});

test("importModule takes a path or a file URL, TypeScript included, and passes errors through", async () => {
  const directory = temporaryDirectory();
  const path = join(directory.path, "with space #1.ts");
  writeFileSync(path, "export const answer: number = 42 satisfies number;");
  assert.equal((await runtime.importModule(path)).answer, 42);
  assert.equal((await runtime.importModule(pathToFileURL(path).href)).answer, 42);
  const bad = join(directory.path, "bad.ts");
  writeFileSync(bad, "class Own extends Error {}; export const own = Own; throw new Own('mine');");
  await assert.rejects(runtime.importModule(bad), { message: "mine" });
  const wrong = join(directory.path, "wrong.ts");
  writeFileSync(wrong, "export const = 1;");
  await assert.rejects(runtime.importModule(wrong));
  await assert.rejects(runtime.importModule(join(directory.path, "none.ts")));
  directory.remove();
});

test("facts about the process", () => {
  assert.equal(runtime.name, "Deno" in globalThis ? "deno" : "bun");
  assert.match(runtime.version, /^\d+\.\d+\.\d+/);
  assert.equal(runtime.pid, process.pid);
  assert.equal(runtime.parentPid(), process.ppid);
  assert.equal(runtime.cwd(), process.cwd());
  assert.equal(runtime.resolvePath("a", "../b"), join(process.cwd(), "b"));
  assert.equal(runtime.resolvePath("/x", "y"), "/x/y");
  assert.equal(runtime.env().PATH, process.env.PATH);
  assert.ok(runtime.residentBytes() > 1_000_000);
  const self = new URL(import.meta.url).pathname;
  assert.ok(runtime.fileExists(self));
  assert.ok(!runtime.fileExists(`${self}.none`));
  assert.match(runtime.readTextFile(self), /facts about the process/);
});
