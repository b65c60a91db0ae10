import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBackPiece } from "../../src/channel/memory.ts";
import { Collection } from "../../src/server/collection.ts";

const MB = 1024 * 1024;

function counted(residentBytes: number): { collection: Collection; count: () => number } {
  let count = 0;
  const collection = new Collection({ residentBytes: () => residentBytes, collectGarbage: () => void count++ });
  return { collection, count: () => count };
}

test("nothing is collected for small bodies", () => {
  const { collection, count } = counted(60 * MB);
  for (let i = 0; i < 23; i++) collection.received(MB);
  assert.equal(count(), 0);
});

test("a long upload is followed by a collection every 24 MB", () => {
  const { collection, count } = counted(60 * MB);
  for (let i = 0; i < 240; i++) collection.received(MB);
  assert.equal(count(), 10);
});

test("a large process is left to its engine", () => {
  const { collection, count } = counted(300 * MB);
  for (let i = 0; i < 240; i++) collection.received(MB);
  assert.equal(count(), 0);
});

test("each of many requests may have its share of garbage", () => {
  const { collection, count } = counted(60 * MB);
  for (let i = 0; i < 239; i++) collection.received(MB, 10);
  assert.equal(count(), 0);
  collection.received(MB, 10);
  assert.equal(count(), 1);
});

test("the busiest moment since the last collection counts", () => {
  const { collection, count } = counted(60 * MB);
  collection.received(MB, 10);
  for (let i = 1; i < 239; i++) collection.received(MB, 1);
  assert.equal(count(), 0);
  collection.received(MB, 1);
  assert.equal(count(), 1);
  for (let i = 0; i < 24; i++) collection.received(MB, 1);
  assert.equal(count(), 2, "and is forgotten then");
});

test("what was given back is no garbage", () => {
  const { collection, count } = counted(60 * MB);
  for (let i = 0; i < 240; i++) {
    collection.received(MB);
    if (i < 120) giveBackPiece(new Uint8Array(MB));
  }
  assert.equal(count(), 5);
});
