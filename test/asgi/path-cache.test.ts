import assert from "node:assert/strict";
import { test } from "node:test";
import { PathCache } from "../../src/asgi/path-cache.ts";

const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(start, end));

function counted() {
  let decoded = 0;
  const cache = new PathCache((bytes, start, end) => {
    decoded++;
    return latin1(bytes, start, end);
  });
  const text = (path: string): string => {
    const bytes = Uint8Array.from(`xx${path}yy`, (char) => char.charCodeAt(0));
    return cache.text(bytes, 2, 2 + path.length);
  };
  return { text, decoded: () => decoded };
}

test("a path is decoded once", () => {
  const { text, decoded } = counted();
  for (let i = 0; i < 3; i++) assert.equal(text("/users/\xe9"), "/users/\xe9");
  assert.equal(decoded(), 1);
});

test("any two paths are told apart, also those that share a place", () => {
  const { text } = counted();
  const paths: string[] = [];
  for (let i = 0; i < 3000; i++) paths.push(`/${"abc".charAt(i % 3).repeat(i % 66)}${i}`);
  for (let round = 0; round < 2; round++) for (const path of paths) assert.equal(text(path), path);
});

test("long paths are not kept", () => {
  const { text, decoded } = counted();
  const long = `/${"l".repeat(64)}`;
  assert.equal(text(long), long);
  assert.equal(text(long), long);
  assert.equal(decoded(), 2);
});
