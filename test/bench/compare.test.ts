/** Two runs compared, ratios judged against recorded ones, and the goals of the Python rows. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { chosenPairs } from "../../bench/check.ts";
import { slowed } from "../../bench/check-slowed.ts";
import { changes, differentConditions, isWide, renderDifference } from "../../bench/compare.ts";
import { outcomes } from "../../bench/goals.ts";
import { PYTHON_GOALS } from "../../bench/goals-python.ts";
import { spread } from "../../bench/load/stats.ts";
import type { BenchResult, HttpSample, IdleSample, MemorySample, SocketIdleSample } from "../../bench/load/types.ts";
import { listOf, settingsFrom } from "../../bench/options.ts";
import { renderReport } from "../../bench/report.ts";
import { judge, judgeAll, mergeRatios, ratiosOf, resolution } from "../../bench/verdict.ts";
import { rates, result, row, SAMPLE, suite, tails } from "./fixtures.ts";

const OURS = "ringcorn-bun-python";

test("a spread is wide from a tenth of the median on", () => {
  assert.equal(isWide({ count: 3, q1: 95, median: 100, q3: 105 }), false);
  assert.equal(isWide({ count: 3, q1: 94, median: 100, q3: 105 }), true);
});

test("a wide row is marked in the report, and the mark is explained", () => {
  const wide = renderReport(result({ "python/hello@1": row({ uvicorn: rates(50, 100, 200) }) }));
  assert.match(wide, /uvicorn +\| 100 \(75 to 150\) \(!\)/);
  assert.match(wide, /\(!\) marks/);
  const steady = renderReport(result({ "python/hello@1": row({ uvicorn: rates(99, 100, 101) }) }));
  assert.doesNotMatch(steady, /\(!\)/);
});

test("errors are shown by their kind", () => {
  const failing: HttpSample[] = [{ ...SAMPLE, errors: 7, wrongStatus: 5, socketErrors: 2 }];
  assert.match(
    renderReport(result({ "python/hello@1": row({ uvicorn: failing }) })),
    /7 \(5 wrong status, 2 sockets\)/,
  );
});

test("missing peers are counted and named with the reason", () => {
  const text = renderReport(result({}, { missing: { granian: "no wheel", uws: "in no registry" } }));
  assert.match(text, /missing: 2 peers/);
  assert.match(text, /- granian: no wheel/);
});

test("a change is clear only when the quartiles lie apart", () => {
  const before = result({ a: suite({ x: rates(100, 101, 102), y: rates(90, 100, 110) }) });
  const after = result({ a: suite({ x: rates(110, 111, 112), y: rates(95, 105, 115) }) });
  const [x, , y] = changes(before, after);
  assert.equal(x.clear, true);
  assert.equal(y.clear, false);
  const text = renderDifference(before, after);
  assert.match(text, /\+9\.9 % +\| better/);
  assert.match(text, /\+5\.0 % +\| within the spread/);
});

test("less processor time and less memory are better", () => {
  const cheaper = rates(100, 100, 100).map((sample) => ({ ...sample, serverCpuSeconds: 0.45 }));
  const idle = (rssPerConnection: number) => Array(3).fill({ rssPerConnection }) as IdleSample[];
  const before = result({ a: suite({ x: rates(100, 100, 100) }) }, { idle: { x: idle(2000) } });
  const after = result({ a: suite({ x: cheaper }) }, { idle: { x: idle(3000) } });
  const text = renderDifference(before, after);
  assert.match(text, /CPU µs a request +\| 90\.0 +\| 45\.0 +\| -50\.0 % +\| better/);
  assert.match(text, /bytes a connection +\| 2,000 +\| 3,000 +\| \+50\.0 % +\| worse/);
});

test("micro rows are compared by time and by what they allocate; a throttled one is never clear", () => {
  const row = (p50Ns: number, allocatedBytes: number, throttled = false) => ({
    ...({ suite: "parser", runtime: "bun", name: "one", throttled, allocatedBytes } as const),
    ...{ p25Ns: p50Ns, p50Ns, p75Ns: p50Ns },
  });
  const at = (...micro: BenchResult["micro"]) => result({}, { micro });
  const said = (before: BenchResult, after: BenchResult) =>
    changes(before, after).map(({ what, clear }) => [what, clear]);
  assert.deepEqual(said(at(row(100, 48)), at(row(50, 96))), [
    ["ns", true],
    ["bytes allocated", true],
  ]);
  assert.deepEqual(said(at(row(100, 48)), at(row(50, 48, true))), [
    ["ns", false],
    ["bytes allocated", false],
  ]);
  assert.match(renderDifference(at(row(100, 0)), at(row(100, 48))), /0\.0 +\| 48\.0 +\| from nothing +\| worse/);
  assert.deepEqual(said(at(row(100, 0)), at(row(100, 0))), [["ns", false]]);
});

test("one round is neither better nor worse than another: each differs from the next", () => {
  const text = renderDifference(result({ a: suite({ x: rates(100) }) }), result({ a: suite({ x: rates(150) }) }));
  assert.match(text, /requests\/s +\| 100 +\| 150 +\| \+50\.0 % +\| too few rounds/);
  const [two] = changes(result({ a: suite({ x: rates(1, 1, 1) }) }), result({ a: suite({ x: rates(2, 2) }) }));
  assert.deepEqual([two.clear, two.few], [false, true]);
});

test("a tail that has grown is told beside the rate", () => {
  const slow = rates(100, 100, 100).map((sample) => ({ ...sample, p99Us: 5_000 }));
  const before = result({ a: suite({ x: rates(100, 100, 100) }) });
  assert.match(
    renderDifference(before, result({ a: suite({ x: slow }) })),
    /p99 µs +\| 1,000 +\| 5,000 +\| .* \| worse/,
  );
});

test("transfers are compared each with its own kind, and idle WebSockets with and without compression", () => {
  const memory = (upload: number, download: number) => ({
    x: [
      { transfer: "upload", growthBytes: upload } as MemorySample,
      { transfer: "download", growthBytes: download } as MemorySample,
    ],
  });
  const sockets = (plain: number, deflated: number) => ({
    x: [
      { compressed: false, rssPerConnection: plain } as SocketIdleSample,
      { compressed: true, rssPerConnection: deflated } as SocketIdleSample,
    ],
  });
  const before = result({}, { memory: memory(10, 100), idleSockets: sockets(1000, 3000) });
  const after = result({}, { memory: memory(100, 10), idleSockets: sockets(1000, 6000) });
  assert.deepEqual(
    changes(before, after).map(({ suite: row, ratio }) => [row, ratio]),
    [
      ["memory, upload", 10],
      ["memory, download", 0.1],
      ["idle WebSockets", 1],
      ["idle WebSockets, compressed", 2],
    ],
  );
});

test("what an allocation's count leaves open is no change", () => {
  const at = (allocatedBytes: number) =>
    result({}, { micro: [{ suite: "p", runtime: "bun", name: "n", p25Ns: 1, p50Ns: 1, p75Ns: 1, allocatedBytes }] });
  const clear = (one: number, other: number) => changes(at(one), at(other)).at(-1)!.clear;
  assert.deepEqual([clear(100, 105), clear(100, 95), clear(100, 120)], [false, false, true]);
});

test("how much the peers changed is told: so much of ours is the machine's", () => {
  const at = (rate: number) => {
    const peers = Object.fromEntries(["uvicorn", "granian", "hypercorn"].map((id) => [id, rates(rate, rate, rate)]));
    return result({ a: suite({ [OURS]: rates(rate, rate, rate), ...peers }) });
  };
  assert.match(
    renderDifference(at(100), at(130)),
    /- what is not ours changed too, by a median of requests\/s \+30\.0 %, CPU/,
  );
  const few = (rate: number) => result({ a: suite({ [OURS]: rates(rate, rate, rate), uvicorn: rates(1, 1, 1) }) });
  assert.doesNotMatch(renderDifference(few(100), few(130)), /not ours/);
});

test("what is gone, and what is new, is named", () => {
  const before = result({ a: suite({ x: rates(1, 1, 1), uvicorn: rates(1) }) });
  const after = result({ a: suite({ x: rates(1, 1, 1) }), b: suite({ x: rates(2) }) });
  const text = renderDifference(before, after);
  assert.match(text, /- measured only before: a uvicorn\n- measured only now: b x\n\n\|/);
});

test("what only one run measured is in no difference", () => {
  assert.deepEqual(changes(result({ a: suite({ x: rates(1) }) }), result({ b: suite({ x: rates(1) }) })), []);
  assert.match(renderDifference(result({}), result({})), /no row in common/);
});

test("other conditions are named", () => {
  const before = result({});
  const after = result({}, { machine: { ...before.machine, cores: 8, versions: { bun: "1.5.0", deno: "2.9.6" } } });
  assert.deepEqual(differentConditions(before, after), ["cores: 4 then, 8 now", "bun: 1.4.5 then, 1.5.0 now"]);
});

const RECORDED = { q1: 0.98, median: 1, q3: 1.02 };

for (const [what, values, verdict] of [
  ["the same", [0.97, 1, 1.03], "ok"],
  ["a little less, within what is tolerated", [0.96, 0.965, 0.97], "ok"],
  ["clearly less", [0.88, 0.9, 0.92], "fell"],
  ["less, but too wide to tell", [0.7, 0.9, 1.2], "ok"],
  ["clearly more", [1.1, 1.12, 1.14], "better"],
  ["nothing", [], "not measured"],
] as const) {
  test(`bench:check: ${what} is "${verdict}"`, () => {
    assert.equal(judge(RECORDED, spread(values)), verdict);
  });
}

const PAIR = { suite: "a", ours: "x", theirs: "y" };
const BY_RATE = { ...PAIR, measure: "requests/s" } as const;

test("bench:check fails for a fall and for rows of ours that did not run, not for a peer that can't be had", () => {
  const recorded = [{ ...BY_RATE, ...RECORDED }];
  const at = (rate: number) => result({ a: suite({ x: rates(rate, rate, rate), y: rates(100, 100, 100) }) });
  assert.equal(judgeAll(recorded, at(100))[0].failed, false);
  assert.equal(judgeAll(recorded, at(80))[0].failed, true);
  assert.equal(judgeAll(recorded, result({}))[0].failed, true);
  assert.equal(judgeAll(recorded, result({}, { missing: { y: "no wheel" } }))[0].failed, false);
});

test("what is recorded is the ratio by rounds, and replaces only its own pair", () => {
  const found = ratiosOf(result({ a: suite({ x: rates(90, 110), y: rates(100, 100) }) }), [PAIR]);
  const [byRate, byTime, best] = found;
  assert.deepEqual(byRate, { ...BY_RATE, q1: 0.95, median: 1, q3: 1.05 });
  assert.deepEqual(byTime, { ...PAIR, measure: "requests/CPU s", q1: 1, median: 1, q3: 1 });
  const other = { ...BY_RATE, suite: "b", q1: 1, median: 1, q3: 1 };
  const merged = mergeRatios([{ ...BY_RATE, q1: 9, median: 9, q3: 9 }, other], found);
  assert.deepEqual(merged, [best, byTime, byRate, other]);
});

test("the least fall that a run could have seen is its widest ratio", () => {
  const recorded = [{ ...BY_RATE, ...RECORDED }];
  const judged = judgeAll(recorded, result({ a: suite({ x: rates(90, 110), y: rates(100, 100) }) }));
  assert.ok(Math.abs(resolution(judged) - 0.1) < 1e-9);
});

test("bench:check sees by the best rounds what wide rounds hide, and nothing where one round alone is good", () => {
  const best = { ...PAIR, measure: "best requests/CPU s", q1: 1, median: 1, q3: 1 } as const;
  const byTime = { ...PAIR, measure: "requests/CPU s", q1: 0.7, median: 0.8, q3: 0.9 } as const;
  // Processor time of each round, as a multiple of the peer's best.
  const at = (...times: number[]) => {
    const ours = times.map((time, round) => ({ ...SAMPLE, round, serverCpuSeconds: SAMPLE.serverCpuSeconds * time }));
    const judged = judgeAll([best, byTime], result({ a: suite({ x: ours, y: rates(100, 100, 100) }) }));
    return judged.map(({ verdict }) => verdict);
  };
  assert.deepEqual(at(1.3, 1.4, 1.5), ["fell", "ok"]);
  assert.deepEqual(at(1, 1.4, 1.5), ["ok", "ok"]);
  assert.deepEqual(at(1.2, 1.2, 1.2), ["ok", "ok"], "within what is tolerated");
  assert.deepEqual(at(1.3, 1.9, 2), ["fell", "fell"]);
});

test("bench:check sees more processor time for a request, where the rate is the same", () => {
  const recorded = [{ ...PAIR, measure: "requests/CPU s", ...RECORDED } as const];
  const at = (seconds: number) => {
    const ours = rates(100, 100, 100).map((sample) => ({ ...sample, serverCpuSeconds: seconds }));
    return result({ a: suite({ x: ours, y: rates(100, 100, 100) }) });
  };
  assert.equal(judgeAll(recorded, at(SAMPLE.serverCpuSeconds))[0].verdict, "ok");
  assert.equal(judgeAll(recorded, at(SAMPLE.serverCpuSeconds * 1.2))[0].verdict, "fell");
});

test("a slowed build has its loop in every request, and a source without the place for it is refused", () => {
  const source = readFileSync(new URL("../../src/asgi/scope.ts", import.meta.url), "utf8");
  const patched = slowed(source, 3);
  assert.match(patched, /\): HttpScope \{\n {4}for \(const until = performance\.now\(\) \+ 0\.003; /);
  const [loop] = /^.*for \(const until.*\n/m.exec(patched)!;
  assert.equal(patched.replace(loop, ""), source);
  assert.throws(() => slowed("", 3), /choose another place/);
});

test("bench:check takes a row's name with and without its cores", () => {
  const suites = (only: string) => [...new Set(chosenPairs(only).map((pair) => pair.suite))];
  assert.deepEqual(suites("python/hello"), ["python/hello@1"]);
  assert.deepEqual(suites("http"), ["http/hello", "http/pipelined"]);
  assert.ok(chosenPairs(undefined, true).length > chosenPairs(undefined).length);
  assert.throws(() => chosenPairs("nothing"), /names none/);
});

function reached(http: Parameters<typeof result>[0], what: string): boolean | undefined {
  const found = outcomes(result(http)).find((outcome) => outcome.what.startsWith(what));
  assert.ok(found !== undefined, `there is a goal ${what}`);
  return found.reached;
}

test("hello must be 1.15 times uvicorn's on one core and on two, and as fast on three", () => {
  const at = (rate: number, cores: number) => {
    const name = `python/hello@${cores}`;
    return reached({ [name]: row({ [OURS]: rates(rate), uvicorn: rates(100) }, cores) }, `${name}, requests/s`);
  };
  assert.deepEqual([at(114, 1), at(115, 1), at(114, 2), at(115, 2)], [false, true, false, true]);
  assert.deepEqual([at(99, 3), at(100, 3)], [false, true]);
});

test("the tail of the mix must be half of uvicorn's at most", () => {
  const at = (us: number) =>
    reached({ "python/slow-mix@2": row({ [OURS]: tails(us), uvicorn: tails(1000) }, 2) }, "python/slow-mix@2, p99.9");
  assert.deepEqual([at(500), at(501)], [true, false]);
});

test("there are goals for every Python row, and none for hello against granian", () => {
  const rows = new Set(PYTHON_GOALS.map((goal) => goal.suite.split("@")[0]));
  assert.equal(rows.size, 11);
  assert.ok(!PYTHON_GOALS.some((goal) => goal.suite.startsWith("python/hello@") && goal.theirs === "granian"));
  assert.ok(PYTHON_GOALS.some((goal) => goal.suite === "python/flask@3" && goal.theirs === "granian-wsgi"));
});

test("the numbers of cores can be chosen, and must be numbers", () => {
  assert.deepEqual(settingsFrom({ cores: "1,2" }).cores, [1, 2]);
  assert.deepEqual(settingsFrom({}).cores, [1, 2, 3]);
  assert.throws(() => settingsFrom({ cores: "1,x" }), /whole number/);
  assert.throws(() => listOf("against", "a,,b"), /commas/);
});
