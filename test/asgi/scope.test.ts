/** The scope of a request, by the ASGI HTTP specification; paths decoded as Python's urllib.parse.unquote does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TrustedPeers } from "../../src/asgi/proxy.ts";
import { percentDecode, ScopeBuilder } from "../../src/asgi/scope.ts";
import type { HttpScope } from "../../src/asgi/types.ts";
import { HEAD, Http1Parser } from "../../src/protocol/http1/parser.ts";
import { DEFAULT_LIMITS } from "../../src/server/options.ts";
import { bytesOf } from "../harness/fake-socket.ts";
import { latin1 } from "../harness/response.ts";

const decode = (bytes: Uint8Array, start: number, end: number) => latin1(bytes.subarray(start, end));
const SERVER = ["192.0.2.1", 8000] as const;

interface Setting {
  readonly rootPath?: string;
  readonly state?: Record<string, unknown>;
  readonly peer?: string;
  readonly trusted?: readonly string[];
  readonly ownsChunks?: boolean;
}

function builderFor({ rootPath = "", state = {}, trusted = ["127.0.0.1"], ownsChunks = true }: Setting): ScopeBuilder {
  return new ScopeBuilder(decode, ownsChunks, rootPath, state, new TrustedPeers(trusted));
}

function scopeOf(head: string, setting: Setting = {}): HttpScope {
  const builder = builderFor(setting);
  const parser = new Http1Parser(DEFAULT_LIMITS);
  const chunk = bytesOf(head);
  parser.feed(chunk, 0, chunk.length, setting.ownsChunks);
  assert.equal(parser.next(), HEAD, String(parser.error?.message));
  const peer = setting.peer ?? "203.0.113.9";
  const scope = builder.http(parser, [peer, 1234], SERVER, builder.trusts(peer));
  if (setting.ownsChunks === false) chunk.fill(0x58);
  return scope;
}

function get(target: string, fields = "", setting: Setting = {}): HttpScope {
  return scopeOf(`GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, setting);
}

function pairs(scope: HttpScope): string[][] {
  return [...scope.headers].map(([name, value]) => [latin1(name), latin1(value)]);
}

/** Python 3.11's `urllib.parse.unquote(path)`. */
const UNQUOTED: readonly (readonly [raw: string, path: string])[] = [
  ["/", "/"],
  ["/a%20b", "/a b"],
  ["/caf%C3%A9", "/caf\u00e9"],
  ["/%E2%82%AC", "/\u20ac"],
  ["/%", "/%"],
  ["/%4", "/%4"],
  ["/%zz", "/%zz"],
  ["/%41", "/A"],
  ["/%2F", "//"],
  ["/%2e%2E/", "/../"],
  ["/a+b", "/a+b"],
  ["/%00", "/\u0000"],
  ["/%25", "/%"],
  ["/%2541", "/%41"],
  ["/%F0%9F%98%80", "/\ud83d\ude00"],
  ["/%C3", "/\ufffd"],
  ["/%C3x", "/\ufffdx"],
  ["/%FF%FE", "/\ufffd\ufffd"],
  ["/%E2%82", "/\ufffd"],
  ["/%ED%A0%80", "/\ufffd\ufffd\ufffd"],
  ["/%C0%AF", "/\ufffd\ufffd"],
  ["/%c3%a9", "/\u00e9"],
  ["/%F4%90%80%80", "/\ufffd\ufffd\ufffd\ufffd"],
  ["/%EF%BB%BFx", "/\ufeffx"],
  ["/x%EF%BB%BF", "/x\ufeff"],
  ["/%%41", "/%A"],
  ["/%4%31", "/%41"],
  ["/a%0Ab", "/a\nb"],
  ["/%e4", "/\ufffd"],
  ["/%F0%9F", "/\ufffd"],
  ["/%E2%28%A1", "/\ufffd(\ufffd"],
  ["/%80abc", "/\ufffdabc"],
];

for (const [raw, path] of UNQUOTED) {
  test(`path ${raw} decodes as Python does`, () => {
    const bytes = bytesOf(raw);
    assert.equal(percentDecode(bytes, 0, bytes.length), path);
    const scope = get(`${raw}?q=%41`);
    assert.equal(scope.path, path);
    assert.equal(latin1(scope.raw_path), raw);
    assert.equal(latin1(scope.query_string), "q=%41");
  });
}

for (const ownsChunks of [true, false]) {
  test(`a whole scope (chunks kept: ${ownsChunks})`, () => {
    const head = "REPORT /a/b?c=d&e HTTP/1.1\r\nHost: x:80\r\nX-Two:  one \r\nx-tWO: two\r\nX-Empty:\r\n\r\n";
    const scope = scopeOf(head, { ownsChunks, state: { n: 1 } });
    assert.deepEqual(
      { ...scope, headers: pairs(scope), raw_path: latin1(scope.raw_path), query_string: latin1(scope.query_string) },
      {
        type: "http",
        asgi: { version: "3.0", spec_version: "2.5" },
        http_version: "1.1",
        method: "REPORT",
        scheme: "http",
        path: "/a/b",
        raw_path: "/a/b",
        query_string: "c=d&e",
        root_path: "",
        headers: [
          ["host", "x:80"],
          ["x-two", "one"],
          ["x-two", "two"],
          ["x-empty", ""],
        ],
        client: ["203.0.113.9", 1234],
        server: ["192.0.2.1", 8000],
        state: { n: 1 },
        extensions: {
          "http.response.trailers": {},
          "http.response.pathsend": {},
          "http.response.early_hint": {},
          "http.response.debug": {},
          "http.request.trailers": {},
        },
      },
    );
  });
}

test("HTTP/1.0 has its version and only the extensions that it can have", () => {
  const scope = scopeOf("GET / HTTP/1.0\r\n\r\n");
  assert.equal(scope.http_version, "1.0");
  assert.deepEqual(Object.keys(scope.extensions), ["http.response.pathsend", "http.response.debug"]);
});

for (const [target, path, raw] of [
  ["/x", "/api/x", "/api/x"],
  ["/%41", "/api/A", "/api/%41"],
  ["http://b", "/api/", "/api/"],
  ["http://b?q", "/api/", "/api/"],
  ["http://b/y", "/api/y", "/api/y"],
] as const) {
  test(`root_path in front of ${target}`, () => {
    const scope = get(target, "", { rootPath: "/api" });
    assert.equal(scope.root_path, "/api");
    assert.equal(scope.path, path);
    assert.equal(latin1(scope.raw_path), raw);
  });
}

test("what an application writes into raw_path reaches no other request", () => {
  const builder = builderFor({ rootPath: "/api" });
  const asterisk = () => {
    const parser = new Http1Parser(DEFAULT_LIMITS);
    const chunk = bytesOf("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    parser.feed(chunk, 0, chunk.length);
    assert.equal(parser.next(), HEAD);
    return builder.http(parser, null, SERVER, false);
  };
  asterisk().raw_path.fill(0x58);
  assert.equal(latin1(asterisk().raw_path), "/api");
});

test("an absolute target's authority stands in Host's place", () => {
  assert.deepEqual(pairs(scopeOf("GET http://b:81/x HTTP/1.1\r\nA: 1\r\nHost: a\r\nB: 2\r\n\r\n")), [
    ["a", "1"],
    ["host", "b:81"],
    ["b", "2"],
  ]);
  assert.deepEqual(pairs(scopeOf("GET http://b/x HTTP/1.0\r\nA: 1\r\n\r\n")), [
    ["host", "b"],
    ["a", "1"],
  ]);
});

test("each request has a state of its own, a shallow copy", () => {
  const shared = { list: [1] };
  const setting = { state: { shared, n: 1 } };
  const builder = builderFor(setting);
  const one = () => {
    const parser = new Http1Parser(DEFAULT_LIMITS);
    const chunk = bytesOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    parser.feed(chunk, 0, chunk.length);
    parser.next();
    return builder.http(parser, null, SERVER, false);
  };
  const first = one();
  first.state.n = 2;
  first.state.mine = true;
  const second = one();
  assert.deepEqual(second.state, { shared, n: 1 });
  assert.equal(second.state.shared, shared);
});

const FORWARDED = "X-Forwarded-For: 198.51.100.7, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n";
test("forwarded fields count from a trusted peer only", () => {
  const trusted = ["127.0.0.1", "10.0.0.0/8"];
  const through = get("/", FORWARDED, { peer: "127.0.0.1", trusted });
  assert.deepEqual([through.client, through.scheme], [["198.51.100.7", 0], "https"]);
  const direct = get("/", FORWARDED, { trusted });
  assert.deepEqual([direct.client, direct.scheme], [["203.0.113.9", 1234], "http"]);
});

test("forwarded fields on several lines are one list", () => {
  const fields = "X-Forwarded-For: 198.51.100.7\r\nX-Other: x\r\nX-Forwarded-For: 198.51.100.8\r\n";
  assert.deepEqual(get("/", fields, { peer: "127.0.0.1" }).client, ["198.51.100.8", 0]);
  const schemes = "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: gopher\r\n";
  assert.equal(get("/", schemes, { peer: "127.0.0.1" }).scheme, "https");
});
