import assert from "node:assert/strict";
import { test } from "node:test";
import { FLEET_TRANSITIONS, nextState, WORKER_TRANSITIONS } from "../../src/supervise/states.ts";

function reachable(table: Readonly<Record<string, Readonly<Record<string, string | undefined>>>>, from: string) {
  const seen = new Set([from]);
  for (const state of seen) for (const next of Object.values(table[state])) if (next !== undefined) seen.add(next);
  return seen;
}

test("every state of a worker is reached, and each one ends with its exit", () => {
  assert.deepEqual([...reachable(WORKER_TRANSITIONS, "starting")].sort(), Object.keys(WORKER_TRANSITIONS).sort());
  for (const state of Object.keys(WORKER_TRANSITIONS)) {
    if (state !== "gone") assert.equal(nextState(state as "serving", "exit"), "gone", state);
  }
});

test("a worker that is told to stop never serves again", () => {
  const after = reachable(WORKER_TRANSITIONS, "stopping");
  assert.deepEqual([...after].sort(), ["gone", "stopping"]);
});

test("every phase is reached, and each one can be stopped", () => {
  assert.deepEqual([...reachable(FLEET_TRANSITIONS, "starting")].sort(), Object.keys(FLEET_TRANSITIONS).sort());
  for (const phase of ["starting", "waiting", "running"] as const) {
    assert.equal(FLEET_TRANSITIONS[phase].stop, "stopping");
  }
});
