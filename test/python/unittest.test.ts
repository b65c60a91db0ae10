/** Runs the Python half's own tests: a case for each of its files, with the Python that is on the PATH. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL("./", import.meta.url));
const hasPython = spawnSync("python3", ["--version"]).status === 0;

for (const file of readdirSync(HERE).filter((name) => name.endsWith("_test.py"))) {
  test(`python3 -m unittest ${file}`, { skip: hasPython ? false : "python3 is not installed" }, () => {
    const run = spawnSync("python3", ["-B", "-m", "unittest", file.replace(".py", "")], {
      cwd: HERE,
      encoding: "utf8",
    });
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stderr, /Ran [1-9]\d* tests?/);
  });
}
