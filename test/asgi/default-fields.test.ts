/** The server's own field lines: present once, encoded ahead, replaced by what the application sets itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DefaultFields } from "../../src/asgi/default-fields.ts";
import { OutBuffer } from "../../src/protocol/buffer.ts";
import { EncodeError, HeadEncoder } from "../../src/protocol/http1/encoder.ts";
import { latin1 } from "../harness/response.ts";

const NOON = Date.UTC(1994, 10, 6, 8, 49, 37);

function lines(fields: DefaultFields, own: readonly [string, string][] = []): string[] {
  fields.refresh(NOON);
  const out = new OutBuffer();
  const encoder = new HeadEncoder();
  // Uncommitted behind an earlier response, as in a burst.
  encoder.begin(out, 500);
  out.commit();
  encoder.begin(out, 200);
  for (const [name, value] of own) encoder.field(out, name, value);
  const from = out.end;
  fields.put(out, encoder);
  return latin1(out.bytes.subarray(from, out.end)).split("\r\n").slice(0, -1);
}

const DATE = "date: Sun, 06 Nov 1994 08:49:37 GMT";
const SERVER = "server: ringcorn";

test("Server and Date, each only when wanted", () => {
  assert.deepEqual(lines(new DefaultFields(true, true, [])), [SERVER, DATE]);
  assert.deepEqual(lines(new DefaultFields(false, true, [])), [DATE]);
  assert.deepEqual(lines(new DefaultFields(true, false, [])), [SERVER]);
  assert.deepEqual(lines(new DefaultFields(false, false, [])), []);
});

test("what the application sets is not repeated, whatever its case", () => {
  const fields = new DefaultFields(true, true, [["X-One", "1"] as const, ["x-two", "2"] as const]);
  assert.deepEqual(lines(fields, [["Server", "mine"]]), [DATE, "X-One: 1", "x-two: 2"]);
  assert.deepEqual(lines(fields, [["DATE", "now"]]), [SERVER, "X-One: 1", "x-two: 2"]);
  assert.deepEqual(lines(fields, [["x-ONE", "0"]]), [SERVER, DATE, "x-two: 2"]);
  assert.deepEqual(lines(fields), [SERVER, DATE, "X-One: 1", "x-two: 2"]);
});

test("the operator's Server and Date replace the server's", () => {
  const fields = new DefaultFields(true, true, [["server", "other"] as const, ["Date", "never"] as const]);
  assert.deepEqual(lines(fields), ["server: other", "Date: never"]);
});

test("the date follows the clock", () => {
  const fields = new DefaultFields(false, true, []);
  fields.refresh(NOON + 999);
  assert.match(latin1(fields.all), /08:49:37/);
  fields.refresh(NOON + 1000);
  assert.match(latin1(fields.all), /08:49:38/);
});

for (const [name, value] of [
  ["bad name", "x"],
  ["", "x"],
  ["x", "a\r\nb: c"],
  ["x", "\0"],
  ["Content-Length", "5"],
  ["transfer-encoding", "chunked"],
  ["Connection", "close"],
] as const) {
  test(`the field ${JSON.stringify(`${name}: ${value}`)} can't be added`, () => {
    assert.throws(() => new DefaultFields(true, true, [[name, value]]), EncodeError);
  });
}
