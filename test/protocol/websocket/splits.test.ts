/** Any split, any fragmentation, any mask, any alignment give the same messages; compressed or not; and back again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OutBuffer } from "../../../src/protocol/buffer.ts";
import { MessageEncoder, REST } from "../../../src/protocol/websocket/encoder.ts";
import { unmask } from "../../../src/protocol/websocket/mask.ts";
import { UTF8_ACCEPT, UTF8_REJECT, utf8Continue, utf8Step } from "../../../src/protocol/websocket/utf8.ts";
import { CODECS, concat, cut, eventsOf, frame, hex, nativeText, type PlainEvent, tools } from "./client.ts";

const utf8 = new TextEncoder();
const byte = fc.integer({ min: 0, max: 255 });
const key = fc.tuple(byte, byte, byte, byte);
const positions = fc.array(fc.nat(3000), { maxLength: 8 });
const message = fc.oneof(
  fc.record({ text: fc.string({ unit: "binary", maxLength: 400 }) }),
  fc.record({ bytes: fc.uint8Array({ maxLength: 1200 }) }),
);
/** Control frames to stand between the fragments: which, behind which one, with what. */
const controls = fc.array(fc.tuple(fc.constantFrom(9, 10), fc.nat(5), fc.uint8Array({ maxLength: 125 })), {
  maxLength: 3,
});
const part = fc.record({ message, key, fragments: positions, controls });

type Part = typeof part extends fc.Arbitrary<infer T> ? T : never;

/** Frames of one message, and what must come of them. `payload`: what goes into the frames, where it is compressed. */
function encode(one: Part, payload?: Uint8Array): { frames: Uint8Array[]; events: PlainEvent[] } {
  const { message: sent } = one;
  const data = payload ?? ("text" in sent ? utf8.encode(sent.text) : sent.bytes);
  const pieces = cut(data, one.fragments);
  const frames: Uint8Array[] = [];
  const events: PlainEvent[] = [];
  for (const [i, piece] of pieces.entries()) {
    const opcode = i > 0 ? 0 : "text" in sent ? 1 : 2;
    const rsv = i === 0 && payload !== undefined ? 4 : 0;
    frames.push(frame({ opcode, rsv, fin: i === pieces.length - 1, payload: piece, key: one.key }));
    if (i === pieces.length - 1) continue;
    for (const [control, behind, content] of one.controls) {
      if (behind !== i) continue;
      frames.push(frame({ opcode: control, payload: content, key: one.key }));
      events.push({ event: control === 9 ? "ping" : "pong", bytes: hex(content) });
    }
  }
  // Lone surrogates are replaced on their way.
  if ("text" in sent)
    events.push({ event: "text", text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(utf8.encode(sent.text)) });
  else events.push({ event: "binary", bytes: hex(sent.bytes) });
  return { frames, events };
}

for (const [name, codec] of CODECS) {
  for (const strings of [true, false]) {
    test(`any messages, however fragmented, masked, cut and aligned (${name}, ${strings ? "strings" : "bytes"})`, () => {
      fc.assert(
        fc.property(fc.array(part, { maxLength: 4 }), positions, fc.nat(7), (parts, cuts, offset) => {
          const encoded = parts.map((one) => encode(one));
          const stream = concat(encoded.flatMap(({ frames }) => frames));
          const wanted = [...encoded.flatMap(({ events }) => events), { event: "idle" }];
          assert.deepEqual(eventsOf([stream], { codec, strings, offset }), wanted);
          assert.deepEqual(eventsOf(cut(stream, cuts), { codec, strings, offset }), wanted);
        }),
        { numRuns: 150 },
      );
    });
  }
}

for (const takeover of [false, true]) {
  test(`any messages, compressed ${takeover ? "with" : "without"} takeover, some of them`, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(part, fc.boolean()), { maxLength: 5 }), positions, (parts, cuts) => {
        const deflater = tools().deflater(12, takeover, 6, 5);
        const inflater = tools().inflater(12, takeover);
        const encoded = parts.map(([one, compress]) => {
          if (!compress) return encode(one);
          const data = "text" in one.message ? utf8.encode(one.message.text) : one.message.bytes;
          const count = deflater.deflate(data, 0, data.length);
          return encode(one, deflater.bytes.slice(0, count));
        });
        const stream = concat(encoded.flatMap(({ frames }) => frames));
        const wanted = [...encoded.flatMap(({ events }) => events), { event: "idle" }];
        assert.deepEqual(eventsOf(cut(stream, cuts), { inflater }), wanted);
        deflater.close();
        inflater.close();
      }),
      { numRuns: 150 },
    );
  });
}

/** A server's frame as a client would send it. */
function masked(server: Uint8Array): Uint8Array {
  const head = server[1] <= 125 ? 2 : server[1] === 126 ? 4 : 10;
  const bytes = new Uint8Array(server.length + 4);
  bytes.set(server.subarray(0, head));
  bytes[1] |= 0x80;
  bytes.set([1, 2, 3, 4], head);
  for (let i = head; i < server.length; i++) bytes[i + 4] = server[i] ^ (((i - head) & 3) + 1);
  return bytes;
}

for (const compressed of [false, true]) {
  test(`what the encoder writes, the decoder reads${compressed ? ", compressed" : ""}`, () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), fc.nat(300), (messages, threshold) => {
        const deflater = compressed ? tools().deflater(15, true, 1, 8) : undefined;
        const inflater = compressed ? tools().inflater(15, true) : undefined;
        const encoder = new MessageEncoder(nativeText, deflater, threshold);
        const frames: Uint8Array[] = [];
        for (const one of messages) {
          const out = new OutBuffer();
          const outcome =
            "text" in one ? encoder.putText(out, one.text) : encoder.putBinary(out, one.bytes, 0, one.bytes.length);
          const rest = outcome === REST ? encoder.rest.subarray(encoder.restStart, encoder.restEnd) : new Uint8Array(0);
          frames.push(masked(concat([out.bytes.subarray(0, out.end), rest])));
        }
        const events = eventsOf([concat(frames)], { inflater });
        const wanted = messages.flatMap(
          (one) => encode({ message: one, key: [0, 0, 0, 0], fragments: [], controls: [] }).events,
        );
        assert.deepEqual(events, [...wanted, { event: "idle" }]);
        deflater?.close();
        inflater?.close();
      }),
      { numRuns: 150 },
    );
  });
}

test("unmasking is exclusive or, at every length, offset and alignment, and touches nothing else", () => {
  for (const length of [0, 1, 2, 3, 4, 5, 63, 190, 191, 192, 193, 194, 195, 196, 197, 1000]) {
    for (let offset = 0; offset < 9; offset++) {
      for (let start = 0; start < 5; start++) {
        const buffer = Uint8Array.from({ length: offset + start + length + 7 }, (_, i) => (i * 31 + 5) & 255);
        const before = buffer.slice();
        const view = buffer.subarray(offset);
        unmask(view, start, start + length, 0x84b2c3d4 | 0);
        const from = offset + start;
        const wanted = before.map((value, i) =>
          i < from || i >= from + length ? value : value ^ [0xd4, 0xc3, 0xb2, 0x84][(i - from) % 4],
        );
        assert.deepEqual(buffer, wanted);
      }
    }
  }
});

test("unmasking tells ASCII from what is not, wherever the byte stands", () => {
  for (let length = 1; length < 40; length++) {
    const bytes = new Uint8Array(length).fill(0x61);
    assert.equal(unmask(bytes, 0, length, 0), true);
    for (let i = 0; i < length; i++) {
      const other = bytes.slice();
      other[i] = 0x80;
      assert.equal(unmask(other, 0, length, 0), false);
    }
  }
});

test("the automaton accepts the characters there are, and nothing else of up to four bytes", () => {
  const strict = new TextDecoder("utf-8", { fatal: true });
  const check = (...bytes: number[]): void => {
    const some = Uint8Array.from(bytes);
    let accepted = true;
    try {
      strict.decode(some);
    } catch {
      accepted = false;
    }
    assert.equal(utf8Step(UTF8_ACCEPT, some, 0, some.length) === UTF8_ACCEPT, accepted, hex(some));
  };
  const continuations = [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0];
  for (let first = 0; first < 256; first++) {
    check(first);
    for (const second of continuations) {
      check(first, second);
      if (first < 0xc0) continue;
      for (const third of continuations) {
        check(first, second, third);
        if (first >= 0xf0) for (const fourth of [0x7f, 0x80, 0xbf, 0xc0]) check(first, second, third, fourth);
      }
    }
  }
});

test("the checks of long pieces agree with the automaton, wherever a text is cut", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.nat(700),
      fc.nat(700),
      byte,
      (text, at, where, wrong) => {
        const bytes = utf8.encode(text.repeat(3));
        if (wrong < 128 && bytes.length > 0) bytes[where % bytes.length] = wrong + 128;
        const split = at % (bytes.length + 1);
        for (const [, codec] of CODECS) {
          const first = utf8Continue(UTF8_ACCEPT, bytes, 0, split, codec);
          assert.equal(first, utf8Step(UTF8_ACCEPT, bytes, 0, split));
          if (first === UTF8_REJECT) continue;
          assert.equal(
            utf8Continue(first, bytes, split, bytes.length, codec),
            utf8Step(first, bytes, split, bytes.length),
          );
        }
      },
    ),
    { numRuns: 400 },
  );
});
