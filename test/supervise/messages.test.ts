import assert from "node:assert/strict";
import { test } from "node:test";
import { asFromWorker, asToWorker } from "../../src/supervise/messages.ts";

test("messages are known by their type, each direction its own", () => {
  assert.deepEqual(asToWorker({ type: "stop" }), { type: "stop" });
  assert.deepEqual(asFromWorker({ type: "retiring" }), { type: "retiring" });
  assert.equal(asToWorker({ type: "retiring" }), undefined);
  assert.equal(asFromWorker({ type: "stop" }), undefined);
  for (const odd of [undefined, null, 0, "stop", [], {}, { type: 1 }]) {
    assert.equal(asToWorker(odd), undefined);
    assert.equal(asFromWorker(odd), undefined);
  }
});
