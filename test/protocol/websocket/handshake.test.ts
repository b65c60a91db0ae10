/** The opening handshake: every check of RFC 6455 section 4.2.1, the lists, and the answer's head. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { OutBuffer } from "../../../src/protocol/buffer.ts";
import { HeadEncoder, prepareField } from "../../../src/protocol/http1/encoder.ts";
import { HEAD } from "../../../src/protocol/http1/parser.ts";
import { putAcceptance } from "../../../src/protocol/websocket/answer.ts";
import { DEFAULT_DEFLATE_OPTIONS } from "../../../src/protocol/websocket/deflate.ts";
import {
  type HandshakeAccepted,
  type HandshakeRequest,
  readHandshake,
  wantsWebSocket,
} from "../../../src/protocol/websocket/handshake.ts";
import { requestOf } from "../../../src/protocol/websocket/request.ts";
import { sha1Base64 } from "../../../src/runtime/digest.ts";
import { bytesOf, parserWith, textOf } from "../http1/events.ts";
import { nativeText } from "./client.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** The request of RFC 6455 section 1.2 with other field values; undefined leaves a field out, a list repeats it. */
function request(
  changes: Readonly<Record<string, string | readonly string[] | undefined>> = {},
  line: Partial<Pick<HandshakeRequest, "method" | "minor" | "hasBody">> = {},
): HandshakeRequest {
  const fields: Record<string, string | readonly string[] | undefined> = {
    host: "server.example.com",
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-key": KEY,
    "sec-websocket-version": "13",
    ...changes,
  };
  const values = (name: string) => {
    const value = fields[name];
    return value === undefined ? [] : typeof value === "string" ? [value] : value;
  };
  return { method: "GET", minor: 1, hasBody: false, values, ...line };
}

test("the RFC's example is accepted with the RFC's answer", () => {
  const offer = { origin: "http://example.com", "sec-websocket-protocol": "chat, superchat" };
  assert.deepEqual(readHandshake(request(offer), undefined, sha1Base64), {
    accepted: true,
    accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    subprotocols: ["chat", "superchat"],
    deflate: undefined,
  });
});

const ACCEPTED: readonly (readonly [name: string, HandshakeRequest, subprotocols: readonly string[]])[] = [
  ["token lists in any case", request({ upgrade: "h2c, WebSocket", connection: "keep-alive , UPGRADE" }), []],
  ["lists over several lines", request({ upgrade: ["h2c", "websocket"], connection: ["keep-alive", "upgrade"] }), []],
  ["a list of subprotocols over lines", request({ "sec-websocket-protocol": ["a,, b", " c"] }), ["a", "b", "c"]],
  ["a key of zeros", request({ "sec-websocket-key": `${"A".repeat(22)}==` }), []],
  ["a key whose last bits are not zero", request({ "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZR==" }), []],
];
for (const [name, asked, subprotocols] of ACCEPTED) {
  test(`accepted: ${name}`, () => {
    const answer = readHandshake(asked, undefined, sha1Base64);
    assert.equal(answer.accepted, true);
    assert.deepEqual((answer as HandshakeAccepted).subprotocols, subprotocols);
  });
}

const KEYS = [
  undefined,
  "",
  [KEY, KEY],
  "dGhlIHNhbXBsZSBub25jZQ",
  "dGhlIHNhbXBsZSBub25jZQ=A",
  "dGhlIHNhbXBsZSBub25jZQ===",
  "dGhlIHNhbXBsZSBub25jZQE=",
  "dGhlIHNhbXBsZSBub25jZ===",
  "dGhlIHNhbXBsZSBub25j-_==",
  `${KEY}\n`,
  " dGhlIHNhbXBsZSBub25jZQ==",
  "AAAA",
];
const REFUSED: readonly (readonly [name: string, HandshakeRequest, status: number, code: string])[] = [
  ["POST", request({}, { method: "POST" }), 405, "handshake-method"],
  ["HTTP/1.0", request({}, { minor: 0 }), 400, "handshake-http-version"],
  ["no Host", request({ host: undefined }), 400, "handshake-host"],
  ["two Hosts", request({ host: ["a", "b"] }), 400, "handshake-host"],
  ["no Upgrade", request({ upgrade: undefined }), 426, "handshake-upgrade"],
  ["another Upgrade", request({ upgrade: "h2c, websocket13" }), 426, "handshake-upgrade"],
  ["no Connection", request({ connection: undefined }), 426, "handshake-connection"],
  ["another Connection", request({ connection: "keep-alive, xupgrade" }), 426, "handshake-connection"],
  ["content", request({}, { hasBody: true }), 400, "handshake-body"],
  ["no version", request({ "sec-websocket-version": undefined }), 426, "handshake-version"],
  ["version 8", request({ "sec-websocket-version": "8" }), 426, "handshake-version"],
  ["version 013", request({ "sec-websocket-version": "013" }), 426, "handshake-version"],
  ["versions 13, 8", request({ "sec-websocket-version": "13, 8" }), 426, "handshake-version"],
  ["two versions", request({ "sec-websocket-version": ["13", "13"] }), 400, "handshake-version-repeated"],
  ...KEYS.map(
    (key) => [`key ${JSON.stringify(key)}`, request({ "sec-websocket-key": key }), 400, "handshake-key"] as const,
  ),
  ...["", " , ", "a b", "a, a", "a;b", "a\r\nb", "\x80", '"a"', "a/b"].map(
    (list) =>
      [
        `subprotocols ${JSON.stringify(list)}`,
        request({ "sec-websocket-protocol": list }),
        400,
        "handshake-protocol",
      ] as const,
  ),
  ...[
    "=",
    ";",
    "a;",
    "a;=b",
    "a;b=",
    "a b",
    'a;b="',
    'a;b="c d"',
    'a;b=""',
    "a=b",
    '"a"',
    "a;b;;c",
    "a\x80",
    "a;b=c d",
  ].map(
    (list) =>
      [
        `extensions ${JSON.stringify(list)}`,
        request({ "sec-websocket-extensions": list }),
        400,
        "handshake-extensions",
      ] as const,
  ),
];
for (const [name, asked, status, code] of REFUSED) {
  test(`refused: ${name}`, () => {
    const answer = readHandshake(asked, DEFAULT_DEFLATE_OPTIONS, sha1Base64);
    assert.equal(answer.accepted, false);
    if (answer.accepted) return;
    assert.deepEqual([answer.status, answer.code], [status, code]);
    const fields = new Map(answer.fields);
    assert.equal(fields.get("sec-websocket-version"), status === 426 ? "13" : undefined);
    assert.equal(fields.get("upgrade"), status === 426 ? "websocket" : undefined);
    assert.equal(fields.get("connection"), status === 426 ? "upgrade" : undefined);
    assert.equal(fields.get("allow"), status === 405 ? "GET" : undefined);
  });
}

test("lists trim white space, not what looks like it, and not in quadratic time", () => {
  assert.equal(wantsWebSocket(request({ upgrade: "\t websocket \t" })), true);
  assert.equal(wantsWebSocket(request({ upgrade: "\xa0websocket" })), false);
  // Quadratic would be hours.
  const long = `a${" ".repeat(3_000_000)}b`;
  assert.equal(wantsWebSocket(request({ upgrade: long })), false);
  for (const list of [long, `a;b="${" ".repeat(3_000_000)}`, `${" ".repeat(3_000_000)}\x01`]) {
    const answer = readHandshake(request({ "sec-websocket-extensions": list }), DEFAULT_DEFLATE_OPTIONS, sha1Base64);
    assert.equal(answer.accepted, false);
  }
});

test("what does not ask for a WebSocket is an ordinary request", () => {
  assert.equal(wantsWebSocket(request()), true);
  assert.equal(wantsWebSocket(request({}, { method: "POST" })), true);
  assert.equal(wantsWebSocket(request({ "sec-websocket-key": undefined })), true);
  assert.equal(wantsWebSocket(request({}, { minor: 0 })), false);
  assert.equal(wantsWebSocket(request({ upgrade: "h2c" })), false);
  assert.equal(wantsWebSocket(request({ connection: "close" })), false);
});

test("Sec-WebSocket-Accept is the digest of any key", () => {
  for (let i = 0; i < 50; i++) {
    const key = randomBytes(16).toString("base64");
    const joined = `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const answer = readHandshake(request({ "sec-websocket-key": key }), undefined, sha1Base64);
    assert.equal((answer as HandshakeAccepted).accept, createHash("sha1").update(joined).digest("base64"));
  }
});

test("the parser's head answers as a request", () => {
  const parser = parserWith();
  const head =
    `GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\n` +
    "Sec-WebSocket-Protocol: a\r\nsec-websocket-version: 13\r\nSEC-WEBSOCKET-PROTOCOL: b, \xff\r\n\r\n\x81\x80";
  const bytes = bytesOf(head);
  parser.feed(bytes, 0, bytes.length);
  assert.equal(parser.next(), HEAD);
  const asked = requestOf(parser, nativeText.ascii);
  assert.equal(wantsWebSocket(asked), true);
  assert.deepEqual(asked.values("sec-websocket-protocol"), ["a", "b, \xff"]);
  assert.deepEqual(asked.values("sec-websocket-extensions"), []);
  assert.throws(() => asked.values("x-other"), /no field/);
  const answer = readHandshake(asked, undefined, sha1Base64);
  assert.equal(answer.accepted === false && answer.code, "handshake-protocol");
});

type Headers = readonly (readonly [name: string | Uint8Array, value: string | Uint8Array])[];

function answer(changes: Record<string, string>, subprotocol: string | undefined, headers: Headers = []): string {
  const handshake = readHandshake(request(changes), DEFAULT_DEFLATE_OPTIONS, sha1Base64);
  assert.equal(handshake.accepted, true);
  const out = new OutBuffer();
  const own = [prepareField("server", "ringcorn")];
  putAcceptance(out, new HeadEncoder(), handshake as HandshakeAccepted, subprotocol, headers, own);
  return textOf(out.bytes, 0, out.end);
}

const START =
  "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
  "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

test("answer: the least", () => {
  for (const none of [undefined, ""]) assert.equal(answer({}, none), `${START}server: ringcorn\r\n\r\n`);
});

test("answer: with subprotocol, compression and the application's fields", () => {
  const offers = {
    "sec-websocket-protocol": "chat, other",
    "sec-websocket-extensions": "x-other; a=b, permessage-deflate; server_max_window_bits=10",
  };
  const headers: Headers = [
    ["X-A", "1"],
    [bytesOf("set-cookie"), bytesOf("a=b")],
    ["Content-Length", "0"],
    ["transfer-encoding", "chunked"],
    ["Connection", "close"],
  ];
  assert.equal(
    answer(offers, "other", headers),
    `${START}sec-websocket-protocol: other\r\nsec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10\r\n` +
      "X-A: 1\r\nset-cookie: a=b\r\nserver: ringcorn\r\n\r\n",
  );
});

test("answer: what an application may not ask for", () => {
  assert.throws(() => answer({}, "chat"), /not one that the client offers/);
  assert.throws(() => answer({ "sec-websocket-protocol": "a" }, "A"), /not one that the client offers/);
  for (const name of ["Sec-WebSocket-Protocol", "sec-websocket-accept", "SEC-WEBSOCKET-EXTENSIONS"]) {
    assert.throws(() => answer({}, undefined, [[name, "x"]]), /subprotocol is a part of the event/);
    assert.throws(() => answer({}, undefined, [[bytesOf(name), "x"]]), /subprotocol is a part of the event/);
  }
  assert.throws(() => answer({}, undefined, [["x", "a\r\nb: c"]]), /control/);
});
