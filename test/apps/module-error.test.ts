import assert from "node:assert/strict";
import { test } from "node:test";
import { describeModuleError } from "../../src/apps/module-error.ts";

const OWN = new URL("../../src/", import.meta.url).href;

function withStack(message: string, ...frames: string[]): Error {
  const error = new TypeError(message);
  error.stack = [`TypeError: ${message}`, ...frames.map((frame) => `    at ${frame}`)].join("\n");
  return error;
}

test("the module's frames stay, the server's go", () => {
  const error = withStack(
    "no database",
    "connect (/srv/site/db.ts:2:3)",
    "/srv/site/app.ts:1:1",
    `async loadApplication (${OWN}apps/load.ts:9:9)`,
    `async serve (${OWN.replace("file://", "")}cli/serve.ts:9:9)`,
  );
  assert.equal(
    describeModuleError(error, "/srv/site"),
    "TypeError: no database\n    at connect (./db.ts:2:3)\n    at ./app.ts:1:1",
  );
});

test("a syntax error with its place and line", () => {
  const error = Object.assign(new Error("Unexpected }"), {
    position: { lineText: "const a = }", file: "/srv/app.ts", line: 3, column: 11 },
  });
  assert.equal(
    describeModuleError(error, "/srv"),
    "SyntaxError: Unexpected }\n    at ./app.ts:3:11\n  const a = }\n            ^",
  );
});

test("several errors, causes, and things that are no errors", () => {
  const both = new AggregateError([withStack("one"), withStack("two")], "both");
  assert.match(describeModuleError(both, "/"), /both[\s\S]*TypeError: one\nTypeError: two$/);
  const caused = withStack("outer");
  caused.cause = withStack("inner");
  assert.equal(describeModuleError(caused, "/"), "TypeError: outer\nCaused by: TypeError: inner");
  assert.equal(describeModuleError("text", "/"), 'It threw "text", which is no Error.');
  assert.equal(describeModuleError(undefined, "/"), "It threw undefined, which is no Error.");
});

test("colours of the runtime's messages are taken off", () => {
  assert.equal(describeModuleError(withStack("\x1b[36mfile\x1b[0m gone"), "/"), "TypeError: file gone");
});
