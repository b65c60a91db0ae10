import assert from "node:assert/strict";
import { test } from "node:test";
import { OutBuffer } from "../../src/protocol/buffer.ts";
import { offPage } from "../../src/protocol/off-page.ts";
import { HELLO, RecordBuffer } from "../../src/python/wire.ts";
import { BufferPool } from "../../src/runtime/deno-buffers.ts";
import { offPage as runtimes } from "../../src/runtime/off-page.ts";

const PAGE_BYTES = 4096;
/** What stands before a piece that is copied: heads and records that are longer are rare. */
const FEW_BYTES = 64;

/** Behind a few bytes of it no page begins, nor lies the start of one just before. */
function isOffPage({ byteOffset }: Uint8Array): boolean {
  return byteOffset % PAGE_BYTES >= 2 * FEW_BYTES && byteOffset % PAGE_BYTES <= PAGE_BYTES - 2 * FEW_BYTES;
}

test("arrays for output have the size asked for, and begin away from a page's start", () => {
  for (const size of [1, 1000, 64 * 1024]) {
    for (const places of [1, 2]) {
      const bytes = offPage(size, places);
      assert.equal(bytes.length, size);
      assert.ok(isOffPage(bytes));
      assert.equal(bytes.byteOffset + size, bytes.buffer.byteLength, "nothing is left behind it");
    }
  }
  assert.equal(runtimes(10).byteOffset, offPage(10).byteOffset, "the runtime's are exchanged with these");
  assert.equal(runtimes(10).length, 10);
  assert.notEqual(offPage(10, 2).byteOffset, offPage(10).byteOffset);
});

test("what makes output uses them, also when it has grown", () => {
  const out = new OutBuffer();
  assert.ok(isOffPage(out.bytes));
  out.ensure(20_000);
  assert.ok(isOffPage(out.bytes));
  const records = new RecordBuffer(16);
  assert.ok(isOffPage(records.bytes));
  records.record(HELLO, 0, 0, 7, new Uint8Array(1000));
  assert.ok(isOffPage(records.bytes));
  assert.deepEqual([...records.bytes.subarray(0, 12)], [1000 & 255, 1000 >> 8, HELLO, 0, 0, 0, 0, 0, 7, 0, 0, 0]);
  assert.ok(isOffPage(new BufferPool().take(1)));
});
