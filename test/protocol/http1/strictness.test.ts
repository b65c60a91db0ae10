/** What a head is refused for, with its status, and what not: RFC 9112, and each way to smuggle a request by it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, field, line, refused } from "./cases.ts";
import { eventsOf } from "./events.ts";

// Request line: RFC 9112 section 3.
accepted(line("GET / HTTP/1.1"), { method: "GET", methodId: 0, minor: 1, keepAlive: true });
accepted(line("X!#$%&'*+-.^_`|~9 / HTTP/1.1"), { methodId: -1 });
accepted(line("get / HTTP/1.1"), { methodId: -1, method: "get" });
accepted(line("GET /%41?x=%42 HTTP/1.1"), { percent: true, path: "/%41", query: "x=%42" });
accepted(line("GET /a?x=%42 HTTP/1.1"), { percent: false });
accepted(line("GET /a?? HTTP/1.1"), { path: "/a", query: "?" });
accepted(line("GET /a? HTTP/1.1"), { path: "/a", query: "" });
accepted(line("GET //b HTTP/1.1"), { form: "origin", path: "//b" });
accepted(line("GET / HTTP/1.2"), { minor: 1 });
accepted(line("GET / HTTP/1.9"), { minor: 1 });
accepted(`\r\n${line("GET / HTTP/1.1")}`);
for (const method of ["HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH", "QUERY", "PROPFIND", "SEARCH"]) {
  test(`known method ${method}`, () => assert.notEqual(eventsOf(line(`${method} / HTTP/1.1`))[0].methodId, -1));
}
refused("400 extra-empty-line", `\r\n\r\n${line("GET / HTTP/1.1")}`);
refused("400 bad-line-end", `\n${line("GET / HTTP/1.1")}`);
refused("400 bad-line-end", `\rGET / HTTP/1.1\r\n`);
refused("400 bad-line-end", `\r\rGET / HTTP/1.1\r\n`);
refused("400 bad-method", ` ${line("GET / HTTP/1.1")}`);
refused("400 bad-method", line("G(T / HTTP/1.1"));
refused("400 bad-method", line("G\tT / HTTP/1.1"));
refused("400 bad-method", line("GET\t/ HTTP/1.1"));
refused("400 bad-method", line("G\x80T / HTTP/1.1"));
refused("400 bad-method", "GET\r\n\r\n");
refused("400 bad-method", "\x16\x03\x01\x02\x00");
refused("400 bad-target", line("GET  / HTTP/1.1"));
refused("400 bad-version", line("GET /  HTTP/1.1"));
refused("400 bad-version", line("GET / HTTP/1.1 "));
refused("400 bad-version", line("GET /a b HTTP/1.1"));
refused("400 bad-version", "GET /\r\n\r\n");
refused("400 bad-line-end", "GET /\n");
refused("400 bad-line-end", "GET / HTTP/1.1\nHost: x\n\n");
refused("400 bad-line-end", "GET / HTTP/1.1\rHost: x\r\r");
for (const byte of ["\x00", "\x08", "\t", "\x0b", "\x1b", "#", "\x7f", "\x80", "\xff"]) {
  refused("400 bad-target", line(`GET /a${byte}b HTTP/1.1`));
  refused("400 bad-target", line(`GET /a?${byte} HTTP/1.1`));
}
for (const version of ["HTTP/1.", "HTTP/1", "HTTP/11", "HTTP/1.10", "HTTP/1,1", "HTTP/a.1", "HTTP/1.a", "http/1.1"]) {
  refused("400 bad-version", line(`GET / ${version}`));
}
for (const version of [
  "HTP/1.1",
  "HTTP 1.1",
  "HTTP/01.1",
  "HTTP/1.1x",
  "HTTP/-1.1",
  "ICY/1.1",
  "HTTP/1.\xf0\x9d\x9f\x99",
]) {
  refused("400 bad-version", line(`GET / ${version}`));
}
for (const version of ["HTTP/0.9", "HTTP/2.0", "HTTP/3.1", "HTTP/9.9"]) {
  refused("505 unsupported-version", line(`GET / ${version}`));
}
refused("505 unsupported-version", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".replace("PRI", "OPTIONS"));

// Target forms: section 3.2.
accepted(line("OPTIONS * HTTP/1.1"), { form: "asterisk", authority: "x" });
accepted(line("CONNECT a.b:443 HTTP/1.1"), { form: "authority", authority: "a.b:443" });
accepted(line("CONNECT [::1]:443 HTTP/1.1"), { form: "authority", authority: "[::1]:443" });
accepted(line("GET http://a.b:80/c?d HTTP/1.1"), { form: "absolute", authority: "a.b:80", path: "/c", query: "d" });
accepted(line("GET HTTPS://a/%62 HTTP/1.1"), { form: "absolute", authority: "a", path: "/%62", percent: true });
accepted(line("GET http://%61/b HTTP/1.1"), { authority: "%61", percent: false });
accepted(line("GET http://a HTTP/1.1"), { authority: "a", path: "" });
accepted("GET http://a/ HTTP/1.0\r\n\r\n", { authority: "a" });
refused("400 bad-target-form", line("GET * HTTP/1.1"));
refused("400 bad-target-form", line("OPTIONS ** HTTP/1.1"));
refused("400 bad-target-form", line("GET a:443 HTTP/1.1"));
refused("400 bad-target-form", line("GET a HTTP/1.1"));
refused("400 bad-target-form", line("GET ?a HTTP/1.1"));
refused("400 bad-target-form", line("GET ftp://a/ HTTP/1.1"));
refused("400 bad-target-form", line("GET http:/a HTTP/1.1"));
refused("400 bad-target-form", line("GET http:a HTTP/1.1"));
refused("400 bad-target-form", line("GET http?://a HTTP/1.1"));
refused("400 bad-target-form", line("CONNECT / HTTP/1.1"));
refused("400 bad-target-form", line("CONNECT a HTTP/1.1"));
refused("400 bad-target-form", line("CONNECT a: HTTP/1.1"));
refused("400 bad-target-form", line("CONNECT :443 HTTP/1.1"));
refused("400 bad-target-form", line("CONNECT a:443/ HTTP/1.1"));
refused("400 bad-target-form", line("CONNECT u@a:443 HTTP/1.1"));
refused("400 bad-target-form", line("CONNECT http://a:443/ HTTP/1.1"));
refused("400 bad-target-form", line("CONNECT * HTTP/1.1"));
for (const authority of [
  "",
  ":80",
  "u@a",
  "u:p@a",
  "a:b",
  "a:99999",
  "[::1",
  "[]",
  "a b".replace(" ", '"'),
  "%zz",
  "%4",
]) {
  refused("400 bad-host", line(`GET http://${authority}/ HTTP/1.1`));
}

// Field lines: section 5.
accepted(field("A: b"), {
  fields: [
    ["Host", "x"],
    ["A", "b"],
  ],
});
accepted(field("A:b"), {
  fields: [
    ["Host", "x"],
    ["A", "b"],
  ],
});
accepted(field("A:\t b \t c \t"), {
  fields: [
    ["Host", "x"],
    ["A", "b \t c"],
  ],
});
accepted(field("A:"), {
  fields: [
    ["Host", "x"],
    ["A", ""],
  ],
});
accepted(field("A::"), {
  fields: [
    ["Host", "x"],
    ["A", ":"],
  ],
});
accepted(field("A: \x80\xff"), {
  fields: [
    ["Host", "x"],
    ["A", "\x80\xff"],
  ],
});
accepted(field("A: \x85"), {
  fields: [
    ["Host", "x"],
    ["A", "\x85"],
  ],
});
refused("400 bad-field-name", field("A : b"));
refused("400 bad-field-name", field("A\t: b"));
refused("400 bad-field-name", field(": b"));
refused("400 bad-field-name", field("A b: c"));
refused("400 bad-field-name", field("A\x00: c"));
refused("400 bad-field-name", field("A\x80: c"));
refused("400 bad-field-name", field('"A": c'));
refused("400 bad-line-end", field("A"));
refused("400 folded-field", field("A: b\r\n c"));
refused("400 folded-field", field("A: b\r\n\tc: d"));
refused("400 folded-field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n");
refused("400 folded-field", field("A: b\r\n "));
for (const byte of ["\x00", "\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x1c", "\x1d", "\x1e", "\x1f", "\x7f"]) {
  refused("400 bad-field-value", field(`A: b${byte}c`));
  refused("400 bad-field-value", field(`A: ${byte}`));
  refused("400 bad-field-value", field(`Cookie: ${"c".repeat(20)}${byte}${"d".repeat(20)}`));
}
refused("400 bad-line-end", field("A: b\nB: c"));
refused("400 bad-line-end", field("A: b\rB: c"));
refused("400 bad-line-end", field("A:\rB: c"));
refused("400 bad-line-end", field("A\r: b"));
refused("400 bad-line-end", field("A\r\nB: c"));
refused("400 bad-line-end", field("A: b\r\r\nB: c"));
refused("400 bad-line-end", "GET / HTTP/1.1\r\nHost: x\r\n\rX");
refused("400 bad-line-end", "GET / HTTP/1.1\r\nHost: x\r\n\n");
refused("400 bad-line-end", "GET / HTTP/1.1\r\nHost: x\n\r\n");

// Host: section 3.2, RFC 9110 section 7.2.
const hosted = (value: string) => `GET / HTTP/1.1\r\nHost:${value}\r\n\r\n`;
for (const host of ["a", "a.b", "a-b_c~!$&'()*+,;=", "a:80", "a:", "127.0.0.1:8000", "%41", "[::1]", "[::]:1", ""]) {
  accepted(hosted(host), { authority: host });
}
for (const host of [
  "[1:2:3:4:5:6:7:8]",
  "[1::8]",
  "[::ffff:1.2.3.4]",
  "[1:2:3:4:5:6:1.2.3.4]",
  "[v1.a:b]",
  "[ABCD::]",
]) {
  accepted(hosted(host), { authority: host });
}
for (const host of [
  ":80",
  "a b",
  "a/b",
  "a?b",
  "a@b",
  "a#b",
  "a,b:c",
  "a:80:80",
  "a:-1",
  "a:8x",
  "a:65536",
  "http://a",
]) {
  refused("400 bad-host", hosted(host));
}
for (const host of [
  "%4",
  "%zz",
  "[",
  "[]",
  "[::1",
  "::1",
  "[::1]a",
  "[1]",
  "[1:2:3:4:5:6:7:8:9]",
  "[1::2::3]",
  "[12345::]",
]) {
  refused("400 bad-host", hosted(host));
}
for (const host of [
  "[:1:2:3:4:5:6:7:8]",
  "[1:2:3:4:5:6:7:]",
  "[:::]",
  "[1.2.3.4]",
  "[::1.2.3]",
  "[::1.2.3.256]",
  "[::01.2.3.4]",
]) {
  refused("400 bad-host", hosted(host));
}
for (const host of ["[v.a]", "[v1]", "[v1.]", "[vg.a]", "[::1%25eth0]", "[1:2:3:4:5:6:7::8]x", "a\xe9"]) {
  refused("400 bad-host", hosted(host));
}
refused("400 missing-host", "GET / HTTP/1.1\r\n\r\n");
refused("400 missing-host", "GET http://a/ HTTP/1.1\r\n\r\n");
refused("400 repeated-host", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
refused("400 repeated-host", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nhOST: b\r\n\r\n");
refused("400 repeated-host", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n");
refused("400 bad-host", "GET http://a/ HTTP/1.1\r\nHost: b/\r\n\r\n");
refused("400 bad-host", "GET / HTTP/1.0\r\nHost: b/\r\n\r\n");
accepted("GET / HTTP/1.0\r\n\r\n", { authority: null, minor: 0 });
accepted("GET / HTTP/1.0\r\nHost: a\r\n\r\n", { authority: "a" });
accepted("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", { authority: "a" });

// Content-Length: section 6.3, RFC 9110 section 8.6.
const sized = (value: string) => `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length:${value}\r\n\r\n`;
accepted(sized(" 0 "), { contentLength: 0, hasBody: false });
accepted(sized("5"), { contentLength: 5, hasBody: true });
accepted(sized("9007199254740991"), { contentLength: Number.MAX_SAFE_INTEGER });
for (const value of [
  "+3",
  "-3",
  "05",
  "00",
  "3 3",
  "3,3",
  "3, 3",
  "0x3",
  "3.0",
  "1e3",
  "",
  " ",
  "3;",
  "\xb2",
  '"3"',
  "_3",
]) {
  refused("400 bad-content-length", sized(value));
}
for (const value of ["9007199254740992", "9999999999999999", "18446744073709551617", "9".repeat(400)]) {
  refused("400 bad-content-length", sized(value));
}
refused("400 repeated-content-length", field("Content-Length: 3\r\nContent-Length: 3"));
refused("400 repeated-content-length", field("Content-Length: 3\r\ncontent-length: 4"));
refused("400 bad-field-name", field("Content-Length : 3"));
accepted(field("Content_Length: 3"), { contentLength: -1 });

// Transfer-Encoding: section 6.1 and 6.3.
const coded = (value: string) => `PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:${value}\r\n\r\n0\r\n\r\n`;
accepted(coded("chunked"), { chunked: true, hasBody: true, contentLength: -1 });
accepted(coded(" \tChUnKeD\t "), { chunked: true });
for (const value of [
  "",
  "chunked, chunked",
  "chunked,",
  ",chunked",
  "chunked;a=b",
  "chunked x",
  "x chunked",
  '"chunked"',
  ";",
  "[]",
]) {
  refused("400 bad-transfer-encoding", coded(value));
}
for (const value of [
  "gzip",
  "identity",
  "gzip, chunked",
  "chunked, gzip",
  "chunked, identity",
  "xchunked",
  "chunke",
  "gzip;q=1",
  "chunked-",
]) {
  refused("501 unknown-coding", coded(value));
}
for (const value of ["\x0bchunked", "chunked\x00", "chun\x7fked", "\x0cchunked"]) {
  refused("400 bad-field-value", coded(value));
}
refused("400 folded-field", coded("\r\n chunked"));
refused("400 bad-field-name", field("Transfer-Encoding : chunked"));
refused("400 bad-line-end", field("Transfer-Encoding: chunked\nA: b"));
refused("400 bad-line-end", field("A: b\nTransfer-Encoding: chunked"));
refused("400 bad-transfer-encoding", field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"));
refused("400 bad-transfer-encoding", field("Transfer-Encoding: chunked\r\nTransfer-encoding: identity"));
refused("400 transfer-encoding-and-length", field("Transfer-Encoding: chunked\r\nContent-Length: 0"));
refused("400 transfer-encoding-and-length", field("Content-Length: 3\r\nTransfer-Encoding: chunked"));
refused("400 transfer-encoding-and-length", field("Content-Length: 3\r\nTransfer-Encoding: gzip"));
refused("400 transfer-encoding-in-1.0", "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
accepted(field("Transfer_Encoding: chunked"), { chunked: false });

// Expect: RFC 9110 section 10.1.1.
accepted(field("Expect: 100-continue"), { expectContinue: true });
accepted(field("Expect: 100-Continue"), { expectContinue: true });
accepted("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", { expectContinue: false });
accepted("PUT / HTTP/1.0\r\nExpect: miracles\r\n\r\n", { expectContinue: false });
for (const value of ["", "miracles", "100-continue, x", "100-continue;a=b", "100", "200-ok"]) {
  refused("417 bad-expectation", field(`Expect: ${value}`));
}
refused("417 bad-expectation", field("Expect: 100-continue\r\nExpect: x"));

// Persistence: section 9.3; upgrade: RFC 9110 section 7.8.
const connection = (minor: number, ...values: string[]) =>
  `GET / HTTP/1.${minor}\r\nHost: x\r\n${values.map((value) => `Connection:${value}\r\n`).join("")}\r\n`;
for (const [minor, values, keepAlive] of [
  [1, [], true],
  [0, [], false],
  [1, [" close"], false],
  [1, [" CLOSE "], false],
  [1, [" keep-alive"], true],
  [0, [" Keep-Alive"], true],
  [0, [" close, keep-alive"], false],
  [0, [" keep-alive, close"], false],
  [1, [" foo ,\t, close ,"], false],
  [1, [" foo", " close"], false],
  [0, [" keep-alive", " close"], false],
  [1, [" closed"], true],
  [1, [" clos"], true],
  [1, [" x-close, close-x"], true],
  [1, [""], true],
] as const) {
  accepted(connection(minor, ...values), { keepAlive });
}
const upgrading = (minor: number, lines: string) => `GET / HTTP/1.${minor}\r\nHost: x\r\n${lines}\r\n`;
accepted(upgrading(1, "Connection: Upgrade\r\nUpgrade: websocket\r\n"), { upgrade: true, keepAlive: true });
accepted(upgrading(1, "Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n"), { upgrade: true });
accepted(upgrading(1, "Upgrade: websocket\r\n"), { upgrade: false });
accepted(upgrading(1, "Connection: upgrade\r\n"), { upgrade: false });
accepted(upgrading(1, "Connection: upgrade\r\nUpgrade:\r\n"), { upgrade: false });
accepted(upgrading(0, "Connection: upgrade\r\nUpgrade: websocket\r\n"), { upgrade: false });

test("what one request says does not stay for the next", () => {
  const first =
    "PUT http://a/%62?q HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: upgrade, close\r\nUpgrade: y\r\nContent-Length: 1\r\n\r\nz";
  const [, , , second] = eventsOf(`${first}GET / HTTP/1.1\r\nHost: b\r\n\r\n`);
  const [alone] = eventsOf("GET / HTTP/1.1\r\nHost: b\r\n\r\n");
  assert.deepEqual(second, alone);
});
