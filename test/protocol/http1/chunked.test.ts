/** A chunk-size line that is taken in one go says what its automaton says byte by byte. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkLine } from "../../../src/protocol/http1/chunked.ts";
import { DEFAULT_HTTP1_LIMITS } from "../../../src/protocol/http1/limits.ts";
import { bytesOf } from "./events.ts";

const BODY_LIMIT = 0x10000000;

function lineOf(): ChunkLine {
  const line = new ChunkLine({ ...DEFAULT_HTTP1_LIMITS, bodyBytes: BODY_LIMIT });
  line.beginBody();
  return line;
}

const factsOf = (line: ChunkLine, at: number) => ({ at, size: line.size, done: line.done, error: line.error });

/** What the line says when all of `bytes[before, end)` is there. */
function atOnce(bytes: Uint8Array, before: number, end: number) {
  const line = lineOf();
  return factsOf(line, line.scan(bytes, before, end) - before);
}

/** The same when no byte is seen before the last one is read: only the automaton can tell. */
function oneByOne(bytes: Uint8Array, before: number, end: number) {
  const line = lineOf();
  let at = before;
  while (at < end && !line.done && line.error === undefined) {
    const next = line.scan(bytes, at, at + 1);
    if (next === at) break;
    at = next;
  }
  return factsOf(line, at - before);
}

/** What stands around the line must not matter: "1" before it, and a line end that has not been received yet. */
function agree(text: string): void {
  for (const [before, behind] of ["", "\r\n1"].flatMap((b) => ["", "\n", "\r\n"].map((e) => [b, e]))) {
    const bytes = bytesOf(before + text + behind);
    const end = before.length + text.length;
    const expected = oneByOne(bytes, before.length, end);
    assert.deepEqual(atOnce(bytes, before.length, end), expected, JSON.stringify([before, text, behind]));
  }
}

test("each byte at each place of a line means the same at once and one by one", () => {
  for (const line of ["0\r\n\r\n", "a\r\nxy", "1F0\r\n", "09afAF1\r\n", "12345678\r\n", "1;a\r\n", "\r\n"]) {
    for (let at = 0; at < line.length; at++) {
      for (let byte = 0; byte < 256; byte++) agree(line.slice(0, at) + String.fromCharCode(byte) + line.slice(at + 1));
    }
    for (let length = 0; length <= line.length; length++) agree(line.slice(0, length));
  }
});

test("sizes of every count of digits mean the same at once and one by one, up to the limits and beyond", () => {
  for (let digits = 1; digits <= 18; digits++) {
    for (const last of ["0", "1", "9", "a", "f", "F"]) {
      agree(`${last.padStart(digits, "0")}\r\n`);
      agree(`${last.repeat(digits)}\r\n`);
    }
  }
  for (const size of [BODY_LIMIT - 1, BODY_LIMIT, BODY_LIMIT + 1]) agree(`${size.toString(16)}\r\n`);
});

test("what chunks before it have used counts towards the body's limit", () => {
  const line = new ChunkLine({ ...DEFAULT_HTTP1_LIMITS, bodyBytes: 20 });
  line.beginBody();
  assert.deepEqual(factsOf(line, line.scan(bytesOf("c\r\n"), 0, 3)), { at: 3, size: 12, done: true, error: undefined });
  line.beginNext();
  line.scan(bytesOf("9\r\n"), 0, 3);
  assert.equal(line.error?.status, 413);
});
