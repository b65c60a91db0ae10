/** Content of many gigabytes, counted without being held: RFC 9112 sections 6.2 and 7.1, at the borders of numbers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BODY, END, HEAD, NEED_DATA } from "../../../src/protocol/http1/parser.ts";
import { bytesOf, parserWith } from "./events.ts";

const GIB = 2 ** 30;
/** Fed again and again, across every border; memory that nobody touches. */
const PIECE = new Uint8Array(300_000_000);
const NEXT = bytesOf("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
const LENGTHS = [2 ** 29, 2 ** 30, 2 ** 31, 2 ** 32].flatMap((power) => [power - 1, power, power + 1]);

type Parser = ReturnType<typeof parserWith>;

/** Feeds all that `parser` should take; returns how much it reported as content. */
function feedContent(parser: Parser, length: number): number {
  let reported = 0;
  for (let left = length; left > 0; ) {
    const count = Math.min(left, PIECE.length);
    parser.feed(PIECE, 0, count);
    let expectedStart = 0;
    for (let event = parser.next(); event === BODY; event = parser.next()) {
      assert.equal(parser.bodyStart, expectedStart);
      assert.ok(parser.bodyEnd > parser.bodyStart);
      expectedStart = parser.bodyEnd;
      reported += parser.bodyEnd - parser.bodyStart;
      // The end may come behind it, which the test asks for itself.
      if (reported === length) break;
    }
    left -= count;
  }
  return reported;
}

function begin(parser: Parser, field: string, events: readonly number[]): void {
  const head = bytesOf(`PUT / HTTP/1.1\r\nHost: x\r\n${field}\r\n\r\n`);
  parser.feed(head, 0, head.length);
  assert.deepEqual([parser.next(), ...events.map(() => parser.next())], [HEAD, ...events]);
}

function endsHere(parser: Parser, behind: Uint8Array): void {
  if (behind.length > 0) parser.feed(behind, 0, behind.length);
  assert.equal(parser.next(), END);
  assert.equal(parser.next(), NEED_DATA);
  parser.feed(NEXT, 0, NEXT.length);
  assert.deepEqual([parser.next(), parser.next()], [HEAD, END]);
}

test("content ends where its length says, on both sides of every border of a machine's numbers", () => {
  for (const length of LENGTHS) {
    const parser = parserWith();
    begin(parser, `Content-Length: ${length}`, [NEED_DATA]);
    assert.equal(parser.contentLength, length);
    assert.equal(feedContent(parser, length - 1), length - 1);
    assert.equal(parser.next(), NEED_DATA, `${length}: one byte is to come`);
    assert.equal(feedContent(parser, 1), 1);
    endsHere(parser, new Uint8Array(0));
  }
});

test("a chunk ends where its size says, on both sides of every border of a machine's numbers", () => {
  for (const length of LENGTHS) {
    const parser = parserWith();
    begin(parser, "Transfer-Encoding: chunked", [NEED_DATA]);
    for (const line of [`${length.toString(16)}\r\n`, `\r\n${length.toString(16)};a=b\r\n`]) {
      const bytes = bytesOf(line);
      parser.feed(bytes, 0, bytes.length);
      assert.equal(parser.next(), NEED_DATA);
      assert.equal(feedContent(parser, length), length);
    }
    endsHere(parser, bytesOf("\r\n0\r\n\r\n"));
  }
});

test("the greatest length is counted down from, and forgotten with its connection", () => {
  const parser = parserWith();
  begin(parser, `Content-Length: ${Number.MAX_SAFE_INTEGER}`, [NEED_DATA]);
  assert.equal(parser.contentLength, Number.MAX_SAFE_INTEGER);
  assert.equal(feedContent(parser, 3 * GIB), 3 * GIB);
  assert.equal(parser.next(), NEED_DATA);
  parser.reset();
  begin(parser, "Content-Length: 3", [NEED_DATA]);
  assert.equal(feedContent(parser, 3), 3);
  endsHere(parser, new Uint8Array(0));
});

test("a length of any number of digits is the number that it says", () => {
  for (let digits = 1; digits <= 15; digits++) {
    for (const value of [10 ** (digits - 1), 10 ** digits - 1, Number("123456789012345".slice(0, digits))]) {
      const parser = parserWith();
      begin(parser, `Content-Length: ${value}`, []);
      assert.equal(parser.contentLength, value);
    }
  }
});
