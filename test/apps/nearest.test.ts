import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, namesNear, nearest } from "../../src/apps/nearest.ts";

test("distances", () => {
  for (const [a, b, distance] of [
    ["", "", 0],
    ["", "abc", 3],
    ["port", "port", 0],
    ["prot", "port", 1],
    ["por", "port", 1],
    ["ports", "port", 1],
    ["part", "port", 1],
    ["kitten", "sitting", 3],
  ] as const) {
    assert.equal(editDistance(a, b), distance, `${a} ${b}`);
    assert.equal(editDistance(b, a), distance, `${b} ${a}`);
  }
});

test("the nearest name, when it is near enough", () => {
  assert.equal(nearest("prot", ["host", "port"]), "port");
  assert.equal(nearest("PORT", ["host", "port"]), "port");
  assert.equal(nearest("xyzzy", ["host", "port"]), undefined);
  assert.equal(nearest("a", []), undefined);
});

test("names one typing mistake away", () => {
  const near = new Set(namesNear("Main"));
  for (const name of ["main", "Man", "Mian", "Mains", "Ma1n"]) assert.ok(near.has(name), name);
  assert.ok(!near.has("other"));
});
