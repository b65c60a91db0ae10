/** Wherever a stream is cut, the events are those of the stream at once; and a cut costs no more than it must. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HEAD, NEED_DATA } from "../../../src/protocol/http1/parser.ts";
import { Spill } from "../../../src/protocol/http1/spill.ts";
import { byteByByte, bytesOf, cutAt, parserWith, plainEvents } from "./events.ts";

const from = (alphabet: string, least: number, most: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength: least, maxLength: most });

const token = from("abcXYZ019-_!#$%&'*+.^`|~", 1, 12);
const value = from('abc XYZ\t,;="\\/:()<>@[]{}?\x80\xff', 0, 40).map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ""));
const space = fc.constantFrom("", " ", "\t", "  ", " \t ");
const content = fc.string({ unit: fc.constantFrom("a", "\r", "\n", "\0", "\xff", "0", ";"), maxLength: 60 });

interface Message {
  readonly text: string;
  readonly expected: readonly Record<string, unknown>[];
}

const fieldLine = fc.record({ name: token.map((name) => `X-${name}`), before: space, value, after: space });
const extension = fc.constantFrom("", ";a", ";a=b", ';a="\\"x;"', " ; a = b");

function build(
  method: string,
  path: string,
  query: string | undefined,
  fields: readonly { name: string; before: string; value: string; after: string }[],
  body: string | readonly string[] | undefined,
  chunkExtension: string,
  trailers: readonly { name: string; before: string; value: string; after: string }[],
  emptyLine: boolean,
): Message {
  const lines = fields.map((f) => `${f.name}:${f.before}${f.value}${f.after}\r\n`).join("");
  const target = query === undefined ? `/${path}` : `/${path}?${query}`;
  let text = `${emptyLine ? "\r\n" : ""}${method} ${target} HTTP/1.1\r\nHost: x\r\n${lines}`;
  const expected: Record<string, unknown>[] = [
    { event: "head", method, path: `/${path}`, query: query ?? "", fields: fields.map((f) => [f.name, f.value]) },
  ];
  let kept: [string, string][] = [];
  if (body === undefined) {
    text += "\r\n";
  } else if (typeof body === "string") {
    text += `Content-Length: ${body.length}\r\n\r\n${body}`;
    if (body !== "") expected.push({ event: "body", content: body });
  } else {
    const chunks = body.filter((piece) => piece !== "");
    text += "Transfer-Encoding: chunked\r\n\r\n";
    for (const piece of chunks) text += `${piece.length.toString(16)}${chunkExtension}\r\n${piece}\r\n`;
    text += `0${chunkExtension}\r\n${trailers.map((f) => `${f.name}:${f.before}${f.value}${f.after}\r\n`).join("")}\r\n`;
    if (chunks.length > 0) expected.push({ event: "body", content: chunks.join("") });
    kept = trailers.map((f) => [f.name, f.value]);
  }
  expected.push({ event: "end", trailers: kept });
  return { text, expected };
}

const message = fc
  .tuple(
    fc.constantFrom("GET", "POST", "M-SEARCH", "x"),
    from("abc/%.;=@:~", 0, 30),
    fc.option(from("abc/?%&=", 0, 20), { nil: undefined }),
    fc.array(fieldLine, { maxLength: 6 }),
    fc.oneof(fc.constant(undefined), content, fc.array(content, { maxLength: 4 })),
    extension,
    fc.array(fieldLine, { maxLength: 3 }),
    fc.boolean(),
  )
  .map((parts) => build(...parts));

const stream = fc.array(message, { minLength: 1, maxLength: 4 });
const cuts = fc.array(fc.nat(1200), { maxLength: 12 }).map((list) => list.sort((a, b) => a - b));

test("any valid stream, however it is cut, gives what was put in", () => {
  fc.assert(
    fc.property(stream, cuts, (messages, at) => {
      const bytes = bytesOf(messages.map((m) => m.text).join(""));
      const events = plainEvents(cutAt(bytes, at));
      const wanted = messages.flatMap((m) => m.expected);
      assert.equal(events.length, wanted.length + 1);
      assert.deepEqual(events.at(-1), { event: "idle" });
      for (const [i, expected] of wanted.entries()) {
        const event = events[i];
        const seen = { ...event, ...(event.event === "head" ? { fields: own(event.fields) } : {}) } as Record<
          string,
          unknown
        >;
        for (const [fact, wantedFact] of Object.entries(expected)) assert.deepEqual(seen[fact], wantedFact, fact);
      }
      assert.deepEqual(plainEvents([bytes]), events);
      assert.deepEqual(plainEvents(byteByByte(bytes)), events);
    }),
    { numRuns: 400 },
  );
});

/** Without the field lines that `build` adds for the framing. */
function own(fields: unknown): unknown[] {
  return (fields as [string, string][]).filter(([name]) => !/^(Host|Content-Length|Transfer-Encoding)$/.test(name));
}

const mutation = fc.record({
  at: fc.nat(600),
  drop: fc.nat(4),
  insert: fc.constantFrom(
    "",
    "\r",
    "\n",
    "\r\n",
    " ",
    "\t",
    ":",
    "\0",
    "\xff",
    ";",
    "0",
    "Host: y\r\n",
    "HTTP/1.1",
    "%",
    "?",
  ),
});

test("any spoilt stream, however it is cut, gives the events of the stream at once", () => {
  fc.assert(
    fc.property(stream, fc.array(mutation, { minLength: 1, maxLength: 3 }), cuts, (messages, mutations, at) => {
      let text = messages.map((m) => m.text).join("");
      for (const { at: where, drop, insert } of mutations) {
        const i = where % (text.length + 1);
        text = text.slice(0, i) + insert + text.slice(i + drop);
      }
      const bytes = bytesOf(text);
      const events = plainEvents([bytes]);
      assert.deepEqual(plainEvents(cutAt(bytes, at)), events);
      assert.deepEqual(plainEvents(byteByByte(bytes)), events);
    }),
    { numRuns: 800 },
  );
});

test("any garbage, however it is cut, gives the events of the garbage at once", () => {
  const limits = { requestLineBytes: 30, headBytes: 60, fieldCount: 3, bodyBytes: 20, trailerBytes: 20 };
  const piece = fc.constantFrom(
    "GET ",
    "/ ",
    "HTTP/1.1\r\n",
    "\r\n",
    "A: b\r\n",
    "\r",
    "\n",
    " ",
    "x",
    "Host: x\r\n",
    "5\r\n",
    "0\r\n",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), cuts, (pieces, at) => {
      const bytes = bytesOf(pieces.join(""));
      const events = plainEvents([bytes], limits);
      assert.deepEqual(plainEvents(cutAt(bytes, at), limits), events);
      assert.deepEqual(plainEvents(byteByByte(bytes), limits), events);
    }),
    { numRuns: 600 },
  );
});

const SAMPLE =
  "\r\nPOST http://a:1/%41?q HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nA:  x y \r\n\r\n" +
  '3;a="b"\r\nabc\r\n0\r\nT: u \r\nV:\r\n\r\nPUT / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi';

test("each pair of cuts in a stream of all kinds", () => {
  const bytes = bytesOf(SAMPLE);
  const events = plainEvents([bytes]);
  assert.equal(events.length, 7);
  for (let a = 0; a <= bytes.length; a++) {
    for (let b = a; b <= bytes.length; b += 3) assert.deepEqual(plainEvents(cutAt(bytes, [a, b])), events);
  }
});

/** Counts how often the bytes of an array are read. */
function counted(bytes: Uint8Array, count: { reads: number }): Uint8Array {
  return new Proxy(bytes, {
    get(target, key) {
      if (typeof key === "string" && key.charCodeAt(0) <= 0x39) count.reads++;
      const found: unknown = Reflect.get(target, key, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

/** Reads of bytes while a head of `size` bytes is fed one by one: the fed bytes, and those in the parser's buffer. */
function readsByteByByte(size: number): number {
  const count = { reads: 0 };
  const append = Spill.prototype.append;
  const seen = new WeakSet<Uint8Array>();
  Spill.prototype.append = function (this: Spill, ...span) {
    append.apply(this, span);
    if (!seen.has(this.bytes)) {
      this.bytes = counted(this.bytes, count);
      seen.add(this.bytes);
    }
  };
  try {
    const p = parserWith({ headBytes: 1 << 20, requestLineBytes: 1 << 20, fieldCount: 10_000 });
    const lines = `A: ${"b".repeat(40)}\r\n`.repeat(size / 200);
    const text = `GET /${"a".repeat(size / 4)} HTTP/1.1\r\nHost: x\r\n${lines}B: ${"c".repeat(size / 2)}\r\n\r\n`;
    const bytes = counted(bytesOf(text), count);
    for (let i = 0; i < text.length; i++) {
      p.feed(bytes, i, i + 1);
      if (p.next() === HEAD) return count.reads;
    }
  } finally {
    Spill.prototype.append = append;
  }
  return assert.fail("the head never ended");
}

test("byte by byte, twice the bytes cost twice the reads", () => {
  const small = readsByteByByte(4000);
  const large = readsByteByByte(16_000);
  assert.ok(small > 4000, `${small} reads are counted`);
  assert.ok(large < small * 4.4, `${large} reads for four times the bytes of ${small}`);
  assert.ok(large < 16_000 * 12, `${large} reads`);
});

test("what follows a head in pieces is not copied along", () => {
  const p = parserWith();
  const head = bytesOf("PUT / HTTP/1.0\r\nContent-Length: 100000\r\n\r\n");
  p.feed(head, 0, 20);
  assert.equal(p.next(), NEED_DATA);
  const rest = new Uint8Array(60_000);
  rest.set(head.subarray(20));
  p.feed(rest, 0, rest.length);
  assert.equal(p.next(), HEAD);
  assert.ok(p.head.length <= 2048, `${p.head.length} bytes are allocated`);
});
