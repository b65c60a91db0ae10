/** What waits to be sent leaves with a large body, where there is room in front of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { joinAhead } from "../../src/asgi/room-ahead.ts";
import { OutBuffer } from "../../src/protocol/buffer.ts";

const HEAD = new TextEncoder().encode("head");

function waiting(): OutBuffer {
  const out = new OutBuffer();
  out.append(HEAD, 0, HEAD.length);
  out.commit();
  return out;
}

function body(length: number): Uint8Array {
  return new Uint8Array(length + 100).fill(120).subarray(100);
}

test("what waits is written in front of the body, and nothing before that", () => {
  const out = waiting();
  const bytes = body(20_000);
  const joined = joinAhead(out, bytes, 4);
  assert.ok(joined !== null);
  assert.equal(joined.length, 20_004);
  assert.equal(joined.buffer, bytes.buffer);
  assert.equal(new TextDecoder().decode(joined.subarray(0, 6)), "headxx");
  assert.equal(new Uint8Array(bytes.buffer)[95], 120);
  assert.equal(out.end, 0);
});

test("where there is too little room, too little body, nothing that waits or half a head, all stays as it is", () => {
  const cases: [OutBuffer, Uint8Array, number][] = [
    [waiting(), body(20_000), 3],
    [waiting(), body(1_000), 100],
    [new OutBuffer(), body(20_000), 100],
    [waiting(), body(20_000), 100],
  ];
  cases[3][0].append(HEAD, 0, 1);
  for (const [out, bytes, room] of cases) {
    const before = out.end;
    assert.equal(joinAhead(out, bytes, room), null);
    assert.equal(out.end, before);
    assert.ok(new Uint8Array(bytes.buffer).every((byte) => byte === 120));
  }
});
