/** Which targets are Python's. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pythonTarget } from "../../src/apps/python-target.ts";
import { currentRuntime } from "../../src/runtime/current.ts";

const runtime = await currentRuntime();
const folder = mkdtempSync(join(tmpdir(), "ringcorn-target-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "pack"));
mkdirSync(join(folder, "src"));
for (const file of [
  "main.py",
  "both.py",
  "both.ts",
  "pack/__init__.py",
  "pack/asgi.py",
  "src/inner.py",
  "only.ts",
  "my-site.py",
]) {
  writeFileSync(join(folder, file), "");
}

const CASES: readonly (readonly [string, string | undefined, string?])[] = [
  ["main:app", "main:app"],
  ["main", "main"],
  ["main:make()", "main:make()"],
  ["main:box.app", "main:box.app"],
  ["pack", "pack"],
  ["pack.asgi:application", "pack.asgi:application"],
  ["pack.misspelt:application", "pack.misspelt:application"],
  ["installed.package:app", "installed.package:app"],
  ["main.app", "main.app"],
  ["main.py", "main"],
  ["./main.py:app", "main:app"],
  ["src/inner.py:app", "inner:app", "src"],
  ["my-site:app", "my-site:app"],
  ["my-sote:app", undefined],
  ["both:app", undefined],
  ["only:app", undefined],
  ["only.ts", undefined],
  ["./only.ts:app", undefined],
  ["missing:app", undefined],
  ["missing.ts:app", undefined],
  ["missing.py:app", "missing.py:app"],
  ["./nowhere/app", undefined],
];

for (const [given, target, inner] of CASES) {
  test(`${given} is ${target === undefined ? "no Python target" : `Python's ${target}`}`, async () => {
    const found = await pythonTarget(runtime, given, folder, undefined);
    assert.equal(found?.target, target);
    if (inner !== undefined) assert.equal(found?.appDir, join(folder, inner));
  });
}

test("with --python any module is Python's", async () => {
  assert.equal((await pythonTarget(runtime, "missing:app", folder, "python3"))?.target, "missing:app");
});
