/** Which peers are trusted, and what their X-Forwarded fields say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { forwardedScheme, TrustedPeers } from "../../src/asgi/proxy.ts";

const HAS: readonly (readonly [entries: readonly string[], host: string, trusted: boolean])[] = [
  [["127.0.0.1"], "127.0.0.1", true],
  [["127.0.0.1"], "127.0.0.2", false],
  [["127.0.0.1"], "::ffff:127.0.0.1", true],
  [["::ffff:127.0.0.1"], "127.0.0.1", true],
  [["::ffff:127.0.0.1"], "::ffff:7f00:1", true],
  [["::ffff:127.0.0.1/128"], "127.0.0.1", true],
  [["::ffff:10.0.0.0/104"], "10.255.0.1", true],
  [["::ffff:10.0.0.0/104"], "::ffff:10.255.0.1", true],
  [["::ffff:10.0.0.0/104"], "11.0.0.1", false],
  [["::ffff:0:0/96"], "203.0.113.1", true],
  [["::ffff:0:0/96"], "2001:db8::1", false],
  [["::/0"], "2001:db8::1", true],
  [["::/0"], "10.0.0.1", false],
  [["fe80::/10"], "fe80::1%eth0", true],
  [["10.0.0.0/8"], "::ffff:10.255.0.1", true],
  [["10.0.0.0/8"], "10.255.0.1", true],
  [["10.0.0.0/8"], "11.0.0.1", false],
  [["10.1.2.3/8"], "10.9.9.9", true],
  [["0.0.0.0/0"], "203.0.113.1", true],
  [["0.0.0.0/0"], "2001:db8::1", false],
  [["::1"], "::1", true],
  [["::1"], "0:0:0:0:0:0:0:1", true],
  [["2001:db8::/32"], "2001:db8:1::5", true],
  [["2001:db8::/32"], "2001:db9::5", false],
  [["10.0.0.0/8"], "::a00:1", false],
  [["*"], "anything", true],
  [["*"], "", true],
  [[], "127.0.0.1", false],
  [["127.0.0.1"], "", false],
  [[""], "", false],
  [["proxy.sock"], "proxy.sock", true],
];
for (const [entries, host, trusted] of HAS) {
  test(`${JSON.stringify(entries)} ${trusted ? "has" : "has not"} ${JSON.stringify(host)}`, () => {
    assert.equal(new TrustedPeers(entries).has(host), trusted);
  });
}

for (const entry of ["10.0.0.0/33", "10.0.0/8/8", "x/8", "::/129", "10.0.0.0/-1", "/8"]) {
  test(`the network ${entry} is refused`, () => {
    assert.throws(() => new TrustedPeers([entry]));
  });
}

const PROXIES = ["10.0.0.0/8", "2001:db8::/32"];
const CLIENTS: readonly (readonly [list: string, client: readonly [string, number] | undefined])[] = [
  ["203.0.113.7", ["203.0.113.7", 0]],
  ["  203.0.113.7  ", ["203.0.113.7", 0]],
  ["198.51.100.1, 203.0.113.7", ["203.0.113.7", 0]],
  ["198.51.100.1, 203.0.113.7, 10.0.0.1", ["203.0.113.7", 0]],
  ["203.0.113.7,10.0.0.1,10.0.0.2", ["203.0.113.7", 0]],
  ["10.0.0.3, 10.0.0.2", ["10.0.0.3", 0]],
  ["203.0.113.7:4711", ["203.0.113.7", 4711]],
  ["203.0.113.7:4711, 10.0.0.1:80", ["203.0.113.7", 4711]],
  ["2001:db9::1", ["2001:db9::1", 0]],
  ["[2001:db9::1]", ["2001:db9::1", 0]],
  ["[2001:db9::1]:443", ["2001:db9::1", 443]],
  ["203.0.113.7, 2001:db8::5", ["203.0.113.7", 0]],
  ["203.0.113.7, [2001:db8::5]:1", ["203.0.113.7", 0]],
  ["", undefined],
  ["unknown", undefined],
  ["_hidden", undefined],
  ["203.0.113.7, ", undefined],
  ["203.0.113.7, nonsense", undefined],
  ["203.0.113.7, nonsense, 10.0.0.1", ["10.0.0.1", 0]],
  ["<script>", undefined],
  ["203.0.113.7:", undefined],
  ["203.0.113.7:99999", undefined],
  ["203.0.113.7:123456", undefined],
  ["[203.0.113.7]", undefined],
  ["[2001:db9::1", undefined],
  ["[2001:db9::1]:", undefined],
  ["[2001:db9::1]:99999", undefined],
  ["1", undefined],
  ["127.1", undefined],
  ["0x7f.0.0.1", undefined],
  ["0177.0.0.1", undefined],
  ["256.0.0.1", undefined],
];
for (const [list, client] of CLIENTS) {
  test(`X-Forwarded-For: ${JSON.stringify(list)}`, () => {
    assert.deepEqual(new TrustedPeers(PROXIES).clientOf(list), client);
  });
}

test("where everybody is trusted the leftmost address counts", () => {
  assert.deepEqual(new TrustedPeers(["*"]).clientOf("198.51.100.1, 203.0.113.7, 10.0.0.1"), ["198.51.100.1", 0]);
});

for (const [value, scheme] of [
  ["https", "https"],
  ["HTTPS", "https"],
  ["http, https", "https"],
  ["https, http", "http"],
  ["wss", "https"],
  ["ws", "http"],
  [" https ", "https"],
  ["", undefined],
  ["ftp", undefined],
  ["https,", undefined],
  ["javascript:", undefined],
] as const) {
  test(`X-Forwarded-Proto: ${JSON.stringify(value)}`, () => assert.equal(forwardedScheme(value), scheme));
}
