/** Fields as one block: it must be written, and refused, as the same fields in pairs are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FieldBlock, putFields } from "../../src/asgi/response-fields.ts";
import { OutBuffer } from "../../src/protocol/buffer.ts";
import { EncodeError, HeadEncoder } from "../../src/protocol/http1/encoder.ts";
import { latin1 } from "../harness/response.ts";

type Pair = readonly [string, string];

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function blockOf(pairs: readonly Pair[]): FieldBlock {
  const text = pairs.map(([name, value]) => `${name}\0${value}`).join("\0");
  const bytes = bytesOf(`before${text}behind`);
  return new FieldBlock(bytes, 6, 6 + text.length);
}

function written(headers: Parameters<typeof putFields>[2]): string {
  const out = new OutBuffer();
  const encoder = new HeadEncoder();
  encoder.begin(out, 200);
  try {
    putFields(out, encoder, headers);
  } catch (error) {
    if (!(error instanceof EncodeError)) throw error;
    return `refused: ${error.message}`;
  }
  return `${latin1(out.bytes.subarray(0, out.end))} ${encoder.seen} ${encoder.contentLength}`;
}

const CASES: Readonly<Record<string, readonly Pair[]>> = {
  "no field": [],
  "some fields": [
    ["content-type", "text/plain"],
    ["x-tab", "a\tb"],
    ["x-empty", ""],
    ["content-length", "12"],
  ],
  "fields that are the server's own": [
    ["connection", "close"],
    ["transfer-encoding", "chunked"],
    ["x", "y"],
  ],
  "an empty name": [["", "x"]],
  "a bad name": [["a b", "x"]],
  "a line end in a value": [["a", "x\r\nset-cookie: y"]],
  "a second content-length": [
    ["content-length", "1"],
    ["content-length", "1"],
  ],
  "more than a head may be": [["x", "v".repeat(70_000)]],
};
for (const [name, pairs] of Object.entries(CASES)) {
  test(`a block is written as its pairs: ${name}`, () => {
    assert.equal(written(blockOf(pairs)), written(pairs.map(([n, v]) => [bytesOf(n), bytesOf(v)] as const)));
  });
}

test("a name without a value is refused", () => {
  assert.match(written(new FieldBlock(bytesOf("a\0b\0c"), 0, 5)), /^refused: .*no value/);
});

test("whatever a block holds, it is lines of its own or an error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = written(new FieldBlock(bytes, 0, bytes.length));
      assert.match(text, /^refused: |^HTTP\/1\.1 200 OK\r\n(?:[^\r\n\0]+\r\n)* \d+ -?\d+$/);
    }),
    { numRuns: 3000 },
  );
});

test("read one by one, a block is pairs", () => {
  const pairs: readonly Pair[] = [
    ["a", ""],
    ["b", "c"],
    ["d", ""],
  ];
  assert.deepEqual(
    [...blockOf(pairs)].map(([name, value]) => [latin1(name as Uint8Array), latin1(value as Uint8Array)]),
    pairs,
  );
});
