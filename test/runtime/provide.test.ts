/** `Runtime.provideModule`: a module that no file answers to. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { currentRuntime } from "../../src/runtime/current.ts";
import { temporaryDirectory } from "./harness.ts";

const runtime = await currentRuntime();
const directory = temporaryDirectory();
after(() => directory.remove());

test("a provided module is what later modules import by its name; where that can't be, the answer says so", async () => {
  const file = join(directory.path, "importer.mjs");
  writeFileSync(file, 'export { answer } from "provided-by-the-test";');
  const provided = runtime.provideModule("provided-by-the-test", { answer: 42 });
  assert.equal(provided, runtime.name === "bun");
  if (provided) assert.deepEqual({ ...(await runtime.importModule(file)) }, { answer: 42 });
  else await assert.rejects(runtime.importModule(file), /provided-by-the-test/);
});
