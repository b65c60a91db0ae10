/** A bounded run of the fuzzer; test/fuzz/websocket.ts runs longer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzOnce, outcomes } from "../../fuzz/websocket.ts";

const STREAMS = 150;

for (let part = 0; part < 8; part++) {
  test(`fuzz: seeds from ${part * STREAMS} on`, () => {
    for (let i = 0; i < STREAMS; i++) fuzzOnce(part * STREAMS + i);
  });
}

test("the fuzzer's streams reach messages, control frames and violations of all kinds", () => {
  const seen = outcomes(1, 2000);
  const often = ["text", "binary", "ping", "pong", "close", "idle", "busy"];
  const violations = [
    "bad-utf8",
    "reserved-opcode",
    "reserved-bit",
    "not-masked",
    "length-not-minimal",
    "bad-close-code",
  ];
  for (const kind of [...often, ...violations]) assert.ok((seen.get(kind) ?? 0) >= 10, `${kind}: ${seen.get(kind)}`);
  assert.ok(seen.size >= 18, `${[...seen.keys()]}`);
});
