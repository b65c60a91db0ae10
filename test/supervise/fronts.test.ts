/** Fronts of a Python application: shares, and one replacement after the other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/observe/log.ts";
import { Fronts } from "../../src/supervise/fronts.ts";

function serving(...shares: number[]) {
  const did: string[] = [];
  const log: string[] = [];
  const effects = {
    roll: (id: number) => void did.push(`roll ${id}`),
    resize: (id: number, workers: number) => void did.push(`resize ${id} to ${workers}`),
  };
  const logger = createLogger((line) => log.push(line), { level: "info", colours: false });
  const fronts = new Fronts(shares, effects, logger);
  for (const [place] of shares.entries()) fronts.ready(place + 1, place);
  return { fronts, log, did: () => did.splice(0) };
}

test("one front replaces its workers after the other", () => {
  const { fronts, did } = serving(1, 1);
  fronts.roll();
  assert.deepEqual(did(), ["roll 1"]);
  fronts.rolled(2, true);
  assert.deepEqual(did(), [], "it was not asked");
  fronts.rolled(1, true);
  assert.deepEqual(did(), ["roll 2"]);
  fronts.rolled(2, true);
  assert.deepEqual(did(), []);
});

test("the first that fails ends it", () => {
  const { fronts, did } = serving(1, 1);
  fronts.roll();
  fronts.rolled(1, false);
  assert.deepEqual(did(), ["roll 1"]);
  fronts.roll();
  assert.deepEqual(did(), ["roll 1"]);
});

test("a front that dies holds up nothing", () => {
  const { fronts, did } = serving(1, 1, 1);
  fronts.roll();
  fronts.gone(2);
  fronts.gone(1);
  assert.deepEqual(did(), ["roll 1", "roll 3"]);
});

test("another order meanwhile is told at once: the workers that are waited for may never start", () => {
  const { fronts, did } = serving(1, 1);
  fronts.roll();
  fronts.rolled(1, true);
  fronts.roll();
  assert.deepEqual(did(), ["roll 1", "roll 2", "roll 2"]);
  // It answers each.
  fronts.rolled(2, true);
  fronts.rolled(2, true);
  assert.deepEqual(did(), ["roll 1"]);
  fronts.rolled(1, true);
  assert.deepEqual(did(), []);
});

test("one more and one less, where it is fairest", () => {
  const { fronts, did, log } = serving(2, 1);
  fronts.grow();
  assert.deepEqual(did(), ["resize 2 to 2"]);
  fronts.shrink();
  fronts.shrink();
  assert.deepEqual(did(), ["resize 2 to 1", "resize 1 to 1"]);
  fronts.shrink();
  assert.deepEqual([did(), log.length], [[], 1]);
  fronts.grow();
  assert.equal(fronts.share(0), 2, "a front that starts there has as many");
});

test("what has been ordered while a front was starting it is told when it serves", () => {
  const { fronts, did } = serving(1, 1);
  assert.equal(fronts.share(1), 1);
  fronts.gone(2);
  fronts.grow();
  assert.deepEqual(did(), ["resize 1 to 2"]);
  fronts.grow();
  fronts.roll();
  assert.deepEqual(did(), ["roll 1"]);
  fronts.ready(3, 1);
  assert.deepEqual(did(), ["resize 3 to 2"]);
  fronts.rolled(1, true);
  assert.deepEqual(did(), ["roll 3"]);
  fronts.rolled(3, true);
  assert.equal(fronts.share(1), 2);
  fronts.ready(4, 1);
  assert.deepEqual(did(), [], "one that starts afterwards knows it all");
});

test("an order while no front serves", () => {
  const { fronts, did } = serving(1);
  fronts.gone(1);
  fronts.share(0);
  fronts.roll();
  assert.deepEqual(did(), []);
  fronts.ready(2, 0);
  assert.deepEqual(did(), ["roll 2"]);
});
