/** Queues whose first entries have been taken. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cutTaken } from "../../src/channel/queue.ts";

test("a queue that is never empty stays as short as what waits in it, and keeps its order", () => {
  const queue: number[] = [];
  let first = 0;
  let longest = 0;
  for (let i = 0; i < 10_000; i++) {
    queue.push(i);
    if (i < 20) continue;
    assert.equal(queue[first], i - 20);
    queue[first++] = -1;
    first = cutTaken(queue, first);
    longest = Math.max(longest, queue.length);
  }
  assert.deepEqual(
    queue.slice(first),
    Array.from({ length: 20 }, (_, i) => 9_980 + i),
  );
  assert.ok(longest < 128, `${longest} entries`);
});

test("what is taken of a long queue is not cut off each time", () => {
  const queue = new Array<number>(10_000).fill(0);
  assert.equal(cutTaken(queue, 4_999), 4_999);
  assert.equal(cutTaken(queue, 5_000), 0);
  assert.equal(queue.length, 5_000);
});
