/** The micro benchmarks' rounds: which count, what is quoted, and how the machine's speed is remembered. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { outcomes } from "../../bench/goals.ts";
import { parseMicro } from "../../bench/load/micro.ts";
import { parseAllocations } from "../../bench/micro/allocation.ts";
import { calibrate, fastestKnown, keepFastest, sessionKey } from "../../bench/micro/calibration.ts";
import { formatFigures, type MicroRound, resettle, settle, timesAsFast } from "../../bench/micro/rounds.ts";
import { renderReport } from "../../bench/report.ts";
import { result } from "./fixtures.ts";

/** Rounds of `[nanoseconds, calibration, busy]`. */
function roundsOf(...values: readonly (readonly [ns: number, calibration: number, busy?: number])[]): MicroRound[] {
  return values.map(([p50Ns, calibration, busy = 1], round) => ({
    ...{ round, p25Ns: p50Ns - 1, p50Ns, p75Ns: p50Ns + 1, calibration, busy },
  }));
}

test("rounds beside a slow calibration are discarded, and so are those that had no core of their own", () => {
  const settled = settle(roundsOf([10, 1000], [20, 799], [11, 800], [12, 990], [30, 1000, 0.5]), 1000);
  assert.deepEqual(settled, {
    ...{ p25Ns: 10.5, p50Ns: 11, p75Ns: 11.5 },
    ...{ calibration: 990, discarded: 2, throttled: false },
  });
});

test("with too few undisturbed rounds a row is throttled, and quotes all it has", () => {
  const settled = settle(roundsOf([10, 1000], [11, 1000], [20, 500], [21, 500], [22, 500]), 1000);
  assert.equal(settled.throttled, true);
  assert.equal(settled.p50Ns, 20);
  assert.equal(settled.discarded, 3);
});

test("a faster calibration that comes to be known later makes earlier rows throttled", () => {
  const rounds = roundsOf([10, 500], [10, 500], [10, 500]);
  const row = { name: "a", suite: "s", rounds, ...settle(rounds, 500) };
  assert.equal(row.throttled, false);
  const [again] = resettle([row], 1000);
  assert.equal(again.throttled, true);
  assert.equal(again.suite, "s");
  const old = { name: "b", p25Ns: 1, p50Ns: 2, p75Ns: 3 };
  assert.deepEqual(resettle([old], 1000), [old]);
});

test("two rows are compared within rounds", () => {
  const ours = { name: "a", p25Ns: 1, p50Ns: 10, p75Ns: 1, rounds: roundsOf([10, 1], [20, 1], [10, 1]) };
  const theirs = { name: "b", p25Ns: 1, p50Ns: 99, p75Ns: 1, rounds: roundsOf([30, 1], [60, 1]) };
  assert.equal(timesAsFast(ours, theirs), 3);
  assert.equal(timesAsFast({ ...ours, rounds: undefined }, theirs), 9.9);
});

test("a row says what was discarded, or that it was throttled", () => {
  const rounds = roundsOf([10, 1000], [10, 1000], [10, 1000], [90, 100]);
  const figures = { name: "x", bytes: 100, allocatedBytes: 48, rounds, ...settle(rounds, 1000) };
  const text = "x: 10.0 ns (10.0 to 10.0), 10.00 GB/s, allocates 48 B [1000 M/s, 1 of 4 discarded]";
  assert.equal(formatFigures(figures), text);
  assert.match(formatFigures({ ...figures, ...settle(rounds, 2000) }), /\[1000 M\/s, throttled\]$/);
  assert.equal(formatFigures({ name: "x", p25Ns: 100, p50Ns: 1234, p75Ns: 2000 }), "x: 1,234 ns (100 to 2,000)");
});

const ROW = { suite: "parser", runtime: "bun", name: "classic", bytes: 703 } as const;

test("the report has the allocation and the calibration of each row", () => {
  const rounds = roundsOf([500, 1000], [500, 1000], [500, 1000]);
  const micro = [{ ...ROW, allocatedBytes: 0, rounds, ...settle(rounds, 1000) }];
  const text = renderReport(result({}, { micro, calibration: { bun: 1000 } }));
  assert.match(text, /\| classic +\| bun +\| 500 ns \(500 to 500\) +\| 1\.41 GB\/s +\| 0 B +\| 1000 M\/s +\|/);
  assert.match(text, /fastest rate was bun 1000 M steps\/s/);
});

test("a goal in GB/s is not judged by a throttled row, unless it was reached all the same", () => {
  const outcomeAt = (ns: number) => {
    const rounds = roundsOf([ns, 1], [ns, 1]);
    const micro = [{ ...ROW, rounds, ...settle(rounds, 1000) }];
    return outcomes(result({}, { micro })).find(({ what }) => what === "parser, classic on Bun")!;
  };
  assert.deepEqual(
    [outcomeAt(1000).reached, outcomeAt(1000).measured],
    [undefined, "0.703 GB/s, throttled: not judged"],
  );
  assert.equal(outcomeAt(500).reached, true);
  const rounds = roundsOf([1000, 1], [1000, 1]);
  const text = renderReport(result({}, { micro: [{ ...ROW, rounds, ...settle(rounds, 1000) }] }));
  assert.match(text, /throttled: not judged +\| not judged/);
});

test("the fastest calibration is remembered for a day", () => {
  const directory = mkdtempSync(join(tmpdir(), "ringcorn-test-"));
  const file = join(directory, "deep/calibration.json");
  const hour = 3_600e3;
  try {
    assert.equal(fastestKnown(file, "a", 0), 0);
    assert.equal(keepFastest(100, file, "a", 0), 100);
    assert.equal(keepFastest(50, file, "b", 0), 50);
    assert.equal(keepFastest(90, file, "a", hour), 100);
    assert.equal(fastestKnown(file, "b", hour), 50);
    assert.equal(keepFastest(90, file, "a", 25 * hour), 90);
    writeFileSync(file, "no JSON");
    assert.equal(fastestKnown(file, "a", 0), 0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("each runtime and version has a calibration of its own", () => {
  assert.equal(sessionKey("A processor", { bun: "1.4.5", node: "24.3.0" }), "A processor, bun 1.4.5");
  assert.equal(sessionKey("A processor", { deno: "2.9.6", node: "24.3.0" }), "A processor, deno 2.9.6");
  assert.equal(sessionKey("A processor", { node: "20.1.0" }), "A processor, node 20.1.0");
});

test("the calibration gives a rate", () => {
  assert.ok(calibrate() > 1);
});

test("the allocations' line is found among what else was printed", () => {
  assert.deepEqual(parseAllocations('x\n{"allocations":{"a":1.5}}\n'), { a: 1.5 });
  assert.deepEqual(parseAllocations("x"), {});
});

test("what allocates is told from what does not", () => {
  const flags = "Bun" in globalThis ? [] : ["run", "-A", "--v8-flags=--expose-gc"];
  const file = fileURLToPath(new URL("./allocation-cases.ts", import.meta.url));
  // The collector must be off on Bun, which only a process of its own can have.
  const env = { ...process.env, BUN_JSC_useGC: "0" };
  const found = parseAllocations(execFileSync(process.execPath, [...flags, file], { encoding: "utf8", env }));
  assert.equal(found.nothing, 0);
  assert.ok(found.arrays >= 800 && found.arrays < 1100, `an array: ${found.arrays}`);
  assert.ok(found.later >= 800 && found.later < 1600, `an array that is awaited: ${found.later}`);
});

test("the worker's half of the wire format reports as the harness does, and beside the same file of calibrations", () => {
  const cache = mkdtempSync(join(tmpdir(), "ringcorn-test-"));
  try {
    const file = fileURLToPath(new URL("../../bench/micro/wire.py", import.meta.url));
    const env = { ...process.env, XDG_CACHE_HOME: cache };
    const code = "import sys; sys.argv=['wire.py','--json','--patience','0']; import wire; wire.ROUNDS=1; wire.main()";
    const output = execFileSync("python3", ["-c", code], { encoding: "utf8", env, cwd: join(file, "..") });
    const report = parseMicro(output);
    assert.ok(report !== undefined && report.results.length > 5);
    const [{ rounds, allocatedBytes }] = report.results;
    assert.ok(rounds!.length === 1 && rounds![0].p50Ns > 0 && rounds![0].calibration > 0);
    assert.ok(allocatedBytes! > 100, "a scope is no small thing");
    const kept = JSON.parse(readFileSync(join(cache, "ringcorn-bench/calibration.json"), "utf8")) as object;
    assert.match(Object.keys(kept)[0], /, python 3\.\d+\.\d+$/);
  } finally {
    rmSync(cache, { recursive: true });
  }
});
