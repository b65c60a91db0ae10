/** What waits behind a request: the same bytes in order, counted, and in memory that befits their number. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeldInput } from "../../src/server/held-input.ts";
import { bytesOf } from "../harness/fake-socket.ts";
import { takenBytes } from "../harness/taken.ts";

function drained(held: HeldInput): { text: string; chunks: number } {
  let text = "";
  let chunks = 0;
  for (let chunk = held.shift(); chunk !== undefined; chunk = held.shift()) {
    text += Buffer.from(chunk).toString("latin1");
    chunks++;
  }
  return { text, chunks };
}

const text = fc.array(fc.constantFrom("\r", "\n", "\r\n", "\r\n\r\n", "a", "GET", "x".repeat(900)), { maxLength: 60 });

for (const kept of [true, false]) {
  test(`bytes, their number and the heads in them, wherever they are cut (kept: ${kept})`, () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(3000), { maxLength: 10 }), (parts, cuts) => {
        const all = parts.join("");
        const edges = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
        const held = new HeldInput();
        for (let i = 1; i < edges.length; i++) {
          const piece = bytesOf(all.slice(edges[i - 1], edges[i]));
          const buffer = new Uint8Array(piece.length + 3).fill(0x0d);
          buffer.set(piece);
          held.add(buffer, piece.length, kept);
          if (!kept) buffer.fill(0x58);
        }
        assert.equal(held.bytes, all.length);
        assert.equal(held.heads, all.split("\r\n\r\n").length - 1);
        assert.equal(drained(held).text, all);
        assert.deepEqual([held.bytes, held.heads, held.empty], [0, 0, true]);
      }),
      { numRuns: 300 },
    );
  });
}

test("many single bytes are gathered", () => {
  const held = new HeldInput();
  for (let i = 0; i < 100_000; i++) held.add(Uint8Array.of(0x41 + (i % 26)), 1, true);
  const { text: all, chunks } = drained(held);
  assert.equal(all.length, 100_000);
  assert.ok(chunks < 20, `${chunks} chunks`);
});

test("taking and adding may alternate", () => {
  const held = new HeldInput();
  let got = "";
  for (let i = 0; i < 50; i++) {
    held.add(bytesOf(`<${i}>`), `<${i}>`.length, false);
    if (i % 3 === 0) got += Buffer.from(held.shift()!).toString("latin1");
  }
  got += drained(held).text;
  assert.equal(got, Array.from({ length: 50 }, (_, i) => `<${i}>`).join(""));
});

test("a client that is always a little ahead leaves nothing behind", () => {
  const held = new HeldInput();
  const chunk = new Uint8Array(1024).fill(0x41);
  held.add(chunk, chunk.length, true);
  const passThrough = (count: number) => {
    for (let i = 0; i < count; i++) {
      held.add(chunk, chunk.length, true);
      held.shift();
    }
    return takenBytes();
  };
  // Then the young generation has its size.
  const before = passThrough(1_500_000);
  const grownMb = (passThrough(3_000_000) - before) / (1 << 20);
  assert.ok(grownMb < 12, `${grownMb} MB more`);
  assert.equal(held.bytes, chunk.length);
});
