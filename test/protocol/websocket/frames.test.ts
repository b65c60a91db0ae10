/** Frames by example: the RFC's own, every violation and every limit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BINARY, CLOSE, ERROR, NEED_DATA, PING, TEXT } from "../../../src/protocol/websocket/frames.ts";
import type { WebSocketLimits } from "../../../src/protocol/websocket/limits.ts";
import {
  byteByByte,
  CODECS,
  concat,
  decoderWith,
  eventsOf,
  type FrameParts,
  frame,
  hex,
  type PlainEvent,
  payloadOf,
  unhex,
} from "./client.ts";

const idle: PlainEvent = { event: "idle" };

// RFC 6455 section 5.7. The unmasked examples are a server's: a client may not send them.
const GOLDEN: readonly (readonly [name: string, bytes: string, events: readonly PlainEvent[]])[] = [
  ["a masked text", "81 85 37 fa 21 3d 7f 9f 4d 51 58", [{ event: "text", text: "Hello" }, idle]],
  ["a masked pong", "8a 85 37 fa 21 3d 7f 9f 4d 51 58", [{ event: "pong", bytes: "48656c6c6f" }, idle]],
  ["an unmasked text", "81 05 48 65 6c 6c 6f", [{ event: "error", code: "not-masked", closeCode: 1002 }]],
  ["an unmasked fragment", "01 03 48 65 6c", [{ event: "error", code: "not-masked", closeCode: 1002 }]],
  ["an unmasked ping", "89 05 48 65 6c 6c 6f", [{ event: "error", code: "not-masked", closeCode: 1002 }]],
];
for (const [name, bytes, events] of GOLDEN) {
  test(`golden: ${name}`, () => assert.deepEqual(eventsOf([unhex(bytes)]), events));
}

test("golden: a fragmented text, with the RFC's fragments masked", () => {
  const stream = concat([
    frame({ opcode: 1, fin: false, payload: "Hel" }),
    frame({ opcode: 9, payload: "Hello" }),
    frame({ opcode: 0, payload: "lo" }),
  ]);
  assert.deepEqual(eventsOf([stream]), [
    { event: "ping", bytes: "48656c6c6f" },
    { event: "text", text: "Hello" },
    idle,
  ]);
});

for (const [length, headLength] of [
  [0, 6],
  [125, 6],
  [126, 8],
  [65535, 8],
  [65536, 14],
]) {
  test(`a binary message of ${length} bytes, in a frame with a head of ${headLength}, lies where it arrived`, () => {
    const payload = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
    const bytes = frame({ opcode: 2, payload });
    assert.equal(bytes.length, headLength + length);
    const decoder = decoderWith();
    decoder.feed(bytes, 0, bytes.length);
    assert.equal(decoder.next(), BINARY);
    assert.equal(decoder.payload, bytes);
    assert.equal(decoder.payloadStart, headLength);
    assert.equal(decoder.payloadEnd, bytes.length);
    assert.equal(decoder.payloadOwned, false);
    assert.deepEqual(bytes.subarray(headLength), payload);
    assert.equal(decoder.next(), NEED_DATA);
    assert.equal(decoder.idle, true);
  });
}

test("a binary message of 256 bytes, which is copied by who keeps it, is unmasked elsewhere", () => {
  const payload = Uint8Array.from({ length: 256 }, (_, i) => i);
  const bytes = frame({ opcode: 2, payload });
  const before = bytes.slice();
  const decoder = decoderWith();
  decoder.feed(bytes, 0, bytes.length);
  assert.equal(decoder.next(), BINARY);
  assert.deepEqual(decoder.payload.slice(decoder.payloadStart, decoder.payloadEnd), payload);
  assert.equal(decoder.payloadOwned, false);
  assert.deepEqual(bytes, before);
  assert.equal(decoder.next(), NEED_DATA);
  assert.equal(decoder.idle, true);
});

const error = (code: string, closeCode = 1002): PlainEvent => ({ event: "error", code, closeCode });
const text = (value: string): PlainEvent => ({ event: "text", text: value });
const VIOLATIONS: readonly (readonly [name: string, frames: readonly FrameParts[], events: readonly PlainEvent[]])[] = [
  ["RSV2", [{ opcode: 1, rsv: 2 }], [error("reserved-bit")]],
  ["RSV3", [{ opcode: 1, rsv: 1 }], [error("reserved-bit")]],
  ["RSV1 without compression", [{ opcode: 1, rsv: 4 }], [error("bad-rsv1")]],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
    [`opcode ${opcode}`, [{ opcode }], [error("reserved-opcode")]] as const,
    [`opcode ${opcode} without FIN`, [{ opcode, fin: false }], [error("reserved-opcode")]] as const,
  ]),
  ...[8, 9, 10].flatMap((opcode) => [
    [`control frame ${opcode} without FIN`, [{ opcode, fin: false }], [error("fragmented-control")]] as const,
    [`control frame ${opcode} of 126 bytes`, [{ opcode, payload: "x".repeat(126) }], [error("long-control")]] as const,
    [
      `control frame ${opcode} of 5 bytes, its length in 16 bits`,
      [{ opcode, payload: "abcde", lengthBits: 16 }],
      [error("long-control")],
    ] as const,
  ]),
  ["a continuation of nothing", [{ opcode: 0, payload: "x" }], [error("nothing-to-continue")]],
  ["a fragment of nothing", [{ opcode: 0, fin: false }], [error("nothing-to-continue")]],
  [
    "a continuation behind a whole message",
    [{ opcode: 1, payload: "a" }, { opcode: 0 }],
    [text("a"), error("nothing-to-continue")],
  ],
  ["a text within a text", [{ opcode: 1, fin: false }, { opcode: 1 }], [error("message-open")]],
  ["a binary within a text", [{ opcode: 1, fin: false }, { opcode: 2 }], [error("message-open")]],
  [
    "a fragment of text within a binary",
    [
      { opcode: 2, fin: false },
      { opcode: 1, fin: false },
    ],
    [error("message-open")],
  ],
  ["125 bytes, length in 16 bits", [{ opcode: 2, length: 125n, lengthBits: 16 }], [error("length-not-minimal")]],
  ["0 bytes, length in 64 bits", [{ opcode: 2, length: 0n, lengthBits: 64 }], [error("length-not-minimal")]],
  ["65535 bytes, length in 64 bits", [{ opcode: 2, length: 65535n, lengthBits: 64 }], [error("length-not-minimal")]],
  ["2^63 bytes", [{ opcode: 2, length: 2n ** 63n }], [error("bad-length")]],
  ["2^64 - 1 bytes", [{ opcode: 2, length: 2n ** 64n - 1n }], [error("bad-length")]],
  ["2^63 - 1 bytes", [{ opcode: 2, length: 2n ** 63n - 1n }], [error("frame-too-big", 1009)]],
  ["2^32 bytes", [{ opcode: 2, length: 2n ** 32n }], [error("frame-too-big", 1009)]],
  ["an unmasked empty text", [{ opcode: 1, key: undefined }], [error("not-masked")]],
];
for (const [name, frames, events] of VIOLATIONS) {
  test(`refused: ${name}`, () => {
    const stream = concat(frames.map(frame));
    assert.deepEqual(eventsOf([stream]), events);
    assert.deepEqual(eventsOf(byteByByte(stream)), events);
  });
}

test("a wrong first byte is refused before the second one arrives, and so on", () => {
  assert.deepEqual(eventsOf([unhex("c1")]), [error("bad-rsv1")]);
  assert.deepEqual(eventsOf([unhex("83")]), [error("reserved-opcode")]);
  assert.deepEqual(eventsOf([unhex("81 05")]), [error("not-masked")]);
  assert.deepEqual(eventsOf([unhex("82 fe 00 01")]), [error("length-not-minimal")]);
  assert.deepEqual(eventsOf([unhex("82 ff 80 00 00 00 00 00 00 00")]), [error("bad-length")]);
  assert.deepEqual(eventsOf([unhex("82 fe 00")]), [{ event: "busy" }]);
});

const LIMITS: readonly (readonly [
  name: string,
  limits: Partial<WebSocketLimits>,
  frames: readonly FrameParts[],
  events: readonly PlainEvent[],
])[] = [
  ["a frame at its limit", { frameBytes: 4 }, [{ opcode: 1, payload: "abcd" }], [text("abcd"), idle]],
  ["a frame beyond its limit", { frameBytes: 4 }, [{ opcode: 1, payload: "abcde" }], [error("frame-too-big", 1009)]],
  ["a message at its limit", { messageBytes: 4 }, [{ opcode: 1, payload: "abcd" }], [text("abcd"), idle]],
  ["a message beyond", { messageBytes: 4 }, [{ opcode: 1, payload: "abcde" }], [error("message-too-big", 1009)]],
  [
    "fragments at the limit of the message",
    { messageBytes: 4 },
    [
      { opcode: 1, fin: false, payload: "ab" },
      { opcode: 0, payload: "cd" },
    ],
    [text("abcd"), idle],
  ],
  [
    "fragments beyond the limit of the message",
    { messageBytes: 4 },
    [
      { opcode: 1, fin: false, payload: "ab" },
      { opcode: 0, payload: "cde" },
    ],
    [error("message-too-big", 1009)],
  ],
  [
    "as many fragments as allowed, and a ping between them",
    { fragments: 2 },
    [{ opcode: 1, fin: false }, { opcode: 9 }, { opcode: 0, payload: "a" }],
    [{ event: "ping", bytes: "" }, text("a"), idle],
  ],
  [
    "one fragment more",
    { fragments: 2 },
    [{ opcode: 1, fin: false }, { opcode: 0, fin: false }, { opcode: 0 }],
    [error("too-many-fragments", 1009)],
  ],
  [
    "a control frame, whatever the limit of messages",
    { messageBytes: 1 },
    [{ opcode: 9, payload: "abc" }],
    [{ event: "ping", bytes: "616263" }, idle],
  ],
];
for (const [name, limits, frames, events] of LIMITS) {
  test(`limits: ${name}`, () => {
    const stream = concat(frames.map(frame));
    assert.deepEqual(eventsOf([stream], { limits }), events);
    assert.deepEqual(eventsOf(byteByByte(stream), { limits }), events);
  });
}

test("limits: what is too big is refused by its head", () => {
  const head = frame({ opcode: 2, length: 5n }).subarray(0, 2);
  assert.deepEqual(eventsOf([head], { limits: { frameBytes: 4 } }), [error("frame-too-big", 1009)]);
});

function closeFrame(code: number, reason: string | readonly number[] = ""): Uint8Array {
  const bytes = typeof reason === "string" ? new TextEncoder().encode(reason) : Uint8Array.from(reason);
  return frame({ opcode: 8, payload: [code >> 8, code & 255, ...bytes] });
}

const closed = (code: number, reason = ""): PlainEvent => ({ event: "close", code, reason });
const GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535];
for (const code of GOOD_CODES) {
  test(`close: code ${code}`, () => assert.deepEqual(eventsOf([closeFrame(code, "bye")]), [closed(code, "bye")]));
}
for (const code of BAD_CODES) {
  test(`close: code ${code} may not be sent`, () => {
    assert.deepEqual(eventsOf([closeFrame(code)]), [error("bad-close-code")]);
  });
}

test("close: without a code", () => assert.deepEqual(eventsOf([frame({ opcode: 8 })]), [closed(1005)]));
test("close: half a code", () => {
  assert.deepEqual(eventsOf([frame({ opcode: 8, payload: [3] })]), [error("bad-close-payload")]);
});
test("close: the longest reason", () => {
  assert.deepEqual(eventsOf([closeFrame(1000, "ž".repeat(61))]), [closed(1000, "ž".repeat(61))]);
});
test("close: a reason that is not UTF-8", () => {
  assert.deepEqual(eventsOf([closeFrame(1000, [0xc3])]), [error("bad-close-reason", 1007)]);
});
test("close: within a fragmented message", () => {
  const stream = concat([frame({ opcode: 1, fin: false, payload: "a" }), closeFrame(1001)]);
  assert.deepEqual(eventsOf([stream]), [closed(1001)]);
});

test("close: nothing behind it is accepted, be it right or wrong", () => {
  const decoder = decoderWith();
  const stream = concat([closeFrame(1000), frame({ opcode: 1, payload: "late" }), unhex("ff ff")]);
  decoder.feed(stream, 0, stream.length);
  assert.equal(decoder.next(), CLOSE);
  assert.equal(decoder.next(), NEED_DATA);
  decoder.feed(stream, 0, stream.length);
  assert.equal(decoder.next(), NEED_DATA);
  assert.equal(decoder.error, undefined);
  assert.equal(decoder.idle, false);
});

test("an error is final", () => {
  const decoder = decoderWith();
  const bad = unhex("83 80");
  decoder.feed(bad, 0, bad.length);
  assert.equal(decoder.next(), ERROR);
  const good = frame({ opcode: 1, payload: "late" });
  decoder.feed(good, 0, good.length);
  assert.equal(decoder.next(), ERROR);
  assert.equal(decoder.error?.code, "reserved-opcode");
});

test("a decoder that is closed accepts nothing", () => {
  const decoder = decoderWith();
  decoder.close();
  const good = frame({ opcode: 1, payload: "late" });
  decoder.feed(good, 0, good.length);
  assert.equal(decoder.next(), NEED_DATA);
});

test("feeding early is refused; keepInput lets go of the chunk", () => {
  const decoder = decoderWith();
  const chunk = concat([frame({ opcode: 1, payload: "one" }), frame({ opcode: 9, payload: "two" })]);
  decoder.feed(chunk, 0, chunk.length);
  assert.equal(decoder.next(), TEXT);
  assert.throws(() => decoder.feed(chunk, 0, chunk.length), /before it asked/);
  decoder.keepInput();
  chunk.fill(0);
  assert.equal(decoder.next(), PING);
  assert.equal(payloadOf(decoder), hex(new TextEncoder().encode("two")));
});

test("at rest it holds on to nothing", () => {
  const decoder = decoderWith();
  const chunk = concat([frame({ opcode: 2, payload: "one" }), frame({ opcode: 1, payload: "two" })]);
  decoder.feed(chunk, 0, chunk.length);
  assert.equal(decoder.next(), BINARY);
  assert.equal(decoder.next(), TEXT);
  assert.equal(decoder.next(), NEED_DATA);
  assert.equal(decoder.chunk.length, 0);
  assert.equal(decoder.payload.length, 0);
  assert.equal(decoder.text, "");
});

test("a message in pieces is handed over in an array of its own size", () => {
  const payload = Uint8Array.from({ length: 100_000 }, (_, i) => i & 255);
  const bytes = frame({ opcode: 2, payload });
  const decoder = decoderWith();
  for (let at = 0; at < bytes.length; at += 1500) {
    const chunk = bytes.slice(at, at + 1500);
    decoder.feed(chunk, 0, chunk.length);
    const event = decoder.next();
    assert.equal(event, at + 1500 < bytes.length ? NEED_DATA : BINARY);
  }
  assert.equal(decoder.payloadOwned, true);
  assert.equal(decoder.payload.length, payload.length);
  assert.deepEqual(decoder.payload, payload);
});

test("a head that announces much makes no array before the bytes arrive", () => {
  const decoder = decoderWith({ limits: { frameBytes: 2 ** 40, messageBytes: 2 ** 40 } });
  const bytes = frame({ opcode: 2, length: 2n ** 39n, payload: "abc" });
  decoder.feed(bytes, 0, bytes.length);
  assert.equal(decoder.next(), NEED_DATA);
  assert.equal(decoder.idle, false);
});

for (const [name, codec] of CODECS) {
  for (const strings of [true, false]) {
    const run = { codec, strings };
    const kind = `${name}, as ${strings ? "strings" : "bytes"}`;
    test(`texts (${kind}): characters of one to four bytes, and U+FEFF`, () => {
      for (const value of ["", "a", "\ufeffa", "ž漢😀", "x".repeat(200), `${"y".repeat(300)}é`, "\0\x7f\u0080\uffff"]) {
        const stream = frame({ opcode: 1, payload: value });
        assert.deepEqual(eventsOf([stream], run), [text(value), idle]);
        assert.deepEqual(eventsOf(byteByByte(stream), run), [text(value), idle]);
      }
    });
    test(`texts (${kind}): what is not UTF-8`, () => {
      for (const wrong of [
        "80",
        "c0 80",
        "c1 bf",
        "e0 9f bf",
        "ed a0 80",
        "f0 8f bf bf",
        "f4 90 80 80",
        "f5",
        "ff",
        "c3",
      ]) {
        for (const before of ["", "abc", "x".repeat(300)]) {
          const stream = frame({ opcode: 1, payload: concat([new TextEncoder().encode(before), unhex(wrong)]) });
          assert.deepEqual(eventsOf([stream], run), [error("bad-utf8", 1007)]);
          assert.deepEqual(eventsOf(byteByByte(stream), run), [error("bad-utf8", 1007)]);
        }
      }
    });
    test(`texts (${kind}): a wrong byte is refused before its frame is complete`, () => {
      const long = concat([new Uint8Array(500).fill(0x61), unhex("ed a0"), new Uint8Array(500)]);
      const stream = frame({ opcode: 1, payload: long });
      const head = stream.length - long.length;
      assert.deepEqual(eventsOf([stream.slice(0, head + 501)], run), [{ event: "busy" }]);
      assert.deepEqual(eventsOf([stream.slice(0, head + 502)], run), [error("bad-utf8", 1007)]);
      assert.deepEqual(eventsOf([frame({ opcode: 1, fin: false, payload: [0xff] })], run), [error("bad-utf8", 1007)]);
    });
    test(`texts (${kind}): a character across fragments`, () => {
      const [a, b, c, d] = new TextEncoder().encode("😀");
      const stream = concat([
        frame({ opcode: 1, fin: false, payload: [a, b] }),
        frame({ opcode: 0, fin: false, payload: [c] }),
        frame({ opcode: 9 }),
        frame({ opcode: 0, payload: [d] }),
      ]);
      assert.deepEqual(eventsOf([stream], run), [{ event: "ping", bytes: "" }, text("😀"), idle]);
    });
  }
}
