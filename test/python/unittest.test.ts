/** Runs the Python half's own tests: a case for each of its files, with the .venv's Python if it is there: then what
 * needs anyio or uvloop is tested too. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, PYTHON } from "../harness/python.ts";

const HERE = fileURLToPath(new URL("./", import.meta.url));

for (const file of readdirSync(HERE).filter((name) => name.endsWith("_test.py"))) {
  test(`python -m unittest ${file}`, { skip: missing() }, () => {
    const run = spawnSync(PYTHON, ["-B", "-m", "unittest", file.replace(".py", "")], {
      cwd: HERE,
      encoding: "utf8",
    });
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stderr, /Ran [1-9]\d* tests?/);
  });
}
