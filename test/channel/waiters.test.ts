/** Waiters are woken in the order in which they were parked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Waiters } from "../../src/channel/waiters.ts";

test("each value goes to the waiter that came first", async () => {
  const waiters = new Waiters<number>();
  assert.equal(waiters.any, false);
  const parked = [waiters.park(), waiters.park(), waiters.park()];
  for (const value of [1, 2, 3]) {
    assert.equal(waiters.any, true);
    waiters.wake(value);
  }
  assert.equal(waiters.any, false);
  assert.deepEqual(await Promise.all(parked), [1, 2, 3]);
});

test("waking nobody is no error, and nothing is kept for later", async () => {
  const waiters = new Waiters<number>();
  waiters.wake(1);
  waiters.wakeAll(2);
  const parked = waiters.park();
  waiters.wake(3);
  assert.equal(await parked, 3);
});

test("wakeAll reaches all, and those who park afterwards wait", async () => {
  const waiters = new Waiters<string>();
  const parked = [waiters.park(), waiters.park()];
  waiters.wakeAll("gone");
  assert.deepEqual(await Promise.all(parked), ["gone", "gone"]);
  assert.equal(waiters.any, false);
  const later = waiters.park();
  waiters.wake("again");
  assert.equal(await later, "again");
});
