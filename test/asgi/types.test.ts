/** The types that applications are written against: every interface and every field says what it is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../harness/server.ts";

const DECLARES = /^(?:export (?:interface|type) (\w+)| {2}readonly ("?[\w.]+"?|\[name)\??:? )/;
/** What the name itself says: unions of documented events, and the literal that tells events apart. */
const SAYS_ITSELF = /^ {2}readonly type: "|^export type (\w*(Scope|Event))\b/;

test("every field of the ASGI types is documented", () => {
  const lines = readFileSync(join(ROOT, "src/asgi/types.ts"), "utf8").split("\n");
  const declared = lines.filter((line) => DECLARES.test(line));
  assert.ok(declared.length > 100, `${declared.length} declarations were found`);
  const silent = lines.filter(
    (line, at) => DECLARES.test(line) && !SAYS_ITSELF.test(line) && !/\*\/$/.test(lines[at - 1]),
  );
  assert.deepEqual(silent, []);
});
