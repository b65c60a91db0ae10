/** The arithmetic of the benchmark reports. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { median, quantile, ratio, rotated, spread } from "../../bench/load/stats.ts";

test("the median of an odd count is the middle value, whatever the order", () => {
  assert.equal(median([9, 1, 5]), 5);
});

test("the median of an even count lies halfway", () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("numbers are sorted as numbers, not as text", () => {
  assert.equal(median([10, 9, 100]), 10);
});

test("quartiles are interpolated as R and NumPy do", () => {
  assert.deepEqual(spread([1, 2, 3, 4, 5, 6, 7, 8]), { count: 8, q1: 2.75, median: 4.5, q3: 6.25 });
});

test("one value is its own quartiles", () => {
  assert.deepEqual(spread([7]), { count: 1, q1: 7, median: 7, q3: 7 });
});

test("the ends of the range are the least and the greatest value", () => {
  assert.equal(quantile([3, 1, 2], 0), 1);
  assert.equal(quantile([3, 1, 2], 1), 3);
});

test("no values give no number", () => {
  assert.ok(Number.isNaN(median([])));
});

test("what a tool could not tell is left out, also after a way through JSON", () => {
  const values = JSON.parse(JSON.stringify([Number.NaN, 3, 1, 2])) as number[];
  assert.equal(median(values), 2);
});

test("the input is left as it was", () => {
  const values = [3, 1, 2];
  median(values);
  assert.deepEqual(values, [3, 1, 2]);
});

test("a ratio pairs the values of the same round", () => {
  const ours = [10, 40, 90].map((value, round) => ({ round, value }));
  const theirs = [30, 20, 10].map((value, index) => ({ round: 2 - index, value }));
  const found = ratio(ours, theirs);
  assert.equal(found.ofMedians, 2);
  assert.equal(found.ofGreatest, 3);
  assert.deepEqual(found.perRound, { count: 3, q1: 1.5, median: 2, q3: 2.5 });
});

test("a round that one side lacks does not count among the pairs", () => {
  const found = ratio(
    [
      { round: 0, value: 8 },
      { round: 1, value: 100 },
    ],
    [{ round: 0, value: 4 }],
  );
  assert.deepEqual(found.perRound, { count: 1, q1: 2, median: 2, q3: 2 });
});

test("each round starts with another server and has them all", () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((round) => rotated(["a", "b", "c"], round).join("")),
    ["abc", "bca", "cab", "abc"],
  );
});

test("rotating nothing gives nothing", () => {
  assert.deepEqual(rotated([], 3), []);
});
