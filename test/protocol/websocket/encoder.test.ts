/** The server's frames: the RFC's own, every length of length, texts, close frames, what does not fit, compression. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BUFFER_MAX_BYTES, OutBuffer } from "../../../src/protocol/buffer.ts";
import type { MessageDeflater } from "../../../src/protocol/websocket/deflate.ts";
import {
  DONE,
  MessageEncoder,
  NO_ROOM,
  putClose,
  putPing,
  putPong,
  REST,
} from "../../../src/protocol/websocket/encoder.ts";
import { CODECS, hex, nativeText, tools, unhex } from "./client.ts";

const utf8 = new TextEncoder();

function written(put: (out: OutBuffer) => unknown): string {
  const out = new OutBuffer();
  put(out);
  return hex(out.bytes.subarray(0, out.end));
}

const plain = new MessageEncoder(nativeText);
const flat = (digits: string): string => digits.replaceAll(" ", "");

// RFC 6455 section 5.7.
test("golden: a text", () => {
  assert.equal(
    written((out) => plain.putText(out, "Hello")),
    flat("81 05 48 65 6c 6c 6f"),
  );
  assert.equal(
    written((out) => plain.putUtf8(out, utf8.encode("xHellox"), 1, 6)),
    flat("81 05 48 65 6c 6c 6f"),
  );
});
test("golden: a ping and its pong", () => {
  const payload = utf8.encode("Hello");
  assert.equal(
    written((out) => putPing(out, payload, 0, 5)),
    flat("89 05 48 65 6c 6c 6f"),
  );
  assert.equal(
    written((out) => putPong(out, payload, 1, 4)),
    flat("8a 03 65 6c 6c"),
  );
});
test("golden: binary messages of 256 bytes and 64 KiB", () => {
  const out = new OutBuffer();
  assert.equal(plain.putBinary(out, new Uint8Array(256), 0, 256), DONE);
  assert.equal(hex(out.bytes.subarray(0, 4)), "827e0100");
  assert.equal(out.end, 260);
  const large = new Uint8Array(65536);
  out.clear();
  assert.equal(plain.putBinary(out, large, 0, 65536), REST);
  assert.equal(hex(out.bytes.subarray(0, out.end)), "827f0000000000010000");
  assert.deepEqual([plain.rest, plain.restStart, plain.restEnd], [large, 0, 65536]);
});

for (const [length, head] of [
  [0, "8200"],
  [125, "827d"],
  [126, "827e007e"],
  [65_000, "827efde8"],
  [65_535, "827effff"],
] as const) {
  test(`the head of ${length} bytes`, () => {
    const out = new OutBuffer();
    plain.putBinary(out, new Uint8Array(length), 0, length);
    assert.equal(hex(out.bytes.subarray(0, head.length / 2)), head);
  });
}

test("the head of more than 2^32 bytes", () => {
  const out = new OutBuffer();
  const huge = { length: 2 ** 32 + 5 } as Uint8Array;
  assert.equal(plain.putBinary(out, huge, 0, huge.length), REST);
  assert.equal(hex(out.bytes.subarray(0, out.end)), "827f0000000100000005");
});

for (const [name, codec] of CODECS) {
  const encoder = new MessageEncoder(codec);
  test(`texts (${name}) at every border of lengths, of one to three bytes a unit`, () => {
    for (const units of [0, 1, 31, 32, 33, 41, 42, 62, 63, 64, 125, 126, 127, 1000, 21_000, 21_844, 21_846, 65_536]) {
      for (const unit of ["a", "ž", "漢", "😀", "\ud800", "a\udc00"]) {
        const text = unit.repeat(units).slice(0, units);
        const out = new OutBuffer();
        out.bytes[0] = 0xaa;
        out.end = 1;
        const outcome = encoder.putText(out, text);
        const payload = utf8.encode(text);
        const length = payload.length;
        const head =
          length <= 125
            ? [0x81, length]
            : length <= 65_535
              ? [0x81, 126, length >> 8, length & 255]
              : [0x81, 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
        const start = 1 + head.length;
        assert.equal(hex(out.bytes.subarray(0, start)), hex(Uint8Array.from([0xaa, ...head])));
        const inPlace = out.bytes.subarray(start, out.end);
        const rest = outcome === REST ? encoder.rest.subarray(encoder.restStart, encoder.restEnd) : new Uint8Array(0);
        assert.ok(outcome === DONE || outcome === REST);
        assert.deepEqual(outcome === DONE ? inPlace.slice() : rest, payload);
        assert.equal(inPlace.length + rest.length, length);
      }
    }
  });
}

test("close: code and reason", () => {
  assert.equal(
    written((out) => putClose(out, 1000)),
    "880203e8",
  );
  assert.equal(
    written((out) => putClose(out, 4999, "bye")),
    flat("88 05 13 87 62 79 65"),
  );
  assert.equal(
    written((out) => putClose(out, undefined, "dropped")),
    "8800",
  );
});
test("close: a reason of more than 123 bytes is cut at a character", () => {
  const cut = (reason: string) => {
    const frame = unhex(written((out) => putClose(out, 1011, reason)));
    assert.equal(frame[1], frame.length - 2);
    return new TextDecoder("utf-8", { fatal: true }).decode(frame.subarray(4));
  };
  assert.equal(cut("a".repeat(123)), "a".repeat(123));
  assert.equal(cut("a".repeat(124)), "a".repeat(123));
  assert.equal(cut("ž".repeat(62)), "ž".repeat(61));
  assert.equal(cut(`a${"😀".repeat(40)}`), `a${"😀".repeat(30)}`);
});
for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, Number.NaN, -1]) {
  test(`close: code ${code} is refused`, () => assert.throws(() => putClose(new OutBuffer(), code), /may not be sent/));
}
test("control frames have at most 125 bytes", () => {
  assert.throws(() => putPing(new OutBuffer(), new Uint8Array(126), 0, 126), /125/);
});

/** A buffer with `count` bytes in it. */
function filled(count: number): OutBuffer {
  const out = new OutBuffer();
  assert.ok(out.ensure(count));
  out.end = count;
  return out;
}

test("without room nothing is written", () => {
  const out = filled(BUFFER_MAX_BYTES - 3);
  const outcomes = [
    plain.putText(out, "abc"),
    plain.putText(out, "a".repeat(200)),
    plain.putBinary(out, new Uint8Array(4), 0, 4),
  ];
  assert.deepEqual(outcomes, [NO_ROOM, NO_ROOM, NO_ROOM]);
  assert.equal(putPing(out, new Uint8Array(4), 0, 4), false);
  assert.equal(putClose(out, 1000), false);
  assert.equal(out.end, BUFFER_MAX_BYTES - 3);
});

test("with room for a head only, the payload follows", () => {
  const out = filled(BUFFER_MAX_BYTES - 10);
  assert.equal(plain.putText(out, "ž".repeat(100)), REST);
  assert.equal(hex(out.bytes.subarray(BUFFER_MAX_BYTES - 10, out.end)), "817e00c8");
  assert.deepEqual(plain.rest.subarray(plain.restStart, plain.restEnd), utf8.encode("ž".repeat(100)));
});

/** Counts what it compresses. */
function counting(takeover: boolean): { readonly deflater: MessageDeflater; readonly runs: () => number } {
  const inner = tools().deflater(15, takeover, 6, 8);
  let runs = 0;
  const deflater: MessageDeflater = {
    get bytes() {
      return inner.bytes;
    },
    get owned() {
      return inner.owned;
    },
    contextTakeover: takeover,
    deflate(source, start, end) {
      runs++;
      return inner.deflate(source, start, end);
    },
    forget: () => inner.forget(),
    close: () => inner.close(),
  };
  return { deflater, runs: () => runs };
}

test("a text for many connections is compressed twice at most, and leaves the same each time", () => {
  const { deflater, runs } = counting(false);
  const encoder = new MessageEncoder(nativeText, deflater);
  const first = "Hello, hello, hello, hello! ".repeat(20);
  const incompressible = "Hello";
  for (const text of [first, `${first}.`, incompressible, first]) {
    const fresh = written((out) => new MessageEncoder(nativeText, deflater).putText(out, text));
    const before = runs();
    // Behind other output, in a buffer whose front has left, and in one that must make room: all take the same frame.
    const out = new OutBuffer();
    encoder.putText(out, text);
    out.took(out.end - 1);
    for (let i = 0; i < 40; i++) {
      const { end, start } = out;
      assert.equal(encoder.putText(out, text), DONE);
      const count = out.end - out.start - (end - start);
      assert.equal(hex(out.bytes.subarray(out.end - count, out.end)), fresh, text);
    }
    assert.equal(runs() - before, 2, text);
  }
});

test("a text that many connections get waits where there is no room for its frame", () => {
  const encoder = new MessageEncoder(nativeText, counting(false).deflater);
  const text = "abcdefgh".repeat(50);
  for (let i = 0; i < 3; i++) assert.equal(encoder.putText(new OutBuffer(), text), DONE);
  const out = filled(BUFFER_MAX_BYTES - 3);
  assert.equal(encoder.putText(out, text), NO_ROOM);
  assert.equal(out.end, BUFFER_MAX_BYTES - 3);
});

test("with context takeover each message is compressed, an equal one too", () => {
  const { deflater, runs } = counting(true);
  const encoder = new MessageEncoder(nativeText, deflater);
  const frames = [0, 1, 2, 3].map(() => written((out) => encoder.putText(out, "Hello, hello, hello")));
  assert.equal(runs(), 4);
  assert.notEqual(frames[1], frames[0]);
  deflater.close();
});

// RFC 7692 section 7.2.3.1 and 7.2.3.2.
test("compressed: the RFC's Hello, without and with takeover", () => {
  for (const [takeover, second] of [
    [false, "c107f248cdc9c90700"],
    [true, "c105f200110000"],
  ] as const) {
    const deflater = tools().deflater(15, takeover, 6, 8);
    const encoder = new MessageEncoder(nativeText, deflater);
    // Without takeover what does not shrink is sent as it is.
    const first = takeover ? "c107f248cdc9c90700" : "810548656c6c6f";
    assert.equal(
      written((out) => encoder.putText(out, "Hello")),
      first,
    );
    if (takeover)
      assert.equal(
        written((out) => encoder.putText(out, "Hello")),
        second,
      );
    deflater.close();
  }
});

test("compressed: below the threshold, and empty messages, are not", () => {
  const deflater = tools().deflater(15, true, 6, 8);
  const encoder = new MessageEncoder(nativeText, deflater, 10);
  assert.equal(
    written((out) => encoder.putText(out, "aaaaaaaaa")),
    "8109616161616161616161",
  );
  assert.equal(
    written((out) => encoder.putBinary(out, new Uint8Array(9), 0, 9)),
    `8209${"00".repeat(9)}`,
  );
  assert.match(
    written((out) => encoder.putText(out, "aaaaaaaaaa")),
    /^c1/,
  );
  assert.match(
    written((out) => encoder.putBinary(out, new Uint8Array(12), 1, 11)),
    /^c2/,
  );
  assert.equal(
    written((out) => new MessageEncoder(nativeText, deflater, 0).putText(out, "")),
    "8100",
  );
  deflater.close();
});

test("compressed: with takeover what does not shrink is sent compressed all the same", () => {
  let state = 1;
  const noise = Uint8Array.from({ length: 300 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  });
  const own = tools().deflater(15, true, 6, 8);
  const shared = tools().deflater(15, false, 6, 8);
  assert.match(
    written((out) => new MessageEncoder(nativeText, own).putBinary(out, noise, 0, 300)),
    /^c2/,
  );
  assert.match(
    written((out) => new MessageEncoder(nativeText, shared).putBinary(out, noise, 0, 300)),
    /^827e012c/,
  );
  own.close();
});

test("compressed: long texts, and what does not fit into the buffer, are read back whole", () => {
  for (const takeover of [false, true]) {
    const deflater = tools().deflater(15, takeover, 1, 8);
    const inflater = tools().inflater(15, takeover);
    const encoder = new MessageEncoder(nativeText, deflater);
    const noise = Uint8Array.from({ length: 200_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 7) & 127);
    for (const text of ["příliš ".repeat(10), "žluťoučký ".repeat(5000), new TextDecoder().decode(noise)]) {
      const out = new OutBuffer();
      const outcome = encoder.putText(out, text);
      const inPlace = out.bytes.slice(0, out.end);
      const rest = outcome === REST ? encoder.rest.slice(encoder.restStart, encoder.restEnd) : new Uint8Array(0);
      const head = inPlace[1] <= 125 ? 2 : inPlace[1] === 126 ? 4 : 10;
      assert.equal(inPlace[0], 0xc1);
      const payload = Uint8Array.from([...inPlace.subarray(head), ...rest]);
      const count = inflater.inflate(payload, 0, payload.length, 1 << 20);
      assert.equal(new TextDecoder().decode(inflater.bytes.subarray(0, count)), text);
    }
    deflater.close();
    inflater.close();
  }
});

test("compressed: the payload that follows is not overwritten by the next message", () => {
  const deflater = tools().deflater(15, false, 1, 8);
  const encoder = new MessageEncoder(nativeText, deflater);
  const out = filled(BUFFER_MAX_BYTES - 12);
  assert.equal(encoder.putText(out, "Hello, hello, hello, hello, hello, hello!"), REST);
  const before = hex(encoder.rest.subarray(encoder.restStart, encoder.restEnd));
  const { rest, restStart, restEnd } = encoder;
  encoder.putText(new OutBuffer(), "Another, another, another, another one!");
  assert.equal(hex(rest.subarray(restStart, restEnd)), before);
});

test("compressed: nor is a text that does not shrink, and follows as it is", () => {
  const deflater = tools().deflater(15, false, 1, 8);
  const encoder = new MessageEncoder(nativeText, deflater);
  const text = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + ((i * 37) % 95))).join("");
  const out = filled(BUFFER_MAX_BYTES - 12);
  const before = out.end;
  assert.equal(encoder.putText(out, text), REST);
  assert.equal(hex(out.bytes.subarray(before, out.end)), "815f");
  const { rest, restStart, restEnd } = encoder;
  encoder.putText(new OutBuffer(), "What another client is told in confidence, and what is no business of this one.");
  assert.equal(new TextDecoder().decode(rest.subarray(restStart, restEnd)), text);
});

test("a text that is sent again and again is the same frame each time, whatever was sent in between", () => {
  const encoder = new MessageEncoder(nativeText);
  const texts = [32, 33, 125, 126, 512, 513].flatMap((units) => ["a", "é", "\ud800"].map((each) => each.repeat(units)));
  const encoded = (text: string): string => {
    const out = new OutBuffer();
    out.ensure(3);
    out.end = 3;
    assert.equal(encoder.putText(out, text), DONE);
    return Buffer.from(out.bytes.subarray(3, out.end)).toString("hex");
  };
  const alone = texts.map((text) => {
    const out = new OutBuffer();
    new MessageEncoder(nativeText).putText(out, text);
    return Buffer.from(out.bytes.subarray(0, out.end)).toString("hex");
  });
  for (let times = 1; times <= 4; times++) {
    for (const [i, text] of texts.entries()) {
      for (let n = 0; n < times; n++) assert.equal(encoded(text), alone[i]);
    }
  }
});
