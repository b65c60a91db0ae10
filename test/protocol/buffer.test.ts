/** The output buffer against a plain array of bytes: what leaves is what was committed, in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BUFFER_INITIAL_BYTES, BUFFER_MAX_BYTES, OutBuffer } from "../../src/protocol/buffer.ts";

const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant("append" as const), fc.oneof(fc.nat(100), fc.nat(30_000))) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("commit" as const), fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("rollback" as const), fc.constant(0)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("took" as const), fc.nat(40_000)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("ahead" as const), fc.nat(60)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("shrink" as const), fc.constant(0)) },
);

test("any sequence of steps behaves like two arrays, committed and not", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const out = new OutBuffer();
      let committed: number[] = [];
      let pending: number[] = [];
      let next = 0;
      const fresh = (count: number) => Uint8Array.from({ length: count }, () => next++ & 255);
      for (const [kind, count] of steps) {
        const held = committed.length + pending.length;
        if (kind === "append") {
          const source = fresh(count);
          const fits = held + count <= BUFFER_MAX_BYTES;
          assert.equal(out.ensure(count), fits);
          if (fits) {
            out.append(source, count >> 2, count);
            pending.push(...source.subarray(count >> 2));
          }
        } else if (kind === "commit") {
          out.commit();
          committed.push(...pending);
          pending = [];
        } else if (kind === "rollback") {
          out.rollback();
          pending = [];
        } else if (kind === "ahead") {
          const source = fresh(count);
          const fits = held + count <= BUFFER_MAX_BYTES;
          assert.equal(out.commitAhead(source), fits);
          if (fits) committed.push(...source);
        } else if (kind === "shrink") {
          out.shrink();
          committed = [];
          pending = [];
          assert.ok(out.bytes.length <= BUFFER_MAX_BYTES / 2);
        } else {
          const taken = Math.min(count, committed.length);
          if (taken > 0) out.took(out.start + taken);
          committed = committed.slice(taken);
        }
        assert.equal(out.room, BUFFER_MAX_BYTES - committed.length - pending.length);
        assert.deepEqual(Buffer.from(out.bytes.subarray(out.start, out.committed)), Buffer.from(committed));
        assert.deepEqual(Buffer.from(out.bytes.subarray(out.committed, out.end)), Buffer.from(pending));
      }
    }),
    { numRuns: 150 },
  );
});

test("it begins small and grows no further than it may", () => {
  const out = new OutBuffer();
  assert.equal(out.bytes.length, BUFFER_INITIAL_BYTES);
  assert.equal(out.ensure(BUFFER_MAX_BYTES), true);
  assert.equal(out.ensure(BUFFER_MAX_BYTES + 1), false);
  assert.equal(out.bytes.length, BUFFER_MAX_BYTES);
});

test("an array of the greatest size goes on to the next that needs one, and to one only", () => {
  const first = new OutBuffer();
  first.ensure(BUFFER_MAX_BYTES);
  const array = first.bytes;
  first.append(new Uint8Array(40_000).fill(1), 0, 40_000);
  first.shrink();
  assert.equal(first.bytes.length, BUFFER_INITIAL_BYTES);
  const [second, third] = [new OutBuffer(), new OutBuffer()];
  second.append(Uint8Array.of(7, 8, 9), 0, 3);
  second.commit();
  second.ensure(BUFFER_MAX_BYTES - 3);
  third.ensure(BUFFER_MAX_BYTES);
  assert.equal(second.bytes, array);
  assert.notEqual(third.bytes, array);
  assert.deepEqual([...second.bytes.subarray(second.start, second.end)], [7, 8, 9]);
});
