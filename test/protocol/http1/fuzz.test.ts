/** A bounded run of the fuzzer; test/fuzz/http1.ts runs longer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzOnce, outcomes } from "../../fuzz/http1.ts";

const STREAMS = 250;

for (let part = 0; part < 8; part++) {
  test(`fuzz: seeds from ${part * STREAMS} on`, () => {
    for (let i = 0; i < STREAMS; i++) fuzzOnce(part * STREAMS + i);
  });
}

test("the fuzzer's streams reach heads, content, ends and refusals of all kinds", () => {
  const seen = outcomes(1, 2000);
  for (const kind of ["head", "body", "end", "idle", "busy", "bad-field-name", "bad-chunk-end", "repeated-host"]) {
    assert.ok((seen.get(kind) ?? 0) >= 10, `${kind}: ${seen.get(kind)}`);
  }
  assert.ok(seen.size >= 20, `${[...seen.keys()]}`);
});
