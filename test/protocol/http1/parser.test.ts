/** Golden cases: the bytes, then the exact events with their offsets. RFC 9112. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_HTTP1_LIMITS } from "../../../src/protocol/http1/limits.ts";
import { END, ERROR, HEAD, Http1Parser, NEED_DATA } from "../../../src/protocol/http1/parser.ts";
import { bytesOf, eventsOf, exactEvents, parserWith, textOf } from "./events.ts";

const GOLDEN: readonly (readonly [name: string, bytes: string, events: readonly string[]])[] = [
  [
    "a request without content",
    "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n",
    [
      "HEAD 0,32 method=0,3 target=4,10 path=4,6 query=7,10 authority=27,28 fields=21,25,27,28",
      "END at 32",
      "NEED_DATA at 32",
    ],
  ],
  [
    "a target without query",
    "GET / HTTP/1.1\r\nHost:x\r\n\r\n",
    [
      "HEAD 0,26 method=0,3 target=4,5 path=4,5 query=5,5 authority=21,22 fields=16,20,21,22",
      "END at 26",
      "NEED_DATA at 26",
    ],
  ],
  [
    "one empty line before a request",
    "\r\nGET / HTTP/1.0\r\n\r\n",
    ["HEAD 2,20 method=2,5 target=6,7 path=6,7 query=7,7 authority=-1,-1 fields=", "END at 20", "NEED_DATA at 20"],
  ],
  [
    "white space around a value, and an empty value",
    "GET / HTTP/1.0\r\nA: \t b c \t\r\nB:\r\nC:  \r\n\r\n",
    [
      "HEAD 0,40 method=0,3 target=4,5 path=4,5 query=5,5 authority=-1,-1 fields=16,17,21,24 28,29,30,30 32,33,36,36",
      "END at 40",
      "NEED_DATA at 40",
    ],
  ],
  [
    "an absolute target",
    "GET http://a:1/b?c HTTP/1.1\r\nHost: x\r\n\r\n",
    [
      "HEAD 0,40 method=0,3 target=4,18 path=14,16 query=17,18 authority=11,14 fields=29,33,35,36",
      "END at 40",
      "NEED_DATA at 40",
    ],
  ],
  [
    "an absolute target without path",
    "GET http://a?c HTTP/1.1\r\nHost: x\r\n\r\n",
    [
      "HEAD 0,36 method=0,3 target=4,14 path=12,12 query=13,14 authority=11,12 fields=25,29,31,32",
      "END at 36",
      "NEED_DATA at 36",
    ],
  ],
  [
    "asterisk form",
    "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    [
      "HEAD 0,31 method=0,7 target=8,9 path=9,9 query=9,9 authority=26,27 fields=20,24,26,27",
      "END at 31",
      "NEED_DATA at 31",
    ],
  ],
  [
    "authority form",
    "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    [
      "HEAD 0,33 method=0,7 target=8,11 path=11,11 query=11,11 authority=8,11 fields=22,26,28,29",
      "END at 33",
      "NEED_DATA at 33",
    ],
  ],
  [
    "sized content, and the beginning of a next request",
    "PUT / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhelloGET",
    [
      "HEAD 0,37 method=0,3 target=4,5 path=4,5 query=5,5 authority=-1,-1 fields=16,30,32,33",
      "BODY 37,42",
      "END at 42",
      "NEED_DATA at 45",
    ],
  ],
  [
    "chunks, an extension and trailers",
    'PUT / HTTP/1.1\r\nHost:x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\n',
    [
      "HEAD 0,54 method=0,3 target=4,5 path=4,5 query=5,5 authority=21,22 fields=16,20,21,22 24,41,43,50",
      "BODY 67,72",
      "BODY 77,87",
      "END 92,93,95,96 98,99,100,100 at 104",
      "NEED_DATA at 104",
    ],
  ],
  [
    "pipelined requests",
    "GET /1 HTTP/1.0\r\n\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
    [
      "HEAD 0,19 method=0,3 target=4,6 path=4,6 query=6,6 authority=-1,-1 fields=",
      "END at 19",
      "HEAD 21,40 method=21,24 target=25,27 path=25,27 query=27,27 authority=-1,-1 fields=",
      "END at 40",
      "NEED_DATA at 40",
    ],
  ],
  ["a violation stands where it is found", "GET / HTTP/1.1\r\nA b: c\r\n\r\n", ["ERROR 400 bad-field-name at 17"]],
  [
    "a violation behind a complete message",
    "GET / HTTP/1.0\r\n\r\n\x16\x03\x01",
    [
      "HEAD 0,18 method=0,3 target=4,5 path=4,5 query=5,5 authority=-1,-1 fields=",
      "END at 18",
      "ERROR 400 bad-method at 18",
    ],
  ],
];

for (const [name, bytes, events] of GOLDEN) {
  test(`golden: ${name}`, () => assert.deepEqual(exactEvents(bytes), events));
}

test("a chunk is read from its start offset on", () => {
  assert.deepEqual(exactEvents("....GET / HTTP/1.0\r\n\r\n", 4), [
    "HEAD 4,22 method=4,7 target=8,9 path=8,9 query=9,9 authority=-1,-1 fields=",
    "END at 22",
    "NEED_DATA at 22",
  ]);
});

test("a whole head is not copied; one in pieces stands in the parser's own buffer from 0 on", () => {
  const text = "GET / HTTP/1.0\r\nA: b\r\n\r\n";
  const whole = bytesOf(text);
  const p = parserWith();
  p.feed(whole, 0, whole.length);
  assert.equal(p.next(), HEAD);
  assert.equal(p.head, whole);
  assert.equal(p.headOwned, false);
  assert.equal(p.next(), END);
  assert.equal(p.next(), NEED_DATA);
  const first = bytesOf(`....${text.slice(0, 9)}`);
  p.feed(first, 4, first.length);
  assert.equal(p.next(), NEED_DATA);
  const second = bytesOf(text.slice(9));
  p.feed(second, 0, second.length);
  assert.equal(p.next(), HEAD);
  assert.equal(p.headOwned, true);
  assert.equal(p.headStart, 0);
  assert.equal(textOf(p.head, 0, p.headEnd), text);
  assert.deepEqual([...p.fields.subarray(0, 4)], [16, 17, 19, 20]);
});

test("reset gives the memory of a large head back", () => {
  const parser = new Http1Parser(DEFAULT_HTTP1_LIMITS);
  const inPieces = (text: string): number => {
    for (const part of [text.slice(0, 10), text.slice(10)]) {
      const bytes = bytesOf(part);
      parser.feed(bytes, 0, bytes.length);
      if (parser.next() === HEAD) return parser.head.buffer.byteLength;
    }
    throw new Error("no head");
  };
  assert.ok(inPieces(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(30_000)}\r\n\r\n`) > 30_000);
  parser.reset();
  assert.ok(inPieces("GET / HTTP/1.1\r\nHost: x\r\n\r\n") <= 4096);
});

test("an error is final", () => {
  const p = parserWith();
  const bad = bytesOf("GET\n");
  p.feed(bad, 0, bad.length);
  assert.equal(p.next(), ERROR);
  assert.equal(p.next(), ERROR);
  const good = bytesOf("GET / HTTP/1.0\r\n\r\n");
  p.feed(good, 0, good.length);
  assert.equal(p.next(), ERROR);
});

test("reset makes a failed parser ready for a new connection", () => {
  const p = parserWith();
  for (const spoilt of ["GET\n", "GET / HT", "\r\n", "PUT / HTTP/1.0\r\nContent-Length: 9\r\n\r\nab", "\r\n\r\n"]) {
    const bytes = bytesOf(spoilt);
    p.feed(bytes, 0, bytes.length);
    while (p.next() !== NEED_DATA) if (p.error !== undefined) break;
    p.reset();
    assert.equal(p.idle, true);
    assert.equal(p.error, undefined);
    const good = bytesOf("GET / HTTP/1.0\r\nB: c\r\n\r\n");
    p.feed(good, 0, good.length);
    assert.equal(p.next(), HEAD);
    assert.equal(p.headOwned, false);
    assert.equal(p.fieldCount, 1);
    assert.equal(p.next(), END);
    assert.equal(p.next(), NEED_DATA);
    p.reset();
  }
});

test("feeding before the last chunk is consumed is a defect of the caller", () => {
  const p = new Http1Parser(DEFAULT_HTTP1_LIMITS);
  const bytes = bytesOf("GET / HTTP/1.0\r\n\r\n");
  p.feed(bytes, 0, bytes.length);
  assert.throws(() => p.feed(bytes, 0, bytes.length), /fed before/);
});

test("idle: only between messages, with nothing of a next one there", () => {
  const p = parserWith();
  const idleAfter = (text: string) => {
    const bytes = bytesOf(text);
    p.feed(bytes, 0, bytes.length);
    while (p.next() !== NEED_DATA);
    return p.idle;
  };
  assert.equal(p.idle, true);
  assert.equal(idleAfter("\r"), false);
  assert.equal(idleAfter("\n"), true);
  assert.equal(idleAfter("G"), false);
  assert.equal(idleAfter("ET / HTTP/1.0\r\n\r\n"), true);
  assert.equal(idleAfter("PUT / HTTP/1.0\r\nContent-Length: 1\r\n\r\n"), false);
  assert.equal(idleAfter("x"), true);
  assert.equal(idleAfter("PUT / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"), false);
  assert.equal(idleAfter("\r\n"), true);
  const two = bytesOf("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
  p.feed(two, 0, two.length);
  assert.equal(p.next(), HEAD);
  assert.equal(p.next(), END);
  assert.equal(p.idle, false);
});

test("known names have ids whatever their case, unknown ones have 0", () => {
  const [head] = eventsOf("GET / HTTP/1.1\r\nHOST: a\r\nuser-agent: b\r\nX-Odd: c\r\nuser^agent: d\r\n\r\n");
  assert.deepEqual(head.names, ["host", "user-agent", "", ""]);
});

test("the name guessed from the last head never replaces the name that is there", () => {
  const p = parserWith();
  const heads = ["Host: a\r\nAccept: b", "Accept: b\r\nHost: a", "Host: a\r\nAcceptX: b", "Host: a\r\nA: Accept:"];
  const seen: unknown[] = [];
  for (const lines of heads) {
    const bytes = bytesOf(`GET / HTTP/1.1\r\n${lines}\r\n\r\n`);
    p.feed(bytes, 0, bytes.length);
    assert.equal(p.next(), HEAD);
    seen.push([...p.fieldIds.subarray(0, 2)].map((id) => (id === 0 ? "" : id)));
    while (p.next() !== NEED_DATA);
  }
  const accept = 9;
  assert.deepEqual(seen, [
    [1, accept],
    [accept, 1],
    [1, ""],
    [1, ""],
  ]);
});

test("a guessed name does not take a control byte for a hyphen", () => {
  const p = parserWith();
  const first = bytesOf("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  p.feed(first, 0, first.length);
  while (p.next() !== NEED_DATA);
  const second = bytesOf("GET / HTTP/1.1\r\nHost: a\r\nContent\rLength: 0\r\n\r\n");
  p.feed(second, 0, second.length);
  assert.equal(p.next(), ERROR);
  assert.equal(p.error?.code, "bad-line-end");
});
