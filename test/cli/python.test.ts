/** What an operator asks of a Python application's workers, before they are there and afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Operator } from "../../src/cli/python.ts";
import { createLogger } from "../../src/observe/log.ts";
import type { WorkerPool } from "../../src/python/pool.ts";

function pooled(): { readonly pool: WorkerPool; readonly did: string[] } {
  const did: string[] = [];
  const note = (what: string) => () => void did.push(what);
  const pool = { roll: note("roll"), reload: note("reload"), grow: note("grow"), shrink: note("shrink") };
  return { pool: pool as unknown as WorkerPool, did };
}

test("signals and changes that come before the workers wait for them", () => {
  const operator = new Operator(createLogger(() => {}, { level: "info", colours: false }));
  const { pool, did } = pooled();
  operator.roll();
  operator.grow();
  operator.grow();
  operator.shrink();
  operator.changed("main.py");
  operator.changed("main.py");
  operator.roll();
  operator.commands(pool);
  assert.deepEqual(did.splice(0), ["roll", "grow", "grow", "shrink", "reload"]);
  operator.roll();
  operator.changed("main.py");
  operator.shrink();
  assert.deepEqual(did, ["roll", "reload", "shrink"]);
});
