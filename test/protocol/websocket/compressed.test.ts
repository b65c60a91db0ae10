/** Compressed messages by example: those of RFC 7692 section 7.2.3, and what is wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OutBuffer } from "../../../src/protocol/buffer.ts";
import { MessageEncoder, REST } from "../../../src/protocol/websocket/encoder.ts";
import {
  byteByByte,
  concat,
  eventsOf,
  type FrameParts,
  frame,
  hex,
  nativeText,
  type PlainEvent,
  tools,
  unhex,
} from "./client.ts";

const idle: PlainEvent = { event: "idle" };
const error = (code: string, closeCode = 1002): PlainEvent => ({ event: "error", code, closeCode });
const text = (value: string): PlainEvent => ({ event: "text", text: value });

// RFC 7692 section 7.2.3; the frames there are unmasked, these are a client's.
const HELLO = { event: "text", text: "Hello" } as const;
const COMPRESSED: readonly (readonly [
  name: string,
  takeover: boolean,
  frames: readonly FrameParts[],
  texts: number,
])[] = [
  ["7.2.3.1, one block", false, [{ opcode: 1, rsv: 4, payload: unhex("f2 48 cd c9 c9 07 00") }], 1],
  [
    "7.2.3.1, in two fragments",
    false,
    [
      { opcode: 1, rsv: 4, fin: false, payload: unhex("f2 48 cd") },
      { opcode: 0, payload: unhex("c9 c9 07 00") },
    ],
    1,
  ],
  [
    "7.2.3.2, without takeover",
    false,
    [
      { opcode: 1, rsv: 4, payload: unhex("f2 48 cd c9 c9 07 00") },
      { opcode: 1, rsv: 4, payload: unhex("f2 48 cd c9 c9 07 00") },
    ],
    2,
  ],
  [
    "7.2.3.2, with takeover",
    true,
    [
      { opcode: 1, rsv: 4, payload: unhex("f2 48 cd c9 c9 07 00") },
      { opcode: 1, rsv: 4, payload: unhex("f2 00 11 00 00") },
    ],
    2,
  ],
  ["7.2.3.3, no compression", false, [{ opcode: 1, rsv: 4, payload: unhex("00 05 00 fa ff 48 65 6c 6c 6f 00") }], 1],
  ["7.2.3.4, BFINAL", false, [{ opcode: 1, rsv: 4, payload: unhex("f3 48 cd c9 c9 07 00 00") }], 1],
  [
    "7.2.3.4, BFINAL with takeover, and another message",
    true,
    [
      { opcode: 1, rsv: 4, payload: unhex("f3 48 cd c9 c9 07 00 00") },
      { opcode: 1, rsv: 4, payload: unhex("f2 48 cd c9 c9 07 00") },
    ],
    2,
  ],
  [
    "BFINAL at the very end, which no RFC has, and another message",
    true,
    [
      { opcode: 1, rsv: 4, payload: unhex("f3 48 cd c9 c9 07 00") },
      { opcode: 1, rsv: 4, payload: unhex("f2 48 cd c9 c9 07 00") },
    ],
    2,
  ],
  ["7.2.3.5, two blocks", false, [{ opcode: 1, rsv: 4, payload: unhex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00") }], 1],
  ["not compressed although it could be", true, [{ opcode: 1, payload: "Hello" }], 1],
];
for (const [name, takeover, frames, texts] of COMPRESSED) {
  test(`compressed: RFC 7692 ${name}`, () => {
    const stream = concat(frames.map(frame));
    for (const chunks of [[stream], byteByByte(stream)]) {
      const inflater = tools().inflater(15, takeover);
      assert.deepEqual(eventsOf(chunks, { inflater }), [...Array(texts).fill(HELLO), idle]);
      inflater.close();
    }
  });
}

test("compressed: an empty message", () => {
  const inflater = tools().inflater(15, false);
  const stream = frame({ opcode: 1, rsv: 4, payload: [0] });
  assert.deepEqual(eventsOf([stream], { inflater }), [text(""), idle]);
});

const CORRUPT: readonly (readonly [name: string, frames: readonly FrameParts[], error: PlainEvent])[] = [
  ["no deflate data", [{ opcode: 2, rsv: 4, payload: unhex("ff ff ff") }], error("bad-compression", 1007)],
  ["a block that is cut", [{ opcode: 2, rsv: 4, payload: unhex("f2 48 cd") }], error("bad-compression", 1007)],
  [
    "a distance before the beginning",
    [{ opcode: 2, rsv: 4, payload: unhex("f2 00 11 00 00") }],
    error("bad-compression", 1007),
  ],
  [
    "a text that is not UTF-8 inside",
    [{ opcode: 1, rsv: 4, payload: unhex("00 01 00 fe ff ff 00") }],
    error("bad-utf8", 1007),
  ],
  [
    "RSV1 on a later fragment",
    [
      { opcode: 1, rsv: 4, fin: false },
      { opcode: 0, rsv: 4 },
    ],
    error("bad-rsv1"),
  ],
  [
    "RSV1 on a fragment between others",
    [
      { opcode: 1, rsv: 4, fin: false },
      { opcode: 0, rsv: 4, fin: false },
    ],
    error("bad-rsv1"),
  ],
  ["RSV1 on a ping", [{ opcode: 9, rsv: 4 }], error("bad-rsv1")],
  [
    "streams that end a thousand times",
    [{ opcode: 2, rsv: 4, payload: unhex("0300".repeat(1000)) }],
    error("bad-compression", 1007),
  ],
];
for (const [name, frames, event] of CORRUPT) {
  test(`compressed: ${name}`, () => {
    const stream = concat(frames.map(frame));
    for (const chunks of [[stream], byteByByte(stream)]) {
      for (const takeover of [false, true]) {
        const inflater = tools().inflater(15, takeover);
        assert.deepEqual(eventsOf(chunks, { inflater }), [event]);
        inflater.close();
      }
    }
  });
}

test("compressed: what one connection sent wrongly does not reach the next one that shares its decompressor", () => {
  const inflater = tools().inflater(15, false);
  assert.deepEqual(eventsOf([frame({ opcode: 1, rsv: 4, payload: unhex("f2 48") })], { inflater }).length, 1);
  const good = frame({ opcode: 1, rsv: 4, payload: unhex("f2 48 cd c9 c9 07 00") });
  assert.deepEqual(eventsOf([good], { inflater }), [HELLO, idle]);
});

test("compressed: with takeover a connection holds on to no message, however large", () => {
  const deflater = tools().deflater(15, true, 1, 8);
  const inflater = tools().inflater(15, true);
  let dice = 1;
  const noise = Uint8Array.from({ length: 400_000 }, () => {
    dice = (Math.imul(dice, 1_664_525) + 1_013_904_223) | 0;
    return dice >>> 24;
  });
  const encoder = new MessageEncoder(nativeText, deflater);
  assert.equal(encoder.putBinary(new OutBuffer(), noise, 0, noise.length), REST);
  const payload = encoder.rest.slice(encoder.restStart, encoder.restEnd);
  assert.deepEqual(eventsOf([frame({ opcode: 2, rsv: 4, payload })], { inflater }), [
    { event: "binary", bytes: hex(noise) },
    idle,
  ]);
  // Arrays that all connections share.
  for (const { bytes } of [deflater, inflater]) assert.ok(bytes.length <= 64 * 1024, `${bytes.length} bytes`);
  deflater.close();
  inflater.close();
});

test("compressed: that its compressed form is ASCII says nothing about a text", () => {
  const deflater = tools().deflater(15, false, 6, 8);
  const inflater = tools().inflater(15, false);
  let found = 0;
  for (let code = 0x80; code < 0x800; code++) {
    const letter = String.fromCharCode(code);
    const source = new TextEncoder().encode(letter);
    const payload = deflater.bytes.slice(0, deflater.deflate(source, 0, source.length));
    if (payload.some((byte) => byte >= 0x80)) continue;
    found++;
    assert.deepEqual(eventsOf([frame({ opcode: 1, rsv: 4, payload })], { inflater }), [text(letter), idle]);
  }
  assert.ok(found > 0);
});
