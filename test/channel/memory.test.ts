import assert from "node:assert/strict";
import { test } from "node:test";
import { Chunk, copyOf, giveBack, giveBackPiece, returned } from "../../src/channel/memory.ts";

const KB = 1024;

test("what is given back is empty, with all views of its memory", () => {
  const bytes = new Uint8Array(64 * KB);
  const view = bytes.subarray(10, 20);
  giveBack(bytes.subarray(100));
  assert.deepEqual([bytes.length, view.length], [0, 0]);
});

test("an array that ends before its memory does is left alone", () => {
  const bytes = new Uint8Array(64 * KB).fill(7);
  giveBack(bytes.subarray(0, 63 * KB));
  assert.equal(bytes.length, 64 * KB);
});

test("a small array is left alone", () => {
  const bytes = new Uint8Array(KB);
  giveBack(bytes);
  assert.equal(bytes.length, KB);
});

test("a copy is one, and no Buffer, whatever it is of", () => {
  for (const bytes of [Uint8Array.of(1, 2, 3, 4), Buffer.from([1, 2, 3, 4])]) {
    const copy = copyOf(bytes, 1, 3);
    bytes.fill(0);
    assert.deepEqual(copy, Uint8Array.of(2, 3));
    assert.equal(copy.constructor, Uint8Array);
  }
});

test("pieces that were given back are counted, others not", () => {
  const before = returned.bytes;
  const bytes = new Uint8Array(64 * KB);
  giveBackPiece(bytes.subarray(0, 20 * KB));
  assert.equal(returned.bytes, before);
  giveBackPiece(bytes.subarray(4 * KB));
  assert.equal(returned.bytes, before + 60 * KB);
});

test("a chunk is given back when the last has released it", () => {
  const bytes = new Uint8Array(64 * KB);
  const chunk = new Chunk(bytes);
  chunk.hold();
  chunk.hold();
  chunk.release();
  chunk.release();
  assert.equal(bytes.length, 64 * KB);
  chunk.release();
  assert.equal(bytes.length, 0);
});
