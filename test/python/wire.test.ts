/** The shared vectors, read by the front's half of the wire format; and what it refuses. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { HeaderList } from "../../src/asgi/headers.ts";
import type { HeaderPair, HttpScope, WebSocketScope } from "../../src/asgi/types.ts";
import { putScope, trailersPayload } from "../../src/python/marshal.ts";
import { putSocketScope } from "../../src/python/socket-scope.ts";
import * as wire from "../../src/python/wire.ts";

interface RecordVector {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly generation: number;
  readonly payload: string;
  readonly bytes: string;
}

type TextPair = readonly [string, string];

type ScopeVector = Record<string, unknown> & {
  readonly name: string;
  readonly raw_path: string;
  readonly query_string: string;
  readonly headers: readonly TextPair[];
  readonly marshal: string;
};

interface Vectors {
  readonly records: readonly RecordVector[];
  readonly scopes: readonly ScopeVector[];
  readonly socketScopes: readonly ScopeVector[];
  readonly trailers: { readonly pairs: readonly TextPair[]; readonly marshal: string };
  readonly fields: readonly { name: string; pairs: readonly TextPair[]; count: number; block: string }[];
  readonly refused: readonly { name: string; bytes: string }[];
  readonly refusedFields: readonly { name: string; count: number; block: string }[];
}

const vectors = JSON.parse(readFileSync(new URL("./vectors.json", import.meta.url), "utf8")) as Vectors;

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const latin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
const pairsOf = (pairs: readonly TextPair[]): HeaderPair[] => pairs.map(([n, v]) => [latin1(n), latin1(v)]);

/** What a reader found in the pieces of a stream, as the vectors have it. */
function read(...pieces: readonly Uint8Array[]): Omit<RecordVector, "name" | "bytes">[] {
  const found: Omit<RecordVector, "name" | "bytes">[] = [];
  const reader = new wire.RecordReader({
    expects: () => {},
    took: (type, flags, id, generation, bytes, start, end) => {
      found.push({ type, flags, id, generation, payload: hexOf(bytes.subarray(start, end)) });
    },
  });
  for (const piece of pieces) reader.push(piece);
  return found;
}

for (const vector of vectors.records) {
  test(`writes ${vector.name}`, () => {
    const out = new wire.RecordBuffer(1);
    const { type, flags, id, generation } = vector;
    out.record(type, flags, id, generation, bytesOf(vector.payload));
    assert.equal(hexOf(out.bytes.subarray(0, out.length)), vector.bytes);
  });
}

const stream = bytesOf(vectors.records.map((vector) => vector.bytes).join(""));
const wanted = vectors.records.map(({ name: _, bytes: __, ...rest }) => rest);

test("reads all records at once", () => {
  assert.deepEqual(read(stream), wanted);
});

test("reads them byte by byte", () => {
  assert.deepEqual(read(...Array.from(stream, (_, i) => stream.slice(i, i + 1))), wanted);
});

test("reads them cut in two at each place", () => {
  for (let at = 0; at <= stream.length; at++) {
    assert.deepEqual(read(stream.slice(0, at), stream.slice(at)), wanted, `cut at ${at}`);
  }
});

/** `length` bytes that are nowhere the same for long. */
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);

test("reads the longest record, whole and in parts", () => {
  const out = new wire.RecordBuffer(1);
  const payload = noise(wire.MOST_PAYLOAD_BYTES);
  out.record(wire.BODY, 0, 1, 1, payload);
  assert.equal(out.length, 64 * 1024);
  const whole = out.bytes.slice(0, out.length);
  assert.equal(read(whole)[0].payload, hexOf(payload));
  assert.equal(read(whole.slice(0, 100), whole.slice(100))[0].payload, hexOf(payload));
});

const RESPONSE_START = bytesOf("c8000100030061003162");

/** A long answer of several records between two others. */
function longAnswer(): { bytes: Uint8Array; body: string } {
  const out = new wire.RecordBuffer(1);
  const body = noise(100_000);
  out.record(wire.RESPONSE, wire.LAST, 6, 1, RESPONSE_START);
  const first = new Uint8Array(RESPONSE_START.length + 40_000);
  first.set(RESPONSE_START);
  first.set(body.subarray(0, 40_000), RESPONSE_START.length);
  out.record(wire.RESPONSE, 0, 7, 1, first);
  out.record(wire.RESPONSE_BODY, 0, 7, 1, body, 40_000, 50_000);
  out.record(wire.RESPONSE_BODY, wire.LAST, 7, 1, body, 50_000, 100_000);
  out.record(wire.RESPONSE_BODY, wire.LAST, 8, 1, bytesOf("00ff"));
  return { bytes: out.bytes.slice(0, out.length), body: hexOf(body) };
}

/** What of the long answer was told, put together again. */
function checkLongAnswer(found: ReturnType<typeof read>, body: string): void {
  const [before, ...others] = found;
  const behind = others.pop()!;
  assert.deepEqual([before.id, before.flags, before.payload], [6, wire.LAST, hexOf(RESPONSE_START)]);
  assert.deepEqual([behind.id, behind.flags, behind.payload], [8, wire.LAST, "00ff"]);
  for (const [at, { type, flags, id }] of others.entries()) {
    assert.equal(type, at === 0 ? wire.RESPONSE : wire.RESPONSE_BODY);
    assert.equal(flags, at === others.length - 1 ? wire.LAST : 0);
    assert.equal(id, 7);
  }
  assert.equal(others.map(({ payload }) => payload).join(""), hexOf(RESPONSE_START) + body);
}

test("bodies that stand behind one another are told as one", () => {
  const { bytes, body } = longAnswer();
  const found = read(bytes);
  checkLongAnswer(found, body);
  assert.equal(found.length, 3);
});

test("a long body that is cut somewhere is told in parts, whose last alone says that it is", () => {
  const { bytes, body } = longAnswer();
  const edges = [0, 22, 44, 40_044, 50_056, 100_068].flatMap((edge) => [...Array(40).keys()].map((i) => edge + i - 13));
  for (const at of [...edges, 20_000, 45_000, 70_000]) {
    const cut = Math.min(Math.max(at, 0), bytes.length);
    checkLongAnswer(read(bytes.slice(0, cut), bytes.slice(cut)), body);
  }
  const pieces = Array.from({ length: Math.ceil(bytes.length / 7001) }, (_, i) =>
    bytes.slice(i * 7001, (i + 1) * 7001),
  );
  checkLongAnswer(read(...pieces), body);
});

test("the room in front of a body is told with what stands before it, wherever the record is cut", () => {
  const out = new wire.RecordBuffer(1);
  const start = RESPONSE_START.subarray(0, RESPONSE_START.length - 1);
  const before = start.length + wire.ROOM_BYTES;
  const payload = noise(before + 20_000);
  payload.set(start);
  out.record(wire.RESPONSE, wire.LAST | wire.ROOM, 7, 1, payload);
  const bytes = out.bytes.slice(0, out.length);
  for (let at = 1; at < before + 40; at++) {
    const found = read(bytes.slice(0, at), bytes.slice(at));
    assert.equal(found.map((record) => record.payload).join(""), hexOf(payload), String(at));
    assert.ok(found[0].payload.length >= 2 * before && (found[0].flags & wire.ROOM) !== 0, String(at));
    assert.equal(found.at(-1)!.flags & wire.LAST, wire.LAST);
  }
});

test("a part of a long body is told before the rest has come", () => {
  const { bytes } = longAnswer();
  const found = read(bytes.slice(0, 30_000));
  assert.deepEqual([found.length, found[1].id, found[1].flags], [2, 7, 0]);
  assert.equal(found[1].payload.length, 2 * (30_000 - 22 - 12));
});

test("what follows a body is another's or no body: they are not joined", () => {
  const out = new wire.RecordBuffer(1);
  const body = noise(5_000);
  out.record(wire.RESPONSE_BODY, 0, 1, 1, body);
  out.record(wire.RESPONSE_BODY, 0, 2, 1, body);
  out.record(wire.RESPONSE_BODY, wire.LAST, 1, 1, body);
  out.record(wire.RESPONSE_BODY, wire.LAST, 1, 1, body);
  out.record(wire.RESPONSE_BODY, 0, 3, 1, body);
  out.record(wire.DONE, 0, 3, 1, body);
  out.record(wire.RESPONSE, wire.MORE, 4, 1, RESPONSE_START);
  out.record(wire.RESPONSE_BODY, 0, 4, 1, body);
  out.record(wire.RESPONSE_BODY, 0, 4, 2, body);
  assert.equal(read(out.bytes.slice(0, out.length)).length, 9);
});

test("half a record at the end of the stream is nothing", () => {
  assert.deepEqual(read(stream.slice(0, stream.length - 1)), wanted.slice(0, -1));
});

for (const { name, bytes } of vectors.refused) {
  test(`refuses ${name}, whole or in pieces`, () => {
    const all = bytesOf(bytes);
    assert.throws(() => read(all), wire.WireError);
    assert.throws(() => read(...Array.from(all, (byte) => Uint8Array.of(byte))), wire.WireError);
  });
}

for (const { name, pairs, count, block } of vectors.fields) {
  test(`reads fields: ${name}`, () => {
    const bytes = bytesOf(block);
    const found = wire.decodeFields(bytes, 0, bytes.length, count);
    assert.deepEqual(
      found.map(([n, v]) => [hexOf(n), hexOf(v)]),
      pairsOf(pairs).map(([n, v]) => [hexOf(n), hexOf(v)]),
    );
  });
}

for (const { name, count, block } of vectors.refusedFields) {
  test(`refuses fields: ${name}`, () => {
    const bytes = bytesOf(block);
    assert.throws(() => wire.decodeFields(bytes, 0, bytes.length, count), wire.WireError);
    assert.throws(() => wire.checkFields(bytes, 0, bytes.length, count), wire.WireError);
  });
}

for (const vector of vectors.scopes) {
  test(`writes a scope: ${vector.name}`, () => {
    const out = new wire.RecordBuffer(1);
    const raw = { raw_path: latin1(vector.raw_path), query_string: latin1(vector.query_string) };
    const scope = { ...vector, ...raw, headers: pairsOf(vector.headers) } as unknown as HttpScope;
    const start = putScope(out, scope);
    assert.equal(start, 0);
    assert.equal(hexOf(out.bytes.subarray(wire.HEADER_BYTES, out.length)), vector.marshal);
  });

  test(`writes a scope from its field lines: ${vector.name}`, () => {
    const out = new wire.RecordBuffer(1);
    const lines = pairsOf(vector.headers).map(([name, value]) => {
      const upper = String.fromCharCode(...name).toUpperCase();
      return `${upper}:\t ${String.fromCharCode(...value)} \r\n`;
    });
    const bytes = latin1(`before${lines.join("")}\r\nbehind`);
    const headers = new HeaderList(bytes, 6, bytes.length - 6, null, true);
    const raw = { raw_path: latin1(vector.raw_path), query_string: latin1(vector.query_string) };
    putScope(out, { ...vector, ...raw, headers } as unknown as HttpScope);
    assert.equal(hexOf(out.bytes.subarray(wire.HEADER_BYTES, out.length)), vector.marshal);
  });
}

for (const vector of vectors.socketScopes) {
  test(`writes the scope of a WebSocket: ${vector.name}`, () => {
    const out = new wire.RecordBuffer(1);
    const raw = { raw_path: latin1(vector.raw_path), query_string: latin1(vector.query_string) };
    const scope = { ...vector, ...raw, headers: pairsOf(vector.headers) } as unknown as WebSocketScope;
    assert.equal(putSocketScope(out, scope), 0);
    assert.equal(hexOf(out.bytes.subarray(wire.HEADER_BYTES, out.length)), vector.marshal);
  });
}

test("writes trailers", () => {
  assert.equal(hexOf(trailersPayload(pairsOf(vectors.trailers.pairs))), vectors.trailers.marshal);
});

test("parts of a message that stand behind one another are told as one, and counted; others are not joined", () => {
  const out = new wire.RecordBuffer(64);
  const put = (flags: number, id: number, text: string) => out.record(wire.WS_SEND, flags, id, 1, latin1(text));
  const { MORE, TEXT } = wire;
  put(TEXT | MORE, 1, "gr");
  put(TEXT | MORE, 1, "");
  put(TEXT, 1, "een");
  put(0, 1, "alone");
  put(MORE, 1, "a");
  put(MORE, 2, "b");
  put(0, 2, "c");
  put(0, 1, "d");
  put(MORE, 3, "cut ");
  const cut = out.length + wire.HEADER_BYTES + 2;
  put(0, 3, "here");
  const told: string[] = [];
  const reader = new wire.RecordReader({
    expects: () => {},
    took: (_type, flags, id, _generation, bytes, start, end, records) => {
      assert.ok(start >= wire.HEADER_BYTES);
      const more = (flags & MORE) === 0 ? "" : " ...";
      told.push(`${id}: ${Buffer.from(bytes.subarray(start, end)).toString()}${more} (${records})`);
      // What is in front of it is nobody's.
      bytes.fill(0xff, start - wire.HEADER_BYTES, start);
    },
  });
  const bytes = out.bytes.subarray(0, out.length);
  reader.push(bytes.slice(0, cut));
  reader.push(bytes.slice(cut));
  const wanted = [
    "1: green (3)",
    "1: alone (1)",
    "1: a ... (1)",
    "2: bc (2)",
    "1: d (1)",
    "3: cut  ... (1)",
    "3: here (1)",
  ];
  assert.deepEqual(told, wanted);
});
