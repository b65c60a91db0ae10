/** Every limit of limits.ts: what just fits passes, one more is refused with the right status, and as early as possible. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Http1Limits } from "../../../src/protocol/http1/limits.ts";
import { NEED_DATA } from "../../../src/protocol/http1/parser.ts";
import { byteByByte, bytesOf, parserWith, plainEvents } from "./events.ts";

interface Case {
  readonly name: string;
  readonly limits: Partial<Http1Limits>;
  /** A message in which the limited thing has the size `n`. */
  readonly make: (n: number) => string;
  readonly fits: number;
  readonly refusal: string;
}

const chunked = (content: string) => `PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${content}`;
const LINE = "GET / HTTP/1.1".length;
const HEAD = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n".length;

const CASES: readonly Case[] = [
  {
    name: "request line, by its path",
    limits: { requestLineBytes: 50 },
    make: (n) => `GET /${"a".repeat(n - LINE)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    fits: 50,
    refusal: "414 request-line-too-long",
  },
  {
    name: "request line, by its query",
    limits: { requestLineBytes: 50 },
    make: (n) => `GET /?${"a".repeat(n - LINE - 1)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    fits: 50,
    refusal: "414 request-line-too-long",
  },
  {
    name: "request line, by its method",
    limits: { requestLineBytes: 50 },
    make: (n) => `GET${"X".repeat(n - LINE)} / HTTP/1.1\r\nHost: x\r\n\r\n`,
    fits: 50,
    refusal: "414 request-line-too-long",
  },
  {
    name: "head, by a value",
    limits: { headBytes: 200 },
    make: (n) => `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(n - HEAD)}\r\n\r\n`,
    fits: 200,
    refusal: "431 head-too-large",
  },
  {
    name: "head, by white space",
    limits: { headBytes: 200 },
    make: (n) => `GET / HTTP/1.1\r\nHost: x\r\nA: ${" ".repeat(n - HEAD)}\r\n\r\n`,
    fits: 200,
    refusal: "431 head-too-large",
  },
  {
    name: "head, by a name",
    limits: { headBytes: 200 },
    make: (n) => `GET / HTTP/1.1\r\nHost: x\r\nA${"a".repeat(n - HEAD)}: \r\n\r\n`,
    fits: 200,
    refusal: "431 head-too-large",
  },
  {
    name: "head, by a request line that has no limit of its own",
    limits: { headBytes: 200, requestLineBytes: 1000 },
    make: (n) => `GET /${"a".repeat(n - HEAD)} HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n`,
    fits: 200,
    refusal: "431 head-too-large",
  },
  {
    name: "field lines",
    limits: { fieldCount: 20 },
    make: (n) => `GET / HTTP/1.1\r\nHost: x\r\n${"A: b\r\n".repeat(n - 1)}\r\n`,
    fits: 20,
    refusal: "431 too-many-fields",
  },
  {
    name: "field lines, more than are preallocated",
    limits: { fieldCount: 300 },
    make: (n) => `GET / HTTP/1.1\r\nHost: x\r\n${"A: b\r\n".repeat(n - 1)}\r\n`,
    fits: 300,
    refusal: "431 too-many-fields",
  },
  {
    name: "body, by Content-Length",
    limits: { bodyBytes: 1000 },
    make: (n) => `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${n}\r\n\r\n${"b".repeat(n)}`,
    fits: 1000,
    refusal: "413 body-too-large",
  },
  {
    name: "body, by one chunk",
    limits: { bodyBytes: 1000 },
    make: (n) => chunked(`${n.toString(16)}\r\n${"b".repeat(n)}\r\n0\r\n\r\n`),
    fits: 1000,
    refusal: "413 body-too-large",
  },
  {
    name: "body, by many chunks",
    limits: { bodyBytes: 1000 },
    make: (n) => chunked(`${"1\r\nb\r\n".repeat(n)}0\r\n\r\n`),
    fits: 1000,
    refusal: "413 body-too-large",
  },
  {
    name: "one chunk's extensions",
    limits: { chunkExtensionBytes: 30 },
    make: (n) => chunked(`1;${"a".repeat(n - 1)}\r\nb\r\n1;${"a".repeat(n - 1)}\r\nb\r\n0\r\n\r\n`),
    fits: 30,
    refusal: "400 chunk-extension-too-large",
  },
  {
    name: "the last chunk's extensions",
    limits: { chunkExtensionBytes: 30 },
    make: (n) => chunked(`0;a="${"\t".repeat(n - 5)}"\r\n\r\n`),
    fits: 30,
    refusal: "400 chunk-extension-too-large",
  },
  {
    name: "all chunks' extensions",
    limits: { chunkExtensionBytes: 30, chunkExtensionTotalBytes: 50 },
    make: (n) => chunked(`${"1;aaaa\r\nb\r\n".repeat(9)}0;${"a".repeat(n - 46)}\r\n\r\n`),
    fits: 50,
    refusal: "400 chunk-extension-too-large",
  },
  {
    name: "trailer section",
    limits: { trailerBytes: 60 },
    make: (n) => chunked(`0\r\nA: ${"a".repeat(n - 5)}\r\n\r\n`),
    fits: 60,
    refusal: "431 trailers-too-large",
  },
  {
    name: "trailer section of several lines",
    limits: { trailerBytes: 60 },
    make: (n) => chunked(`0\r\n${"A: b\r\n".repeat(5)}B: ${"b".repeat(n - 35)}\r\n\r\n`),
    fits: 60,
    refusal: "431 trailers-too-large",
  },
  {
    name: "trailers",
    limits: { trailerCount: 10 },
    make: (n) => chunked(`0\r\n${"A: b\r\n".repeat(n)}\r\n`),
    fits: 10,
    refusal: "431 too-many-trailers",
  },
  {
    name: "no trailers at all",
    limits: { trailerBytes: 0, trailerCount: 0 },
    make: (n) => chunked(`0\r\n${"A: b\r\n".repeat(n)}\r\n`),
    fits: 0,
    refusal: "431 too-many-trailers",
  },
];

/** The refusal, "" for a complete message; the same at once, byte by byte, and with a second message behind it. */
function outcome(text: string, limits: Partial<Http1Limits>): string {
  const bytes = bytesOf(text);
  const atOnce = plainEvents([bytes], limits);
  assert.deepEqual(plainEvents(byteByByte(bytes), limits), atOnce);
  const last = atOnce.at(-1);
  return last?.event === "error" ? `${last.status} ${last.code}` : last?.event === "idle" ? "" : "incomplete";
}

/** How many of `text`'s bytes are fed, one by one, until it is refused. */
function bytesUntilRefused(text: string, limits: Partial<Http1Limits>): number {
  const p = parserWith(limits);
  const bytes = bytesOf(text);
  for (let i = 0; i < bytes.length; i++) {
    p.feed(bytes, i, i + 1);
    while (p.next() !== NEED_DATA) if (p.error !== undefined) return i + 1;
  }
  return -1;
}

for (const { name, limits, make, fits, refusal } of CASES) {
  test(`limit of ${name}: ${fits} fits`, () => assert.equal(outcome(make(fits), limits), ""));
  test(`limit of ${name}: ${fits + 1} is ${refusal}`, () => assert.equal(outcome(make(fits + 1), limits), refusal));
}

test("a limit starts anew with each message", () => {
  const text = `GET /${"a".repeat(30)} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const more = chunked("2;aaaaaaaaa\r\nhi\r\n0\r\nA: b\r\n\r\n");
  const limits = {
    requestLineBytes: 50,
    headBytes: 80,
    fieldCount: 2,
    bodyBytes: 2,
    chunkExtensionTotalBytes: 10,
    trailerBytes: 6,
    trailerCount: 1,
  };
  assert.equal(outcome((text + more).repeat(5), limits), "");
});

test("414 comes with the first byte too many, not with the line's end", () => {
  assert.equal(bytesUntilRefused(`GET /${"a".repeat(1000)}`, { requestLineBytes: 100 }), 101);
  assert.equal(bytesUntilRefused("X".repeat(1000), { requestLineBytes: 100 }), 101);
});

test("431 comes when the head's room is used up", () => {
  const start = "GET / HTTP/1.1\r\n";
  for (const rest of [`A: ${"a".repeat(1000)}`, "a".repeat(1000), "A: b\r\n".repeat(200), `A:${" ".repeat(1000)}`]) {
    assert.equal(bytesUntilRefused(start + rest, { headBytes: 100, fieldCount: 1000 }), 100);
  }
});

test("431 comes with the first byte of a field line too many", () => {
  assert.equal(bytesUntilRefused("GET / HTTP/1.1\r\nA: b\r\nB: c\r\nC: d\r\n\r\n", { fieldCount: 2 }), 29);
});

test("413 comes with the head that announces too much", () => {
  const head = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n";
  assert.equal(bytesUntilRefused(`${head}hello world`, { bodyBytes: 10 }), head.length);
});

test("413 comes with the digit of a chunk's size that exceeds it", () => {
  const head = chunked("");
  assert.equal(bytesUntilRefused(`${head}ffff\r\n`, { bodyBytes: 0xfff }), head.length + 4);
  assert.equal(
    bytesUntilRefused(`${head}f00\r\n${"b".repeat(0xf00)}\r\n100\r\n`, { bodyBytes: 0xfff }),
    head.length + 5 + 0xf00 + 2 + 3,
  );
});

test("body limit 0 is no limit", () => {
  assert.equal(
    outcome(`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n${"b".repeat(20)}`, { bodyBytes: 0 }),
    "",
  );
  assert.equal(outcome(chunked(`14\r\n${"b".repeat(20)}\r\n0\r\n\r\n`), { bodyBytes: 0 }), "");
});
