/** How busy a load generator was while its load lasted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { busyShare, loadWindow, watchBusy } from "../../bench/load/busy.ts";
import { GUARD_MS } from "../harness/wait.ts";

/** Two cores: half a second to start in which hardly anything is used, a second of full load, and the end. */
const READINGS = Array.from({ length: 36 }, (_, i) => ({
  atMs: i * 50,
  seconds: 2 * Math.min(1, Math.max(0, (i * 50 - 500) / 1e3)),
}));

const percent = (share: number | undefined) => Math.round((share ?? Number.NaN) * 100);

test("a generator that was busy all through its load is full, however long it took to start and to end", () => {
  assert.equal(percent(busyShare(READINGS, loadWindow(1600, 1), 2)), 100);
  // What was reckoned before: all its processor time over all its life.
  assert.ok(2 / (1.75 * 2) < 0.6);
});

test("the time in which a generator adds up its figures is no part of its load", () => {
  // It ended at 1500, and was read at 1750.
  assert.equal(percent(busyShare(READINGS, loadWindow(1750, 1), 2)), 100);
});

test("half of the cores' time is a half", () => {
  const half = READINGS.map(({ atMs, seconds }) => ({ atMs, seconds: seconds / 2 }));
  assert.equal(percent(busyShare(half, [500, 1500], 2)), 50);
});

test("one reading says nothing", () => {
  assert.equal(busyShare(READINGS, [510, 590], 2), undefined);
  assert.equal(busyShare([], [0, 1000], 2), undefined);
});

test("this process is busy while it computes", async () => {
  const watch = watchBusy([process.pid]);
  const guard = performance.now() + GUARD_MS;
  let share: number | undefined;
  while (!(share !== undefined && share > 0) && performance.now() < guard) {
    for (const end = performance.now() + 20; performance.now() < end; );
    await new Promise((resolve) => setTimeout(resolve, 0));
    share = watch.share(1, 1);
  }
  watch.stop();
  assert.ok(share !== undefined && share > 0, String(share));
});
