/**
 * Bad requests over the wire: each is answered once, minimally, with `Connection: close`, then the connection ends with
 * FIN; what was smuggled behind it never reaches the application. RFC 9112 sections 2 to 7 and 11, and the cases that
 * went wrong in other servers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { exchange, request } from "../harness/raw.ts";
import { field, parseResponse } from "../harness/response.ts";
import { onEach, type Server, sharedServer, testApp } from "../harness/server.ts";

interface Refusal {
  readonly name: string;
  readonly bytes: string;
  readonly status: number | readonly number[];
}

/** A second request behind the bad one, in each case. */
const SMUGGLED = "GET /?t=%TOKEN% HTTP/1.1\r\nHost: smuggled\r\n\r\n";
/** Generous for a minimal answer with all its default field lines. */
const MOST_ANSWER_BYTES = 400;
const HOST = "Host: a\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n";

/** A GET whose head is `line`, Host, then `fields`. */
function get(name: string, fields: string, status: Refusal["status"] = 400): Refusal {
  return { name, bytes: `GET / HTTP/1.1\r\n${HOST}${fields}\r\n`, status };
}

function line(name: string, requestLine: string, status: Refusal["status"] = 400): Refusal {
  return { name, bytes: `${requestLine}\r\n${HOST}\r\n`, status };
}

/** A POST with `fields`; what follows the head is `body`. */
function post(name: string, fields: string, body: string, status: Refusal["status"] = 400): Refusal {
  return { name, bytes: `POST /echo HTTP/1.1\r\n${HOST}${fields}\r\n${body}`, status };
}

function chunked(name: string, body: string, status: Refusal["status"] = 400): Refusal {
  return post(name, CHUNKED, body, status);
}

const REQUEST_LINES: readonly Refusal[] = [
  line("an encoded line end in the version's place", "GET /%1b[31m%0d%0a", 400),
  line("no version", "GET /"),
  line("HTTP/0.9 spelled out", "GET / HTTP/0.9", [400, 505]),
  line("HTTP/2.0", "GET / HTTP/2.0", 505),
  line("HTTP/3.0", "GET / HTTP/3.0", 505),
  line("a version in lower case", "GET / http/1.1"),
  line("a version with two digits", "GET / HTTP/1.10"),
  line("a version without its dot", "GET / HTTP/11"),
  line("a version with a sign", "GET / HTTP/+1.1"),
  line("a version with a mathematical digit", "GET / HTTP/1.\xf0\x9d\x9f\x99"),
  line("a version with a blank behind it", "GET / HTTP/1.1 "),
  line("two blanks before the target", "GET  / HTTP/1.1"),
  line("two blanks before the version", "GET /  HTTP/1.1"),
  line("a tab instead of a blank", "GET\t/ HTTP/1.1"),
  line("a blank before the method", " GET / HTTP/1.1"),
  line("no method", "/ HTTP/1.1"),
  line("a method that is no token", "G@T / HTTP/1.1"),
  line("a method with a parenthesis", "GET( / HTTP/1.1"),
  line("a target without a slash", "GET x HTTP/1.1"),
  line("authority form with GET", "GET example.com:80 HTTP/1.1"),
  line("asterisk form with GET", "GET * HTTP/1.1"),
  line("origin form with CONNECT", "CONNECT / HTTP/1.1", [400, 501]),
  line("a fragment in the target", "GET /#top HTTP/1.1"),
  line("a control byte in the target", "GET /\x01 HTTP/1.1"),
  line("a DEL in the target", "GET /\x7f HTTP/1.1"),
  line("a raw byte above 0x7f in the target", "GET /\xe9 HTTP/1.1"),
  line("an absolute target without an authority", "GET http:// HTTP/1.1"),
  line("user information in an absolute target", "GET http://user@a/ HTTP/1.1"),
  { name: "a NUL at the start", bytes: "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400 },
  { name: "two empty lines first", bytes: "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400 },
  { name: "a TLS hello", bytes: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", status: 400 },
  { name: "the HTTP/2 preface", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: [400, 505] },
];

const LINE_ENDS: readonly Refusal[] = [
  { name: "LF only", bytes: "GET / HTTP/1.1\nHost: a\n\n", status: 400 },
  { name: "CR only", bytes: "GET / HTTP/1.1\rHost: a\r\r", status: 400 },
  { name: "a bare LF behind the request line", bytes: "GET / HTTP/1.1\nHost: a\r\n\r\n", status: 400 },
  { name: "a bare LF behind a field line", bytes: "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", status: 400 },
  { name: "a bare LF as the last line", bytes: "GET / HTTP/1.1\r\nHost: a\r\n\n", status: 400 },
  { name: "a bare CR in a value", bytes: "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", status: 400 },
  { name: "CR LF CR X", bytes: "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", status: 400 },
  { name: "CR CR LF", bytes: "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", status: 400 },
];

const FIELD_LINES: readonly Refusal[] = [
  get("a blank before the colon", "X : a\r\n"),
  get("a tab before the colon", "X\t: a\r\n"),
  get("a blank before the colon of Content-Length", "Content-Length : 5\r\n"),
  get("obs-fold with a blank", "X: a\r\n b\r\n"),
  get("obs-fold with a tab", "X: a\r\n\tb\r\n"),
  { name: "a first field line that is folded", bytes: "GET / HTTP/1.1\r\n Host: a\r\n\r\n", status: 400 },
  get("no colon", "X\r\n"),
  get("an empty name", ": a\r\n"),
  get("a name that is no token", "X(y): a\r\n"),
  get("a name with a byte above 0x7f", "X\xe9: a\r\n"),
  get("a name with a NUL", "X\0: a\r\n"),
  ...[0x00, 0x01, 0x08, 0x0b, 0x0c, 0x1c, 0x1d, 0x1e, 0x1f, 0x7f].map((code) =>
    get(`byte 0x${code.toString(16).padStart(2, "0")} in a value`, `X: a${String.fromCharCode(code)}b\r\n`),
  ),
];

const HOSTS: readonly Refusal[] = [
  { name: "no Host in 1.1", bytes: "GET / HTTP/1.1\r\nX: a\r\n\r\n", status: 400 },
  { name: "no Host in 1.1 with an absolute target", bytes: "GET http://a/ HTTP/1.1\r\nX: a\r\n\r\n", status: 400 },
  get("two Hosts", "Host: b\r\n"),
  get("the same Host twice", "Host: a\r\n"),
  ...["a b", "a/b", "user@a", "a:x", "a:99999999", "[::1", "a?b", "a#b", "a\\b", "<a>", 'a"b'].map(
    (host): Refusal => ({ name: `Host: ${host}`, bytes: `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, status: 400 }),
  ),
];

const LENGTHS: readonly Refusal[] = [
  ...[
    "+3",
    "-3",
    "3,3",
    "3, 3",
    "3,4",
    "0x3",
    "3.0",
    "3e0",
    "3 3",
    "",
    "\xb3",
    "3;",
    "3_0",
    "99999999999999999999",
  ].map((value) => post(`Content-Length: ${JSON.stringify(value)}`, `Content-Length: ${value}\r\n`, "abc", [400, 413])),
  post("two different Content-Lengths", "Content-Length: 3\r\nContent-Length: 4\r\n", "abc"),
  post("the same Content-Length twice", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
];

const CODINGS: readonly Refusal[] = [
  post("Content-Length and Transfer-Encoding", `Content-Length: 3\r\n${CHUNKED}`, "0\r\n\r\n"),
  post("Transfer-Encoding and Content-Length", `${CHUNKED}Content-Length: 3\r\n`, "0\r\n\r\n"),
  post("Transfer-Encoding and Content-Length 0", `${CHUNKED}Content-Length: 0\r\n`, "0\r\n\r\n"),
  post("Transfer-Encoding twice", `${CHUNKED}${CHUNKED}`, "0\r\n\r\n", [400, 501]),
  ...[
    "identity",
    "gzip",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "chunked, identity",
    "xchunked",
    "chunkedx",
    "chunked;q=1",
    "\x0bchunked",
    '"chunked"',
    "chunke\xc4\x8f",
    ",chunked",
    "chunked,",
    "",
  ].map((coding) =>
    post(`Transfer-Encoding: ${JSON.stringify(coding)}`, `Transfer-Encoding: ${coding}\r\n`, "0\r\n\r\n", [400, 501]),
  ),
  post("a blank before the colon of Transfer-Encoding", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
  post("Transfer-Encoding in a folded line", "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
  {
    name: "Transfer-Encoding in 1.0",
    bytes: `POST /echo HTTP/1.0\r\n${HOST}${CHUNKED}\r\n0\r\n\r\n`,
    status: [400, 501],
  },
];

const CHUNKS: readonly Refusal[] = [
  chunked("two bytes that are no CRLF behind a chunk", "5\r\nhelloXX0\r\n\r\n"),
  chunked("a chunk that is longer than its size", "5\r\nhello!\r\n0\r\n\r\n"),
  chunked("two bytes that are no CRLF behind the last chunk", "0\r\nXX"),
  chunked("a bare LF behind the size", "5\nhello\r\n0\r\n\r\n"),
  chunked("a bare CR behind the size", "5\rhello\r\n0\r\n\r\n"),
  chunked("a bare LF behind the data", "5\r\nhello\n0\r\n\r\n"),
  chunked("a bare LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
  chunked("a bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
  chunked("a NUL in an extension", "5;a\0b\r\nhello\r\n0\r\n\r\n"),
  chunked("a bare LF behind the last chunk", "0\n\n"),
  chunked("a bare LF as the last line", "0\r\n\n"),
  chunked("an empty size", "\r\nhello\r\n0\r\n\r\n"),
  chunked("a size with a sign", "+5\r\nhello\r\n0\r\n\r\n"),
  chunked("a negative size", "-5\r\nhello\r\n0\r\n\r\n"),
  chunked("a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
  chunked("a size with a blank before it", " 5\r\nhello\r\n0\r\n\r\n"),
  chunked("a size with an underscore", "1_0\r\nhello\r\n0\r\n\r\n"),
  chunked("a size that is no hex", "g\r\nhello\r\n0\r\n\r\n"),
  chunked("a size of 2^64", "10000000000000000\r\nhello\r\n0\r\n\r\n"),
  chunked("a size of 2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
  chunked("a size of 2^53 + 1", "20000000000001\r\nhello\r\n0\r\n\r\n", [400, 413]),
  chunked("a forbidden trailer: Content-Length", "0\r\nContent-Length: 5\r\n\r\n"),
  chunked("a forbidden trailer: Transfer-Encoding", "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
  chunked("a forbidden trailer: Host", "0\r\nHost: b\r\n\r\n"),
  chunked("a forbidden trailer: Authorization", "0\r\nAuthorization: b\r\n\r\n"),
  chunked("a trailer with a blank before its colon", "0\r\nX : b\r\n\r\n"),
  chunked("a folded trailer", "0\r\nX: b\r\n c\r\n\r\n"),
  chunked("a trailer without a colon", "0\r\nX\r\n\r\n"),
  chunked("a trailer with a bare LF", "0\r\nX: b\nY: c\r\n\r\n"),
  chunked("a trailer with a control byte", "0\r\nX: \x0b\r\n\r\n"),
];

const EXPECTATIONS: readonly Refusal[] = [
  get("an unknown expectation", "Expect: a-pony\r\n", 417),
  get("an unknown expectation beside the known", "Expect: 100-continue, a-pony\r\n", 417),
];

const ALL = [
  ...REQUEST_LINES,
  ...LINE_ENDS,
  ...FIELD_LINES,
  ...HOSTS,
  ...LENGTHS,
  ...CODINGS,
  ...CHUNKS,
  ...EXPECTATIONS,
];

let tokens = 0;

/** The bad request with another behind it; `split` sends every byte by itself. */
async function refuse(server: Server, refusal: Refusal, split: boolean): Promise<void> {
  const token = `refusal-${++tokens}`;
  const bytes = refusal.bytes + SMUGGLED.replace("%TOKEN%", token);
  const received = await exchange(server.address, ...(split ? bytes : [bytes]));
  const wire = Buffer.from(received, "latin1");
  const parsed = parseResponse(wire, 0, "POST", true);
  assert.ok(parsed !== undefined, `answered: ${JSON.stringify(received)}`);
  const { response } = parsed;
  const statuses = typeof refusal.status === "number" ? [refusal.status] : refusal.status;
  assert.ok(statuses.includes(response.status), `status ${response.status} is among ${statuses.join(", ")}`);
  assert.equal(field(response, "connection")?.toLowerCase(), "close");
  assert.equal(response.framing, "length");
  assert.equal(wire.length - parsed.end, 0, `one answer only: ${JSON.stringify(received)}`);
  assert.ok(wire.length <= MOST_ANSWER_BYTES, `a minimal answer: ${JSON.stringify(received)}`);
  assert.deepEqual(response.interim, []);
  const smuggled = await request(server.address, `/seen?of=${token}`);
  assert.equal(Buffer.from(smuggled.body).toString(), "[]", "what was smuggled never reached the app");
}

onEach((runtime) => {
  const shared = sharedServer(runtime, testApp("contract.ts"), ["--no-access-log"]);

  for (const refusal of ALL) {
    test(`${runtime}: refuses ${refusal.name}`, async () => {
      await refuse(await shared(), refusal, false);
    });
  }

  for (const refusal of ALL) {
    test(`${runtime}: refuses ${refusal.name}, byte by byte`, async () => {
      await refuse(await shared(), refusal, true);
    });
  }

  test(`${runtime}: the second request of a good pair does reach the app`, async () => {
    const server = await shared();
    const smuggled = SMUGGLED.replace("%TOKEN%", `good-${runtime}`);
    await exchange(
      server.address,
      `GET / HTTP/1.1\r\nHost: a\r\n\r\n${smuggled.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")}`,
    );
    const seen = await request(server.address, `/seen?of=good-${runtime}`);
    assert.equal(Buffer.from(seen.body).toString(), '["GET /"]');
  });
});
