/** Runs the Python half's own tests: a case for each of its files, with the .venv's Python if it is there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL("./", import.meta.url));
const VENV = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
// With it, what needs anyio or uvloop is tested too.
const PYTHON = existsSync(VENV) ? VENV : "python3";
const hasPython = spawnSync(PYTHON, ["--version"]).status === 0;

for (const file of readdirSync(HERE).filter((name) => name.endsWith("_test.py"))) {
  test(`python -m unittest ${file}`, { skip: hasPython ? false : "python3 is not installed" }, () => {
    const run = spawnSync(PYTHON, ["-B", "-m", "unittest", file.replace(".py", "")], {
      cwd: HERE,
      encoding: "utf8",
    });
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stderr, /Ran [1-9]\d* tests?/);
  });
}
