/** Field lines as pairs: both ways to make them give the same, and what an application does to one harms no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeaderList, splitFieldLines } from "../../src/asgi/headers.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
const shown = (pairs: Iterable<readonly [Uint8Array, Uint8Array]>) =>
  Array.from(pairs, ([name, value]) => [decode(name), decode(value)]);

const name = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/);
const space = fc.stringMatching(/^[ \t]{0,3}$/);
const value = fc.stringMatching(/^(?:[!-~](?:[ -~\t]{0,80}[!-~])?)?$/);
const line = fc.tuple(name, space, value, space);

for (const copyCostsLess of [true, false]) {
  const how = copyCostsLess ? "arrays" : "views";
  test(`${how}: names lowercased, values without white space around them, in order`, () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.nat(5), (lines, before) => {
        const text = lines.map(([field, left, content, right]) => `${field}:${left}${content}${right}\r\n`).join("");
        const bytes = encode(`${"x".repeat(before)}${text}\r\n`);
        const untouched = bytes.slice();
        const pairs = splitFieldLines(bytes, before, bytes.length, copyCostsLess);
        assert.deepEqual(
          shown(pairs),
          lines.map(([field, , content]) => [field.toLowerCase(), content]),
        );
        assert.deepEqual(bytes, untouched);
      }),
    );
  });

  test(`${how}: an application that writes into one changes no other, and no other request's`, () => {
    const bytes = encode("Host: a\r\nX-One: first\r\nX-Two: second\r\n\r\nGET /next");
    const end = bytes.length - "GET /next".length;
    const untouched = bytes.slice();
    const headers = new HeaderList(bytes, 0, end, null, copyCostsLess);
    const pairs = headers.pairs();
    for (const part of pairs[1]) {
      assert.equal(part.constructor, Uint8Array);
      part.fill(0x7a);
    }
    assert.deepEqual(shown(headers), [
      ["host", "a"],
      ["zzzzz", "zzzzz"],
      ["x-two", "second"],
    ]);
    assert.deepEqual(bytes, untouched);
    // Nor can it be reached from there.
    for (const part of pairs.flat()) assert.ok(!decode(new Uint8Array(part.buffer)).includes("next"));
  });
}
