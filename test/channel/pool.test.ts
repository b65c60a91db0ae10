/** The pool: made ahead, lent, taken back up to a bound. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pool } from "../../src/channel/pool.ts";

test("objects are made ahead, reused, and kept up to the bound", () => {
  let made = 0;
  const pool = new Pool(() => ({ id: made++ }), 2, 3);
  assert.deepEqual([made, pool.free, pool.lent], [2, 2, 0]);
  const lent = Array.from({ length: 5 }, () => pool.borrow());
  assert.deepEqual([made, pool.free, pool.lent], [5, 0, 5]);
  assert.equal(new Set(lent).size, 5, "nobody gets what another has");
  for (const item of lent) pool.giveBack(item);
  assert.deepEqual([made, pool.free, pool.lent], [5, 3, 0]);
  assert.equal(pool.borrow(), lent[2], "the last one given back, still warm");
  assert.equal(made, 5);
});
