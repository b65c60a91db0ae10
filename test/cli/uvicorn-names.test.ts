/** Whoever comes from uvicorn is told what to do instead of each option that is not here. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { OPTIONS } from "../../src/cli/options.ts";
import { parseArguments } from "../../src/cli/parse.ts";
import { uvicornAdvice } from "../../src/cli/uvicorn-names.ts";

const page = readFileSync(new URL("../../docs/migrating-from-uvicorn.md", import.meta.url), "utf8");

/** The first column of the page's table of options. */
const named = page
  .split("\n")
  .filter((line) => line.startsWith("| `--"))
  .flatMap((line) =>
    [...line.split("|")[1].matchAll(/`(--[\w*-]+)`/g)].map(([, flag]) => flag.replace("*", "keyfile")),
  );

test("each option of uvicorn's that the page names is here, or is told about", () => {
  const ours = new Set(OPTIONS.map(({ name }) => `--${name}`));
  assert.ok(named.length > 30);
  for (const flag of named) {
    assert.equal(ours.has(flag), uvicornAdvice(flag) === undefined, flag);
  }
});

test("the advice stands in the refusal, with a value or without", () => {
  for (const argv of [["--http", "h11"], ["--http=h11"], ["--http"]]) {
    assert.throws(
      () => parseArguments(argv, { version: "", columns: 100, colours: false }),
      /^PlainError: There is no option --http(=h11)?; there is one parser: leave it out\.$/,
    );
  }
  assert.equal(uvicornAdvice("--toString"), undefined);
});
