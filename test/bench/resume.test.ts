/** Going on with an interrupted run: what is left, what begins anew, and when it can't be done. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BenchResult } from "../../bench/load/types.ts";
import { argumentsOf, checkAlone, suitesLeft, withoutLoose } from "../../bench/resume.ts";

/** As much of a result as is looked at. */
function result(more: Partial<Record<keyof BenchResult, unknown>> = {}): BenchResult {
  return {
    machine: { versions: { ringcorn: "abc1234" } },
    complete: false,
    http: {},
    idle: {},
    memory: {},
    ...more,
  } as never;
}

test("what is done is not run again", () => {
  assert.deepEqual(suitesLeft(["idle", "http/hello", "web/json"], { done: ["idle", "web/json"] }), ["http/hello"]);
  assert.deepEqual(suitesLeft(["idle"], {}), ["idle"]);
});

test("it goes on with its own arguments", () => {
  assert.deepEqual(argumentsOf(result({ args: ["--quick"] }), "abc1234"), ["--quick"]);
});

for (const [what, found, revision, pattern] of [
  ["a complete run", result({ args: [], complete: true }), "abc1234", /is complete/],
  ["a run of another commit", result({ args: [] }), "def5678", /measured ringcorn abc1234, and this is def5678/],
  ["a result without arguments", result(), "abc1234", /begin anew/],
] as const) {
  test(`${what} can't go on`, () =>
    assert.throws(() => argumentsOf(found, revision), { name: "PlainError", message: pattern }));
}

test("what the interrupted suites have left is taken out, and nothing else", () => {
  const rows = { "python/hello": 1, "python/hello@2": 2, "python/hello-again@2": 3, "http/hello": 4 };
  const sockets = { "ringcorn-bun": [1], "ringcorn-bun-python": [2], "ringcorn-bun-python*2": [3] };
  const given = result({
    http: rows,
    idle: { "ringcorn-bun": [] },
    memory: { "ringcorn-bun": [] },
    idleSockets: sockets,
  });
  const left = withoutLoose(given, ["python/hello", "memory", "python-websocket/idle"]);
  assert.deepEqual(Object.keys(left.http), ["python/hello-again@2", "http/hello"]);
  assert.deepEqual([Object.keys(left.idle), Object.keys(left.memory)], [["ringcorn-bun"], []]);
  assert.deepEqual(Object.keys(left.idleSockets ?? {}), ["ringcorn-bun"]);
});

test("other options beside --resume, which would have no effect, are refused", () => {
  for (const args of [["--resume"], ["--resume", "a.json"]]) checkAlone(args);
  for (const args of [
    ["--resume", "--quick"],
    ["--resume", "a.json", "--json=b.json"],
    ["--resume", "a.json", "b.json"],
  ]) {
    assert.throws(() => checkAlone(args), { name: "PlainError", message: /give no others/ });
  }
});
