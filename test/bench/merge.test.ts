/** Several runs of one commit as one result. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, samplesOf } from "../../bench/goals.ts";
import type { BenchResult, IdleSample } from "../../bench/load/types.ts";
import { merge } from "../../bench/merge.ts";
import { renderReport } from "../../bench/report.ts";
import { rates, result, row } from "./fixtures.ts";

const idle = (rssPerConnection: number) => ({ round: 0, rssPerConnection }) as IdleSample;

function microRow(name: string, ...nanoseconds: number[]): BenchResult["micro"][number] {
  const rounds = nanoseconds.map((ns, round) => ({
    ...{ round, p25Ns: ns, p50Ns: ns, p75Ns: ns, calibration: 100, busy: 1 },
  }));
  return { suite: "parser", runtime: "bun", name, p25Ns: 0, p50Ns: 0, p75Ns: 0, rounds };
}

test("rounds of both stand in one row, each compared within its own run", () => {
  const first = result({ "web/hello@1": row({ "ringcorn-bun": rates(100, 100), "bun-serve": rates(50, 50) }) });
  const second = result({ "web/hello@1": row({ "ringcorn-bun": rates(30), "bun-serve": rates(10) }) });
  const both = merge([first, second]);
  assert.deepEqual(
    samplesOf(both, "web/hello@1", "ringcorn-bun").map((s) => [s.round, s.requestsPerSecond]),
    [
      [0, 100],
      [1, 100],
      [2, 30],
    ],
  );
  assert.deepEqual(compare(both, "web/hello@1", "ringcorn-bun", "bun-serve")?.perRound, {
    count: 3,
    q1: 2,
    median: 2,
    q3: 2.5,
  });
  assert.equal(both.settings.rounds, first.settings.rounds + second.settings.rounds);
});

test("a server that the first run lacks is compared with nobody's rounds of that run", () => {
  const first = result({ "web/hello@1": row({ "ringcorn-bun": rates(100, 100) }) });
  const second = result({ "web/hello@1": row({ "ringcorn-bun": rates(30), "bun-serve": rates(10) }) });
  const perRound = compare(merge([first, second]), "web/hello@1", "ringcorn-bun", "bun-serve")?.perRound;
  assert.deepEqual([perRound?.count, perRound?.median], [1, 3]);
});

test("what only one run has stays as it is", () => {
  const first = result({ "web/hello@1": row({ "ringcorn-bun": rates(1) }) }, { notes: ["a"], missing: { uwsgi: "x" } });
  const second = result({ "web/json@1": row({ "ringcorn-bun": rates(2) }) }, { notes: ["a", "b"], done: ["web/json"] });
  const both = merge([first, second]);
  assert.deepEqual(Object.keys(both.http), ["web/hello@1", "web/json@1"]);
  assert.deepEqual(both.notes.slice(0, 2), ["a", "b"]);
  assert.match(both.notes[2], /^Rounds of a run of 2026/);
  assert.deepEqual([both.missing, both.done], [{ uwsgi: "x" }, ["web/json"]]);
});

test("how servers and load generators were started is told of both runs", () => {
  const first = result({ hello: { ...row({ a: rates(1) }), commands: { a: "run a" }, loads: { wrk: "wrk" } } });
  const loads = { h2load: "h2load" };
  const second = result(
    { hello: { ...row({ b: rates(1) }), commands: { b: "run b" }, loads } },
    { commands: { i: "x" } },
  );
  const both = merge([first, second]);
  assert.deepEqual(both.http.hello.commands, { a: "run a", b: "run b" });
  assert.deepEqual(both.http.hello.loads, { wrk: "wrk", ...loads });
  assert.deepEqual(both.commands, { i: "x" });
});

test("idle connections and micro benchmarks are put together too", () => {
  const first = result({}, { idle: { "ringcorn-bun": [idle(1)] }, micro: [microRow("a", 10, 20)] });
  const second = result({}, { idle: { "ringcorn-bun": [idle(3)] }, micro: [microRow("a", 40, 50), microRow("b", 7)] });
  const both = merge([first, second]);
  assert.deepEqual(
    both.idle["ringcorn-bun"].map(({ round, rssPerConnection }) => [round, rssPerConnection]),
    [
      [0, 1],
      [1, 3],
    ],
  );
  const [a, b] = both.micro;
  assert.deepEqual(
    a.rounds?.map(({ round }) => round),
    [0, 1, 2, 3],
  );
  assert.deepEqual([a.p50Ns, b.p50Ns], [30, 7]);
});

test("the result is whole only when all were, can be reported, and can't be gone on with", () => {
  const row1 = { "web/hello@1": row({ "ringcorn-bun": rates(1) }) };
  const both = merge([result(row1, { args: [] }), result(row1, { complete: false })]);
  assert.equal(both.complete, false);
  assert.equal(both.args, undefined);
  assert.equal(both.command, "npm run bench && npm run bench");
  assert.match(renderReport(both), /INTERRUPTED/);
});

const machine = result({}).machine;
for (const [what, other, pattern] of [
  ["commits", { machine: { ...machine, versions: { ringcorn: "def" } } }, /differ in their commit: \? and def/],
  ["processors", { machine: { ...machine, cpu: "Another" } }, /the processor: A processor and Another/],
  ["lengths", { settings: { ...result({}).settings, seconds: 9 } }, /differ in seconds: 3 and 9/],
] as const) {
  test(`runs of two ${what} make no report`, () =>
    assert.throws(() => merge([result({}), result({}, other)]), { name: "PlainError", message: pattern }));
}

test("one run alone stays itself", () => {
  const one = result({});
  assert.equal(merge([one]), one);
});
