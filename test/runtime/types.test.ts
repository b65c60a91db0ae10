/** The declarations of Deno's API against the real one; `bun-types.ts` does it for Bun. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "./harness.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const denoCommand = "Deno" in globalThis ? process.execPath : `${root}node_modules/.bin/deno`;

/** What Deno's checker says of a file; empty when it is content. */
function denoCheck(file: string): string {
  const env = { ...process.env, NO_COLOR: "1" };
  const run = spawnSync(denoCommand, ["check", file], { encoding: "utf8", cwd: root, env });
  return run.status === 0 ? "" : run.stderr;
}

function checkText(text: string): string {
  const directory = temporaryDirectory();
  const file = join(directory.path, "check.ts");
  writeFileSync(file, text);
  const answer = denoCheck(file);
  directory.remove();
  return answer;
}

const denoApi = JSON.stringify(new URL("../../src/runtime/deno-api.ts", import.meta.url).href);

test("Deno's namespace fits its declaration", { skip: !existsSync(denoCommand) }, () => {
  assert.equal(
    checkText(`import type { DenoNamespace } from ${denoApi}; export const fits: DenoNamespace = Deno;`),
    "",
  );
});

test("a declaration that does not fit would be noticed", { skip: !existsSync(denoCommand) }, () => {
  const wrong = "{ listen(options: { hostname: number }): string }";
  assert.match(checkText(`export const wrong: ${wrong} = Deno;`), /TS2322/);
});

test("Deno's checker passes the runtime, Bun's half included", { skip: !existsSync(denoCommand) }, () => {
  assert.equal(denoCheck(join(root, "src/runtime/current.ts")), "");
});
