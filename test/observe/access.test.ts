import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCESS_BUFFER_CHARACTERS, createAccessLog, escapeForLog } from "../../src/observe/access.ts";

function recorder() {
  const writes: string[] = [];
  const turn: (() => void)[] = [];
  const log = createAccessLog({ defer: (task) => turn.push(task), writeOut: (text) => writes.push(text) }, false);
  const endTurn = (): void => {
    for (const task of turn.splice(0)) task();
  };
  return { writes, turn, log, endTurn };
}

function lineFor(
  client: readonly [string, number] | null,
  method: string,
  target: string,
  version: string,
  status: number,
): string {
  const { writes, log } = recorder();
  log.request(client, method, target, version, status);
  log.flush();
  assert.equal(writes.length, 1);
  return writes[0];
}

test("a line is uvicorn's", () => {
  assert.equal(
    lineFor(["127.0.0.1", 5000], "GET", "/x?a=1", "1.1", 200),
    'INFO:     127.0.0.1:5000 - "GET /x?a=1 HTTP/1.1" 200 OK\n',
  );
});

test("an IPv6 client stands in brackets, a Unix socket's has no address", () => {
  assert.match(
    lineFor(["::1", 5], "GET", "/", "1.0", 404),
    /^INFO: {5}\[::1\]:5 - "GET \/ HTTP\/1.0" 404 Not Found\n$/,
  );
  assert.match(lineFor(null, "GET", "/", "1.1", 204), /^INFO: {5}- - "GET \/ HTTP\/1.1" 204 No Content\n$/);
});

test("a percent-encoded escape sequence stays encoded", () => {
  assert.match(
    lineFor(["1.2.3.4", 5], "GET", "/%1b[31m%0d%0a", "1.1", 200),
    /"GET \/%1b\[31m%0d%0a HTTP\/1\.1" 200 OK\n$/,
  );
});

for (let code = 0; code < 0x100; code++) {
  const character = String.fromCharCode(code);
  const isPlain = code > 0x20 && code < 0x7f && character !== '"' && character !== "\\";
  if (isPlain) continue;
  test(`byte 0x${code.toString(16).padStart(2, "0")} of a target is escaped`, () => {
    const line = lineFor(["1.2.3.4", 5], "GET", `/a${character}b`, "1.1", 200);
    assert.equal(line, `INFO:     1.2.3.4:5 - "GET /a\\x${code.toString(16).padStart(2, "0")}b HTTP/1.1" 200 OK\n`);
  });
}

test("visible ASCII is left alone", () => {
  let plain = "";
  for (let code = 0x21; code < 0x7f; code++) plain += String.fromCharCode(code);
  plain = plain.replace('"', "").replace("\\", "");
  assert.equal(escapeForLog(plain), plain);
});

test("method and forwarded address can't break the line either", () => {
  const line = lineFor(['x" - "\n', 1], 'GE"T\n', "/\u2028", "1.1", 200);
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.equal(line, 'INFO:     x\\x22\\x20-\\x20\\x22\\x0a:1 - "GE\\x22T\\x0a /\\u2028 HTTP/1.1" 200 OK\n');
});

test("the lines of one turn leave in one write", () => {
  const { writes, turn, log, endTurn } = recorder();
  for (let i = 0; i < 5; i++) log.request(null, "GET", `/${i}`, "1.1", 200);
  assert.equal(writes.length, 0);
  assert.equal(turn.length, 1);
  endTurn();
  assert.equal(writes.length, 1);
  assert.equal(writes[0].split("\n").length, 6);
  log.request(null, "GET", "/next", "1.1", 200);
  assert.equal(turn.length, 1);
  endTurn();
  assert.equal(writes.length, 2);
});

test("flush writes what waits, once", () => {
  const { writes, log, endTurn } = recorder();
  log.request(null, "GET", "/", "1.1", 200);
  log.flush();
  log.flush();
  endTurn();
  assert.equal(writes.length, 1);
});

test("a turn with very many lines does not hold them all", () => {
  const { writes, log, endTurn } = recorder();
  const target = `/${"x".repeat(1000)}`;
  for (let i = 0; i < 200; i++) log.request(null, "GET", target, "1.1", 200);
  assert.ok(writes.length > 1);
  for (const text of writes) assert.ok(text.length < ACCESS_BUFFER_CHARACTERS + 2000);
  endTurn();
  assert.equal(writes.join("").split("\n").length, 201);
});
