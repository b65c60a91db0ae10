/** What chunk framing and trailers are refused for, and what not: RFC 9112 section 7.1, RFC 9110 section 6.5.1. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, body, escaped, line, refusal, refused } from "./cases.ts";
import { eventsOf } from "./events.ts";

// Chunks: section 7.1.
for (const content of [
  "0\r\n\r\n",
  "5\r\nhello\r\n0\r\n\r\n",
  "00005\r\nhello\r\n000\r\n\r\n",
  "a\r\n0123456789\r\n0\r\n\r\n",
]) {
  accepted(body(content));
}
for (const extension of [
  ";a",
  ";a=b",
  ';a="b"',
  ';a="\\""',
  ";a=b;c=d",
  " ;a",
  "; a",
  ";a =b",
  ";a= b",
  ";a=b ;c",
  ';a="b" ;c',
  '\t;a="\t;\x80"',
]) {
  accepted(body(`1${extension}\r\nx\r\n0${extension}\r\n\r\n`));
}
for (const size of ["", "x", "0x5", "-1", "+1", " 5", "\t5", ";a", "5g", "5,", "5.0", "G", "\x00", "1 1"]) {
  const expected = size === "1 1" ? "400 bad-chunk-extension" : "400 bad-chunk-size";
  refused(expected, body(`${size}\r\nhello\r\n0\r\n\r\n`));
}
for (const size of ["20000000000000", "ffffffffffffffff", "10000000000000000", `${"0".repeat(16)}1`, "f".repeat(100)]) {
  refused("400 bad-chunk-size", body(`${size}\r\n`));
}
for (const extension of [
  " ",
  "\t",
  "; ",
  ";a ",
  ";",
  ";;",
  ";=",
  ";a=",
  ";a=;",
  ';a="',
  ';a="b"c',
  ";a b",
  ";a=b c",
  ';"a"',
  ";a\x00",
  ';a="\x00"',
  ";a=\x7f",
]) {
  test(`refused as an extension: ${escaped(extension)}`, () => {
    assert.match(refusal(body(`1${extension}\r\nx\r\n0\r\n\r\n`)), /^400 (bad-chunk-extension|bad-line-end)$/);
  });
}
refused("400 bad-line-end", body("5\nhello\r\n0\r\n\r\n"));
refused("400 bad-line-end", body("5\rhello\r\n0\r\n\r\n"));
refused("400 bad-line-end", body("5\r\rhello\r\n0\r\n\r\n"));
refused("400 bad-line-end", body("5;a\nhello\r\n0\r\n\r\n"));
refused("400 bad-line-end", body("5;a\rX\r\nhello\r\n0\r\n\r\n"));
refused("400 bad-line-end", body('5;a="\n"\r\nhello\r\n0\r\n\r\n'));
refused("400 bad-line-end", body('5;a="\r\n"\r\nhello\r\n0\r\n\r\n'));
refused("400 bad-chunk-end", body("5\r\nhelloXX0\r\n\r\n"));
refused("400 bad-chunk-end", body("5\r\nhello0\r\n\r\n"));
refused("400 bad-chunk-end", body("5\r\nhello\n0\r\n\r\n"));
refused("400 bad-chunk-end", body("5\r\nhello\rX0\r\n\r\n"));
refused("400 bad-chunk-end", body("5\r\nhello!\r\n0\r\n\r\n"));
refused("400 bad-line-end", body("0\r\nXX\r\n\r\n"));
refused("400 bad-line-end", body("0\r\n\n"));
refused("400 bad-line-end", body("0\r\n\rX"));
refused("400 bad-line-end", body("0\n\n"));
test("a request behind a last chunk without its empty line is taken for a trailer, and refused", () => {
  assert.equal(refusal(body("0\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")), "400 bad-field-name");
});

// Trailers: section 7.1.2, RFC 9110 section 6.5.1.
test("trailers are kept in order", () => {
  const end = eventsOf(body("0\r\nX-A: 1\r\nx-a:2\r\nDigest: \xff\r\n\r\n")).find((event) => event.event === "end");
  assert.deepEqual(end?.trailers, [
    ["X-A", "1"],
    ["x-a", "2"],
    ["Digest", "\xff"],
  ]);
});
test("a message without trailers does not show those of an earlier one", () => {
  const ends = eventsOf(`${body("0\r\nA: b\r\n\r\n")}${line("GET / HTTP/1.1")}`).filter(
    (event) => event.event === "end",
  );
  assert.deepEqual(
    ends.map((event) => event.trailers),
    [[["A", "b"]], []],
  );
});
for (const name of [
  ...["Transfer-Encoding", "content-length", "HOST", "Trailer", "Content-Encoding", "Content-Type", "Content-Range"],
  ...[
    "Connection",
    "Expect",
    "Authorization",
    "Set-Cookie",
    "Cache-Control",
    "Cookie",
    "TE",
    "Upgrade",
    "Max-Forwards",
  ],
  ...["Proxy-Authorization", "If-Match", "Range", "Age", "Location", "X-Forwarded-For", "Forwarded", "Keep-Alive"],
]) {
  refused("400 forbidden-trailer", body(`0\r\nX: y\r\n${name}: 0\r\n\r\n`));
}
refused("400 bad-field-name", body("0\r\nA : b\r\n\r\n"));
refused("400 bad-field-name", body("0\r\n: b\r\n\r\n"));
refused("400 folded-field", body("0\r\nA: b\r\n c\r\n\r\n"));
refused("400 folded-field", body("0\r\n A: b\r\n\r\n"));
refused("400 bad-line-end", body("0\r\nA: b\n\r\n"));
refused("400 bad-field-value", body("0\r\nA: b\x00\r\n\r\n"));
