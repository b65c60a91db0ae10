/** permessage-deflate: what is agreed upon for every offer, and that every agreement works. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { constants, createDeflateRaw, deflateRawSync, inflateRawSync } from "node:zlib";
import {
  DEFAULT_DEFLATE_OPTIONS,
  type DeflateOptions,
  INFLATE_CORRUPT,
  INFLATE_TOO_LARGE,
  negotiateDeflate,
} from "../../../src/protocol/websocket/deflate.ts";
import { parseExtensions } from "../../../src/protocol/websocket/extensions.ts";
import { hex, tools, unhex } from "./client.ts";

const TAKEOVER: Partial<DeflateOptions> = { serverContextTakeover: true, clientContextTakeover: true };

function agreed(offers: string, options: Partial<DeflateOptions> = TAKEOVER): string | undefined {
  const list = parseExtensions([offers]);
  assert.ok(list !== undefined, offers);
  return negotiateDeflate(list, { ...DEFAULT_DEFLATE_OPTIONS, ...options })?.header;
}

const P = "permessage-deflate";
const S = "server_max_window_bits";
const C = "client_max_window_bits";
const NS = "server_no_context_takeover";
const NC = "client_no_context_takeover";
const AGREEMENTS: readonly (readonly [
  offers: string,
  answer: string | undefined,
  options?: Partial<DeflateOptions>,
])[] = [
  [P, P],
  [`${P}; ${NS}`, `${P}; ${NS}`],
  [`${P}; ${NC}`, `${P}; ${NC}`],
  [`${P}; ${C}`, P],
  [`${P}; ${C}`, `${P}; ${C}=10`, { ...TAKEOVER, clientMaxWindowBits: 10 }],
  [`${P}; ${C}=9`, `${P}; ${C}=9`, { ...TAKEOVER, clientMaxWindowBits: 10 }],
  [`${P}; ${C}=12`, `${P}; ${C}=10`, { ...TAKEOVER, clientMaxWindowBits: 10 }],
  [`${P}; ${C}=8`, `${P}; ${C}=8`],
  [P, P, { ...TAKEOVER, clientMaxWindowBits: 10 }],
  [`${P}; ${S}=10`, `${P}; ${S}=10`],
  [`${P}; ${S}="10"`, `${P}; ${S}=10`],
  [`${P}; ${S}=15`, `${P}; ${S}=15`],
  [`${P}; ${S}=15`, `${P}; ${S}=11`, { ...TAKEOVER, serverMaxWindowBits: 11 }],
  [P, `${P}; ${S}=11`, { ...TAKEOVER, serverMaxWindowBits: 11 }],
  [P, `${P}; ${NS}; ${NC}`, {}],
  [`${P}; ${C}; ${S}=9`, `${P}; ${NS}; ${NC}; ${S}=9; ${C}=8`, { clientMaxWindowBits: 8 }],
  // Declined: a value that is not allowed, a value where none is, none where one is due, unknown, repeated.
  [`${P}; ${S}=8`, undefined],
  [`${P}; ${S}`, undefined],
  ...["7", "16", "09", "+9", "9.0", "x", "010"].flatMap(
    (bits) =>
      [
        [`${P}; ${S}=${bits}`, undefined],
        [`${P}; ${C}=${bits}`, undefined],
      ] as const,
  ),
  [`${P}; ${NS}=1`, undefined],
  [`${P}; ${NC}=true`, undefined],
  [`${P}; unknown`, undefined],
  [`${P}; ${NS}; ${NS}`, undefined],
  [`${P}; ${C}; ${C}=10`, undefined],
  ["x-webkit-deflate-frame", undefined],
  // The first offer that can be met; others of the client's are fallbacks.
  [`${P}; ${S}=8, ${P}; ${S}=10, ${P}`, `${P}; ${S}=10`],
  [`other; a=b, ${P}; unknown=1, ${P}; ${NC}`, `${P}; ${NC}`],
  ["", undefined],
];
for (const [offers, answer, options] of AGREEMENTS) {
  const about = options === undefined ? "" : ` with ${JSON.stringify(options)}`;
  test(`agreement: ${offers || "nothing"}${about}`, () => assert.equal(agreed(offers, options), answer));
}

test("extensions are read as the grammar has them", () => {
  assert.deepEqual(parseExtensions(['a ; b = c ;d="\\e",, f', ",g;h"]), [
    {
      name: "a",
      parameters: [
        ["b", "c"],
        ["d", "e"],
      ],
    },
    { name: "f", parameters: [] },
    { name: "g", parameters: [["h", true]] },
  ]);
  assert.deepEqual(parseExtensions([]), []);
});

/** Texts that repeat themselves and one another, and bytes that don't. */
const MESSAGES = [
  new TextEncoder().encode("Hello, hello, hello! ".repeat(50)),
  Uint8Array.from({ length: 5000 }, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 255),
  new TextEncoder().encode("Hello, hello, hello! ".repeat(3000)),
  Uint8Array.of(7),
  new TextEncoder().encode(JSON.stringify(Array.from({ length: 2000 }, (_, id) => ({ id, name: `user ${id % 97}` })))),
];

/** What a zlib that is not ours makes of all payloads in order. */
function referenceInflate(payloads: readonly Uint8Array[], windowBits: number, takeover: boolean): Uint8Array[] {
  const tail = unhex("00 00 ff ff");
  const inflate = (stream: Uint8Array) =>
    new Uint8Array(inflateRawSync(stream, { windowBits, finishFlush: constants.Z_SYNC_FLUSH }));
  let history: Uint8Array[] = [];
  let before = 0;
  return payloads.map((payload) => {
    history = [...(takeover ? history : []), payload, tail];
    const all = inflate(Buffer.concat(history));
    const start = takeover ? before : 0;
    before = all.length;
    return all.subarray(start);
  });
}

for (const takeover of [false, true]) {
  for (const bits of [9, 10, 11, 12, 13, 14, 15]) {
    test(`server to client, ${takeover ? "with" : "without"} takeover, window bits ${bits}: another zlib reads it`, () => {
      for (const [level, memoryLevel] of [
        [1, 8],
        [6, 1],
        [9, 9],
      ]) {
        const deflater = tools().deflater(bits, takeover, level, memoryLevel);
        const payloads = MESSAGES.map((message) => {
          const count = deflater.deflate(message, 0, message.length);
          return deflater.bytes.slice(0, count);
        });
        assert.deepEqual(referenceInflate(payloads, bits, takeover).map(hex), MESSAGES.map(hex));
        deflater.close();
      }
    });
  }
  for (const bits of [8, 9, 10, 11, 12, 13, 14, 15]) {
    test(`client to server, ${takeover ? "with" : "without"} takeover, window bits ${bits}`, () => {
      const deflater = tools().deflater(Math.max(9, bits), takeover, 6, 8);
      const inflater = tools().inflater(bits, takeover);
      for (const message of MESSAGES) {
        const count = deflater.deflate(message, 0, message.length);
        const payload = deflater.bytes.slice(0, count);
        assert.equal(inflater.inflate(payload, 0, payload.length, message.length), message.length);
        assert.deepEqual(inflater.bytes.subarray(0, message.length), message);
      }
      deflater.close();
      inflater.close();
    });
  }
}

test("with takeover a message that is repeated shrinks, without it does not", () => {
  const message = Uint8Array.from({ length: 1000 }, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 255);
  for (const takeover of [false, true]) {
    const deflater = tools().deflater(15, takeover, 6, 8);
    const first = deflater.deflate(message, 0, message.length);
    const second = deflater.deflate(message, 0, message.length);
    if (takeover) assert.ok(second < first / 4, `${first}, ${second}`);
    else assert.equal(second, first);
    deflater.close();
  }
});

test("a part of an array is compressed and decompressed without the rest", () => {
  const deflater = tools().deflater(15, false, 6, 8);
  const source = new TextEncoder().encode("xxxHello, hellozzz");
  const count = deflater.deflate(source, 3, 15);
  const payload = Uint8Array.from([9, 9, ...deflater.bytes.subarray(0, count), 9]);
  const inflater = tools().inflater(15, false);
  assert.equal(inflater.inflate(payload, 2, 2 + count, 100), 12);
  assert.deepEqual(inflater.bytes.slice(0, 12), source.slice(3, 15));
});

test("an empty message is one byte, and leaves the context as it is", () => {
  const deflater = tools().deflater(15, true, 6, 8);
  const inflater = tools().inflater(15, true);
  for (const message of [MESSAGES[0], new Uint8Array(0), MESSAGES[0], new Uint8Array(0)]) {
    const count = deflater.deflate(message, 0, message.length);
    const payload = deflater.bytes.slice(0, count);
    if (message.length === 0) assert.equal(hex(payload), "00");
    assert.equal(inflater.inflate(payload, 0, count, 10_000), message.length);
  }
  deflater.close();
  inflater.close();
});

/** A gigabyte of zeros would be a megabyte; this makes as much of it as is asked for. */
function bomb(megabytes: number): Uint8Array {
  return new Uint8Array(deflateRawSync(new Uint8Array(megabytes << 20), { finishFlush: constants.Z_SYNC_FLUSH })).slice(
    0,
    -4,
  );
}

test("a bomb is stopped at the limit, wherever that lies", () => {
  const payload = bomb(64);
  assert.ok(payload.length < 70_000);
  for (const takeover of [false, true]) {
    for (const limit of [0, 1, 1000, 65_535, 65_536, 65_537, 1 << 20]) {
      const inflater = tools().inflater(15, takeover);
      assert.equal(inflater.inflate(payload, 0, payload.length, limit), INFLATE_TOO_LARGE);
      assert.ok(inflater.bytes.length <= 65_536, "what it held has been let go");
      inflater.close();
    }
  }
});

test("exactly the limit is no bomb", () => {
  const payload = bomb(1);
  const inflater = tools().inflater(15, false);
  assert.equal(inflater.inflate(payload, 0, payload.length, 1 << 20), 1 << 20);
  assert.equal(inflater.owned, true);
  assert.ok(inflater.bytes.every((byte) => byte === 0));
  assert.equal(inflater.inflate(payload, 0, payload.length, (1 << 20) - 1), INFLATE_TOO_LARGE);
});

test("corrupt data is told from too much of it", () => {
  const inflater = tools().inflater(15, false);
  assert.equal(inflater.inflate(unhex("ff ff"), 0, 2, 100), INFLATE_CORRUPT);
  assert.equal(inflater.inflate(unhex(""), 0, 0, 100), 0);
});

test("a compressor that is closed is not used again; a shared one is not closed by its users", () => {
  const own = [tools().deflater(15, true, 6, 8), tools().inflater(15, true)] as const;
  own[0].deflate(MESSAGES[0], 0, 10);
  own[0].close();
  own[1].close();
  assert.throws(() => own[0].deflate(MESSAGES[0], 0, 10), /closed/);
  assert.throws(() => own[1].inflate(MESSAGES[0], 0, 10, 10), /closed/);
  const shared = tools().deflater(15, false, 6, 8);
  shared.close();
  assert.ok(shared.deflate(MESSAGES[0], 0, 100) > 0);
  assert.equal(tools().deflater(15, false, 6, 8), shared);
  assert.equal(tools().inflater(9, false), tools().inflater(15, false));
});

test("a stream that a client's zlib makes with a flush per message is read", async () => {
  const stream = createDeflateRaw({ windowBits: 12 });
  const parts: Buffer[] = [];
  stream.on("data", (part: Buffer) => parts.push(part));
  const inflater = tools().inflater(12, true);
  for (const message of MESSAGES) {
    parts.length = 0;
    stream.write(message);
    await new Promise<void>((resolve) => stream.flush(constants.Z_SYNC_FLUSH, resolve));
    const payload = new Uint8Array(Buffer.concat(parts)).slice(0, -4);
    assert.equal(inflater.inflate(payload, 0, payload.length, 1 << 20), message.length);
    assert.deepEqual(inflater.bytes.subarray(0, message.length), message);
  }
  inflater.close();
});
