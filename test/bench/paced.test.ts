/** The load of fixed rate: when requests are due, how latencies are counted and added up, and what runs beside a load. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failuresIn } from "../../bench/load/companions.ts";
import { LatencyHistogram } from "../../bench/load/latencies.ts";
import { type PacedPart, sumPaced } from "../../bench/load/paced.ts";
import { paceFor } from "../../bench/load/rows.ts";
import { dueMs, rateFor, shareOf } from "../../bench/load/schedule.ts";
import { WORKLOADS } from "../../bench/load/workloads.ts";
import { rateFrom, settingsFrom } from "../../bench/options.ts";
import { renderReport } from "../../bench/report.ts";
import { result, row, SAMPLE } from "./fixtures.ts";

test("the processes' requests interleave: together they keep the rate", () => {
  const due = [0, 1].flatMap((part) => [0, 1, 2].map((index) => dueMs({ rate: 500, part, parts: 2 }, index)));
  assert.deepEqual(
    due.sort((a, b) => a - b),
    [1, 3, 5, 7, 9, 11],
  );
});

for (const rate of [1, 7, 500, 33_333]) {
  test(`in a second as many are due as the rate of ${rate} says, whatever they are split over`, () => {
    for (const parts of [1, 2, 3]) {
      let due = 0;
      for (let part = 0; part < parts; part++) {
        for (let index = 0; dueMs({ rate, part, parts }, index) < 1_000; index++) due++;
      }
      assert.equal(due, rate);
    }
  });
}

test("connections are split as evenly as can be", () => {
  assert.deepEqual(
    [0, 1, 2].map((part) => shareOf(64, part, 3)),
    [22, 21, 21],
  );
});

test("a share is one of the peak, and never nothing", () => {
  assert.equal(rateFor({ share: 0.7 }, 1_000), 700);
  assert.equal(rateFor({ share: 0.7 }, 0.1), 1);
  assert.equal(rateFor({ perSecond: 123 }, 1e6), 123);
});

function counts(...ms: number[]): number[] {
  const histogram = new LatencyHistogram();
  for (const each of ms) histogram.add(each);
  return histogram.counts();
}

const PART: PacedPart = {
  answered: 90,
  answeredInTime: 80,
  unanswered: 10,
  wrongStatus: 1,
  socketErrors: 2,
  latencies: counts(...Array.from({ length: 90 }, () => 0.1), ...Array.from({ length: 10 }, () => 2_000)),
  lateness: counts(0.007),
};

test("what is due and unanswered is an error, and in the tail", () => {
  const sum = sumPaced([PART, PART], 100, 2);
  assert.deepEqual([sum.requests, sum.requestsPerSecond, sum.unanswered, sum.errors], [180, 80, 20, 26]);
  assert.ok(Math.abs(sum.p50Us - 100) <= 1);
  assert.ok(sum.p99Us > 1.9e6);
  assert.ok(Math.abs(sum.lateP99Us - 7) <= 1);
});

const named = (name: string) => WORKLOADS.find((workload) => workload.name === name)!;

test("rows that say so are measured at a share of the peak, all others only when asked to", () => {
  assert.deepEqual(paceFor(named("web/hello"), {}), { share: 0.7 });
  assert.equal(paceFor(named("web/10kb"), {}), undefined);
  assert.deepEqual(paceFor(named("web/10kb"), { rate: { perSecond: 5 } }), { perSecond: 5 });
  assert.equal(paceFor(named("web/hello"), { rate: null }), undefined);
});

test("connections that end with each request, or each tenth, keep no fixed rate", () => {
  for (const name of ["web/short", "web/short-ten"])
    assert.equal(paceFor(named(name), { rate: { share: 1 } }), undefined);
});

test("--rate is a number, a share, or none", () => {
  assert.deepEqual(rateFrom("5000"), { perSecond: 5000 });
  assert.deepEqual(rateFrom("70%"), { share: 0.7 });
  assert.equal(rateFrom("none"), null);
  assert.equal(rateFrom(undefined), undefined);
  assert.equal("rate" in settingsFrom({}), false);
  for (const wrong of ["0", "101%", "0%", "x", "-1", "7.5", ""])
    assert.throws(() => rateFrom(wrong), /--rate takes/, wrong);
});

test("the report has the fixed rate's figures beside the row's", () => {
  const paced = { ...sumPaced([PART], 700, 1), serverCpuSeconds: 0.5 };
  const report = renderReport(result({ "web/hello@1": row({ "ringcorn-bun": [{ ...SAMPLE, paced }] }) }));
  assert.match(report, /at a fixed rate +\| asked\/s/);
  assert.match(report, /Ringcorn on Bun +\| 700 /);
  assert.match(report, /nothing is omitted/);
});

test("a companion's failures are read from its last line", () => {
  assert.equal(failuresIn("sent 9: refused 7, closed 1, accepted 0, failed 1"), 1);
  assert.equal(failuresIn("answered 5 failed 12"), 12);
  assert.equal(failuresIn("nothing"), 0);
});
