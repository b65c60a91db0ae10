/** Large payloads: masked by sixteen bytes at a time, and put together in arrays that all decoders share. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BINARY, type FrameDecoder, NEED_DATA, TEXT } from "../../../src/protocol/websocket/frames.ts";
import { asideFor, unmask, unmaskAside } from "../../../src/protocol/websocket/mask.ts";
import { WIDE_BYTES, WIDE_START } from "../../../src/protocol/websocket/wide.ts";
import { decoderWith, eventsOf, frame } from "./client.ts";

const KEY_BYTES = [0xd4, 0xc3, 0xb2, 0x84] as const;
const KEY = 0x84b2c3d4 | 0;
/** Around the least of what is copied aside, and around what its memory holds. */
const LENGTHS = [2047, 2048, 2049, 2111, 2112, 2113, 4099, WIDE_BYTES - 1, WIDE_BYTES, WIDE_BYTES + 1];
/** Around the least of what is copied aside with all that is around it. */
const WHOLE_LENGTHS = [127, 128, 129, 191, 192, 255, 256, 1024, 1027];
const LONGER = [WIDE_BYTES + 63, WIDE_BYTES + 64, WIDE_BYTES + 200, 2 * WIDE_BYTES + 5];

function masked(length: number, from: number): [before: Uint8Array, wanted: Uint8Array] {
  const before = Uint8Array.from({ length: from + length + 9 }, (_, i) => (i * 31 + (i >> 8)) & 255);
  const wanted = before.map((value, i) => (i < from || i >= from + length ? value : value ^ KEY_BYTES[(i - from) & 3]));
  return [before, wanted];
}

test("large payloads are unmasked in place, at any alignment, and nothing else is touched", () => {
  for (const length of [...LENGTHS, ...LONGER]) {
    for (const start of [0, 1, 14, 19]) {
      const [bytes, wanted] = masked(length, start);
      unmask(bytes, start, start + length, KEY);
      assert.equal(Buffer.compare(bytes, wanted), 0, `${length} at ${start}`);
    }
  }
});

test("what is unmasked aside leaves the chunk as it is", () => {
  for (const length of [...WHOLE_LENGTHS, ...LENGTHS]) {
    for (const start of [6, 14, 55, 56, 3000]) {
      const [bytes, wanted] = masked(length, start);
      const aside = asideFor(bytes, start, length);
      const isMost = start + 9 <= 64;
      assert.equal(aside === null, length < (isMost ? 128 : 2048) || length > WIDE_BYTES, `${length} at ${start}`);
      if (aside === null) continue;
      const before = bytes.slice();
      unmaskAside(bytes, start, start + length, KEY);
      assert.equal(Buffer.compare(bytes, before), 0);
      const unmasked = aside.subarray(WIDE_START, WIDE_START + length);
      assert.equal(Buffer.compare(unmasked, wanted.subarray(start, start + length)), 0, `${length} at ${start}`);
    }
  }
});

test("large payloads are told from ASCII wherever the one byte stands", () => {
  for (const length of [2048, 2500, WIDE_BYTES + 70]) {
    const bytes = new Uint8Array(length).fill(0x61);
    assert.equal(unmask(bytes, 0, length, 0), true);
    for (let i = 0; i < length; i += i < 2600 ? 1 : 4099) {
      bytes[i] = 0x80;
      assert.equal(unmask(bytes, 0, length, 0), false, `${i} of ${length}`);
      bytes[i] = 0x61;
    }
    bytes[length - 1] = 0x80;
    assert.equal(unmask(bytes, 0, length, 0), false);
  }
});

/** ASCII or not, and another one for each `mark`. */
function textOf(units: number, mark: number, wide: boolean): string {
  return String.fromCharCode(0x41 + mark) + (wide ? "aé€😀" : "abcde").repeat(Math.ceil(units / 5)).slice(0, units - 1);
}

function feedTo(decoder: FrameDecoder, bytes: Uint8Array): number {
  decoder.feed(bytes, 0, bytes.length);
  return decoder.next();
}

for (const wide of [false, true]) {
  test(`twenty texts of 100 KB that arrive side by side in pieces stay apart (wide characters: ${wide})`, () => {
    const texts = Array.from({ length: 20 }, (_, i) => textOf(100_001, i, wide));
    for (const strings of [true, false]) {
      const decoders = texts.map(() => decoderWith({ strings }));
      const frames = texts.map((text) => frame({ opcode: 1, payload: text }));
      for (const end of [2048, 30_000, 70_001]) {
        const start = end === 2048 ? 0 : end === 30_000 ? 2048 : 30_000;
        for (const [i, decoder] of decoders.entries()) {
          assert.equal(feedTo(decoder, frames[i].slice(start, end)), NEED_DATA);
        }
      }
      // One is given up in the middle: what it held is for others.
      decoders[3].close();
      for (const [i, decoder] of decoders.entries()) {
        if (i === 3) continue;
        assert.equal(feedTo(decoder, frames[i].slice(70_001)), TEXT);
        const { text, payload, payloadStart, payloadEnd } = decoder;
        const found = strings ? text : new TextDecoder().decode(payload.subarray(payloadStart, payloadEnd));
        assert.ok(found === texts[i], `text ${i}`);
        assert.equal(decoder.next(), NEED_DATA);
      }
    }
  });
}

test("a binary message that its application may keep is never in an array that is used again", () => {
  const kept: Uint8Array[] = [];
  for (let i = 0; i < 12; i++) {
    const decoder = decoderWith();
    const bytes = frame({ opcode: 2, payload: new Uint8Array(70_000).fill(i) });
    assert.equal(feedTo(decoder, bytes.slice(0, 40_000)), NEED_DATA);
    assert.equal(feedTo(decoder, bytes.slice(40_000)), BINARY);
    assert.equal(decoder.payloadOwned, true);
    kept.push(decoder.payload.subarray(decoder.payloadStart, decoder.payloadEnd));
    assert.equal(decoder.next(), NEED_DATA);
    const text = frame({ opcode: 1, payload: textOf(70_000, i, false) });
    eventsOf([text.slice(0, 40_000), text.slice(40_000)]);
  }
  for (const [i, bytes] of kept.entries()) assert.ok(bytes.length === 70_000 && bytes.every((byte) => byte === i));
});

test("what is handed on as bytes is the caller's only until the decoder goes on", () => {
  const decoder = decoderWith({ strings: false });
  const bytes = frame({ opcode: 2, payload: new Uint8Array(70_000).fill(7) });
  assert.equal(feedTo(decoder, bytes.slice(0, 40_000)), NEED_DATA);
  assert.equal(feedTo(decoder, bytes.slice(40_000)), BINARY);
  assert.equal(decoder.payloadOwned, false);
  assert.ok(decoder.payload.subarray(decoder.payloadStart, decoder.payloadEnd).every((byte) => byte === 7));
});

test("how much of a frame is still to come is known once its head is", () => {
  const decoder = decoderWith();
  const bytes = frame({ opcode: 1, payload: textOf(70_000, 0, false) });
  feedTo(decoder, bytes.slice(0, 10));
  assert.equal(decoder.remaining, 0);
  feedTo(decoder, bytes.slice(10, 14 + 2000));
  assert.equal(decoder.remaining, 68_000);
  assert.equal(feedTo(decoder, bytes.slice(14 + 2000)), TEXT);
  assert.equal(decoder.remaining, 0);
});
