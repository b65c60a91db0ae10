/** Whatever is thrown becomes a text, and never another error. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { messageOf, traceOf } from "../../src/observe/error-text.ts";

const UNSHOWABLE = "an error that can't be shown as text";

test("an error's trace has its name and message, its message neither", () => {
  const error = new RangeError("too far");
  assert.match(traceOf(error), /^RangeError: too far\n/);
  assert.equal(messageOf(error), "too far");
  error.stack = "at nowhere";
  assert.equal(traceOf(error), "RangeError: too far\nat nowhere");
  error.stack = undefined;
  assert.equal(traceOf(error), "RangeError: too far");
});

test("what is no error is its own text", () => {
  for (const [thrown, text] of [
    ["why", "why"],
    [null, "null"],
    [undefined, "undefined"],
    [Symbol("s"), "Symbol(s)"],
  ] as const) {
    assert.equal(traceOf(thrown), text);
    assert.equal(messageOf(thrown), text);
  }
});

test("what has no text is said to have none", () => {
  const angry = () => {
    throw new Error("from within");
  };
  const error = Object.defineProperty(new Error("x"), "message", { get: angry });
  for (const thrown of [Object.create(null), { toString: angry }, error]) {
    assert.equal(traceOf(thrown), UNSHOWABLE);
    assert.equal(messageOf(thrown), UNSHOWABLE);
  }
});
