/** The ring against a plain array, and the counting of what it keeps alive. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RING_SLOTS, SLOT_DATA, SLOT_END, SLOT_NONE } from "../../src/channel/layout.ts";
import { ByteRing } from "../../src/channel/ring.ts";

test("an empty ring has nothing to take", () => {
  const ring = new ByteRing();
  assert.equal(ring.take(), SLOT_NONE);
  assert.equal(ring.peek(), SLOT_NONE);
  assert.equal(ring.peekLength(), 0);
  assert.equal(ring.size, 0);
});

for (const slots of [0, 1, 3, 6, 63, -2, 2.5, Number.NaN]) {
  test(`${slots} slots are refused`, () => {
    assert.throws(() => new ByteRing(slots), RangeError);
  });
}

test("one slot is kept for the end", () => {
  const ring = new ByteRing(4);
  const piece = new Uint8Array(1);
  for (let i = 0; i < 3; i++) assert.equal(ring.push(piece, 0, 1), true);
  assert.equal(ring.full, true);
  assert.equal(ring.push(piece, 0, 1), false);
  ring.pushEnd();
  for (let i = 0; i < 3; i++) assert.equal(ring.take(), SLOT_DATA);
  assert.equal(ring.take(), SLOT_END);
  assert.equal(ring.take(), SLOT_NONE);
  assert.equal(new ByteRing().size, 0);
  assert.equal(RING_SLOTS & (RING_SLOTS - 1), 0);
});

interface Model {
  readonly bytes: Uint8Array | null;
  readonly start: number;
  readonly end: number;
}

/** Whole arrays kept alive, each counted once for a run of neighbours. */
function pinned(model: readonly Model[]): number {
  return model.reduce(
    (sum, { bytes }, i) => sum + (bytes !== null && model[i - 1]?.bytes !== bytes ? bytes.byteLength : 0),
    0,
  );
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("push" as const), array: fc.nat(2), cut: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("take" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const) }) },
);

for (const slots of [2, 4, 8]) {
  test(`a ring of ${slots} behaves like an array, pinned bytes included`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const arrays = [new Uint8Array(20), new Uint8Array(100), new Uint8Array(7000)];
        const ring = new ByteRing(slots);
        let model: Model[] = [];
        for (const one of steps) {
          if (one.kind === "push") {
            const piece = { bytes: arrays[one.array], start: one.cut >> 1, end: one.cut };
            assert.equal(ring.push(piece.bytes, piece.start, piece.end), model.length < slots - 1);
            if (model.length < slots - 1) model.push(piece);
          } else if (one.kind === "clear") {
            ring.clear();
            assert.equal(ring.bytes, null);
            model = [];
          } else {
            const expected = model.shift();
            assert.equal(ring.take(), expected === undefined ? SLOT_NONE : SLOT_DATA);
            if (expected !== undefined) {
              assert.equal(ring.bytes, expected.bytes);
              assert.deepEqual([ring.start, ring.end], [expected.start, expected.end]);
            }
          }
          assert.equal(ring.size, model.length);
          assert.equal(ring.full, model.length === slots - 1);
          assert.equal(ring.peekLength(), model.length === 0 ? 0 : model[0].end - model[0].start);
          assert.equal(ring.pinnedBytes, pinned(model));
        }
      }),
      { numRuns: 300 },
    );
  });
}
