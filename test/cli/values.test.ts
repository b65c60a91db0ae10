import assert from "node:assert/strict";
import { test } from "node:test";
import { networks } from "../../src/cli/networks.ts";
import * as kinds from "../../src/cli/values.ts";

function accepts<T>(kind: kinds.Kind<T>, cases: readonly (readonly [string, T])[]): void {
  for (const [text, value] of cases) assert.deepEqual(kind.parse([text]), value, JSON.stringify(text));
}

function refuses<T>(kind: kinds.Kind<T>, texts: readonly string[]): void {
  for (const text of texts) assert.throws(() => kind.parse([text]), kinds.ValueError, JSON.stringify(text));
}

const port = kinds.integer("<port>", 0, 65535);

test("integers: digits within the limits", () => {
  accepts(port, [
    ["0", 0],
    ["65535", 65535],
    ["0080", 80],
  ]);
  refuses(port, ["", " ", "65536", "-1", "+1", "1.5", "1e3", "0x10", "99999999999999999999", "٣"]);
});

test("seconds: decimals, in milliseconds", () => {
  accepts(kinds.seconds(), [
    ["0", 0],
    ["5", 5000],
    ["0.25", 250],
    ["1.0004", 1000],
  ]);
  refuses(kinds.seconds(), ["", "-1", ".5", "5s", "1e3", "Infinity", "NaN", "2147484"]);
  assert.equal(kinds.seconds().show(500), "0.5");
});

test("sizes: bytes, or powers of 1024", () => {
  accepts(kinds.size(), [
    ["0", 0],
    ["512", 512],
    ["16k", 16384],
    ["16K", 16384],
    ["4m", 4194304],
    ["4MiB", 4194304],
    ["1gb", 1073741824],
  ]);
  refuses(kinds.size(), ["", "k", "-1", "1.5m", "4t", "16 k", "9007199254740993", "9000000000g"]);
  refuses(kinds.size(14), ["13"]);
  accepts(kinds.size(14, 4096), [["4k", 4096]]);
  refuses(kinds.size(14, 4096), ["13", "4097", "1g", "9007199254740993"]);
});

test("sizes are shown in the largest unit that fits", () => {
  assert.deepEqual([0, 512, 1024, 1536, 16384, 4194304, 1073741824].map(kinds.showSize), [
    "0",
    "512",
    "1k",
    "1536",
    "16k",
    "4m",
    "1g",
  ]);
});

test("permission bits are octal", () => {
  accepts(kinds.octal(), [
    ["666", 0o666],
    ["0660", 0o660],
    ["0o600", 0o600],
    ["000", 0],
  ]);
  refuses(kinds.octal(), ["", "6", "888", "rw", "1777", "-66", "0x1ff"]);
  assert.equal(kinds.octal().show(0o66), "066");
});

test("switches in words", () => {
  for (const word of ["1", "true", "Yes", "ON"]) assert.equal(kinds.toggle.parse([word]), true);
  for (const word of ["0", "false", "No", "OFF"]) assert.equal(kinds.toggle.parse([word]), false);
  refuses(kinds.toggle, ["", "2", "yep"]);
});

test("choices", () => {
  accepts(kinds.lifespan, [
    ["auto", "auto"],
    ["OFF", "off"],
  ]);
  refuses(kinds.lifespan, ["", "maybe"]);
  refuses(kinds.logLevel, ["verbose"]);
});

test("the last of several texts counts for a single value", () => {
  assert.equal(port.parse(["1", "2"]), 2);
});

test("header fields: names and values of HTTP", () => {
  accepts(kinds.fields, [
    ["X-A: b c ", [["X-A", "b c"]]],
    ["x:", [["x", ""]]],
    ["X-Url:http://a/b:c", [["X-Url", "http://a/b:c"]]],
  ]);
  refuses(kinds.fields, ["", "x", ":v", "a b:c", "x:a\r\nInjected: 1", "x:a\nb", "x:\0", "ü:1", "x:漢"]);
});

for (const name of ["Content-Length", "transfer-encoding", "CONNECTION", "Upgrade", "trailer", "Keep-Alive"]) {
  test(`the field ${name} is the server's`, () => refuses(kinds.fields, [`${name}: 1`]));
}

test("header fields in the environment stand one per line", () => {
  assert.deepEqual(kinds.fields.split("A:1, 2\n\nB:2"), ["A:1, 2", "B:2"]);
});

test("lists in the environment stand with commas", () => {
  const list = kinds.list("<glob>", "a pattern");
  assert.deepEqual(list.split("*.ts, *.html,,"), ["*.ts", "*.html"]);
  refuses(list, [""]);
});

test("a pattern that names nothing is refused", () => {
  const globs = kinds.globs();
  assert.deepEqual(globs.parse(["*.html", "./docs/", "/srv/x"]), ["*.html", "./docs/", "/srv/x"]);
  refuses(globs, ["", ".", "/", "./", "//"]);
});

test("path prefixes lose their last slash", () => {
  accepts(kinds.pathPrefix, [
    ["", ""],
    ["/", ""],
    ["/api/", "/api"],
    ["/a/b", "/a/b"],
  ]);
  refuses(kinds.pathPrefix, ["api", "/a b", "/a?b", "/a#b", "/\n"]);
});

test("proxies: addresses, networks, all", () => {
  accepts(networks, [
    ["127.0.0.1,::1", ["127.0.0.1", "::1"]],
    ["10.0.0.0/8, fd00::/8", ["10.0.0.0/8", "fd00::/8"]],
    ["::ffff:10.0.0.1, ::ffff:10.0.0.0/104", ["::ffff:10.0.0.1", "::ffff:10.0.0.0/104"]],
    ["*", ["*"]],
    ["", []],
  ]);
  refuses(networks, ["localhost", "10.0.0.0/33", "1.2.3", "0x7f.1", "1.2.3.4,proxy", "010.0.0.256", "010.0.0.1"]);
  refuses(networks, ["::ffff:010.0.0.1", "::ffff:010.0.0.0/104", "::ffff:10.0.0.0/129", "::ffff:1.2.3"]);
});
