/** Every dependency is pinned to one version, and docs/DEPENDENCIES.md says why it is there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
};
const packages = { ...manifest.dependencies, ...manifest.devDependencies };
const documented = new Map(
  [...readFileSync(new URL("docs/DEPENDENCIES.md", root), "utf8").matchAll(/^\| `([^`]+)` +\| (.+?) +\|$/gm)].map(
    (row) => [row[1], row[2]] as const,
  ),
);

test("every dependency is pinned to an exact version", () => {
  const loose = Object.entries(packages).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
  assert.deepEqual(loose, []);
});

test("every dependency has its line in docs/DEPENDENCIES.md, and no line is left over", () => {
  assert.deepEqual([...documented.keys()].sort(), Object.keys(packages).sort());
  assert.deepEqual(
    [...documented].filter(([, why]) => why.trim().length < 10),
    [],
  );
});

test("every Python requirement is pinned", () => {
  const lines = readFileSync(new URL("requirements-dev.txt", root), "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
  assert.notEqual(lines.length, 0);
  assert.deepEqual(
    lines.filter((line) => !/^[\w.-]+==\d+(\.\d+)+$/.test(line)),
    [],
  );
});
