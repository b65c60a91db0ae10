/** Which test files `npm test -- part` provides Python's packages for. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

type Reaches = (root: string, files: readonly string[], target: string, read?: (path: string) => string) => boolean;

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const script = new URL("../../scripts/selection.mjs", import.meta.url).href;
const { reaches } = (await import(script)) as { reaches: Reaches };

function inTree(files: Readonly<Record<string, string>>, ...from: string[]): boolean {
  return reaches("/tree", from, "test/harness/python.ts", (path) => {
    const text = files[path.slice("/tree/".length)];
    if (text === undefined) throw new Error("ENOENT");
    return text;
  });
}

test("a file that imports the harness reaches it, by others too, and in circles", () => {
  const files = {
    "test/a.test.ts": 'import { b } from "./harness/b.ts";',
    "test/harness/b.ts": 'import "./c.ts";\nimport type { A } from "../a.test.ts";',
    "test/harness/c.ts": 'export { PYTHON } from "./python.ts";',
    "test/d.test.ts": 'const d = await import("./harness/c.ts");',
    "test/e.test.ts": 'import { e } from "./f.ts";\nconst text = "./harness/python.ts";',
    "test/f.ts": 'import { test } from "node:test";\nimport "./e.test.ts";\nimport "./missing.ts";',
  };
  assert.equal(inTree(files, "test/a.test.ts"), true);
  assert.equal(inTree(files, "test/d.test.ts"), true);
  assert.equal(inTree(files, "test/e.test.ts"), false);
  assert.equal(inTree(files, "test/e.test.ts", "test/a.test.ts"), true);
});

test("the tests of Python reach it, those of the protocol do not", () => {
  const target = "test/harness/python.ts";
  assert.match(readFileSync(`${ROOT}scripts/test.mjs`, "utf8"), new RegExp(`"${target}"`));
  assert.ok(reaches(ROOT, ["test/python/unittest.test.ts"], target));
  assert.ok(reaches(ROOT, ["test/integration/python-faults.test.ts"], target));
  assert.ok(!reaches(ROOT, ["test/protocol/buffer.test.ts", "test/integration/limits.test.ts"], target));
});
