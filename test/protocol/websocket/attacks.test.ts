/** What a hostile client can make the decoder hold or do is bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { ERROR, NEED_DATA, PING } from "../../../src/protocol/websocket/frames.ts";
import { DEFAULT_FRAGMENTS } from "../../../src/protocol/websocket/limits.ts";
import { concat, decoderWith, eventsOf, frame, tools, unhex } from "./client.ts";

const MEGA = 1 << 20;
const tooBig = { event: "error", code: "message-too-big", closeCode: 1009 };

/** Feeds the same frames over and over; the count of frames taken when the decoder gives up. */
function feedForever(first: Uint8Array, again: Uint8Array, most: number): { taken: number; code: string | undefined } {
  const decoder = decoderWith();
  const start = first.slice();
  decoder.feed(start, 0, start.length);
  assert.equal(decoder.next(), NEED_DATA);
  for (let taken = 1; taken <= most; taken++) {
    const chunk = again.slice();
    decoder.feed(chunk, 0, chunk.length);
    const event = decoder.next();
    if (event === ERROR) return { taken, code: decoder.error?.code };
    assert.equal(event, NEED_DATA);
  }
  return { taken: most, code: undefined };
}

test("a million fragments of one byte end at the limit of fragments", () => {
  const first = frame({ opcode: 1, fin: false, payload: "a" });
  const again = frame({ opcode: 0, fin: false, payload: "a" });
  assert.deepEqual(feedForever(first, again, MEGA), { taken: DEFAULT_FRAGMENTS, code: "too-many-fragments" });
});

test("a million empty fragments end there too", () => {
  const first = frame({ opcode: 2, fin: false });
  assert.deepEqual(feedForever(first, frame({ opcode: 0, fin: false }), MEGA), {
    taken: DEFAULT_FRAGMENTS,
    code: "too-many-fragments",
  });
});

test("pings between fragments are no fragments: they are the server's to count", () => {
  const decoder = decoderWith();
  const stream = concat([frame({ opcode: 2, fin: false }), ...Array<Uint8Array>(1000).fill(frame({ opcode: 9 }))]);
  decoder.feed(stream, 0, stream.length);
  let pings = 0;
  while (decoder.next() === PING) pings++;
  assert.equal(pings, 1000);
  assert.equal(decoder.error, undefined);
});

test("lengths of 2^63 and more, and the greatest below, are refused by their heads", () => {
  for (const [head, code] of [
    ["82 ff 80 00 00 00 00 00 00 00", "bad-length"],
    ["82 ff ff ff ff ff ff ff ff ff", "bad-length"],
    ["82 ff 7f ff ff ff ff ff ff ff", "frame-too-big"],
    ["82 ff 00 00 00 01 00 00 00 00", "frame-too-big"],
    ["82 ff 00 00 00 00 01 00 00 01", "frame-too-big"],
  ]) {
    const [event] = eventsOf([unhex(head)]);
    assert.equal(event.event === "error" && event.code, code);
  }
});

test("one-byte pieces of a large frame cost linear work and grow one array", () => {
  const decoder = decoderWith();
  const bytes = frame({ opcode: 2, payload: new Uint8Array(200_000) });
  const arrays = new Set<ArrayBufferLike>();
  const one = new Uint8Array(1);
  for (const byte of bytes) {
    one[0] = byte;
    decoder.feed(one, 0, 1);
    if (decoder.next() !== NEED_DATA) arrays.add(decoder.payload.buffer);
  }
  assert.equal(arrays.size, 1);
  assert.equal(decoder.payloadEnd, 200_000);
});

function bombOf(megabytes: number): Uint8Array {
  return new Uint8Array(
    deflateRawSync(new Uint8Array(megabytes * MEGA), { finishFlush: constants.Z_SYNC_FLUSH }),
  ).slice(0, -4);
}

test("a bomb ends at the limit of messages, in one frame or in many", () => {
  const bomb = bombOf(100);
  assert.ok(bomb.length < 110_000);
  for (const takeover of [false, true]) {
    const inflater = tools().inflater(15, takeover);
    const run = { inflater, limits: { messageBytes: MEGA } };
    assert.deepEqual(eventsOf([frame({ opcode: 2, rsv: 4, payload: bomb })], run), [tooBig]);
    inflater.close();
    const other = tools().inflater(15, takeover);
    const half = bomb.length >> 1;
    const stream = concat([
      frame({ opcode: 1, rsv: 4, fin: false, payload: bomb.subarray(0, half) }),
      frame({ opcode: 0, payload: bomb.subarray(half) }),
    ]);
    assert.deepEqual(eventsOf([stream], { ...run, inflater: other }), [tooBig]);
    other.close();
  }
});

test("the compressed form is bounded by its head too", () => {
  const inflater = tools().inflater(15, false);
  const run = { inflater, limits: { messageBytes: 1000, frameBytes: MEGA } };
  assert.deepEqual(eventsOf([frame({ opcode: 2, rsv: 4, length: 5000n }).subarray(0, 8)], run), [tooBig]);
});

test("a message of the greatest size that can't be compressed is accepted compressed", () => {
  const deflater = tools().deflater(15, false, 1, 8);
  const inflater = tools().inflater(15, false);
  let state = 1;
  const noise = Uint8Array.from({ length: 100_000 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  });
  const count = deflater.deflate(noise, 0, noise.length);
  assert.ok(count > noise.length);
  const stream = frame({ opcode: 2, rsv: 4, payload: deflater.bytes.slice(0, count) });
  const [event, after] = eventsOf([stream], { inflater, limits: { messageBytes: noise.length } });
  assert.equal(event.event, "binary");
  assert.equal(after.event, "idle");
});
