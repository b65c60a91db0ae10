/** A whole result on one page. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { readResult, textOf } from "../../bench/results.ts";
import { renderSummary } from "../../bench/summary.ts";
import { rates, result, row } from "./fixtures.ts";

const lineOf = (page: string, start: string) =>
  page
    .split("\n")
    .find((line) => line.startsWith(start))
    ?.split("|")
    .map((cell) => cell.trim())
    .slice(1, -1);

test("each row stands on one line, beside the fastest peer", () => {
  const samples = { "node-http": rates(20, 20, 20), "bun-serve": rates(50, 60, 40), "ringcorn-bun": rates(75, 75, 75) };
  const page = renderSummary(result({ "web/hello@1": row(samples) }));
  assert.deepEqual(lineOf(page, "| web/hello@1")?.slice(1, 6), [
    "75",
    "–",
    "Bun.serve 50",
    "1.50; rounds 1.50 (1.38 to 1.69) (!)",
    "–",
  ]);
  assert.match(page, /medians of 3 rounds/);
});

test("a row of Python's has the front on either runtime, and one round is no median", () => {
  const samples = { "ringcorn-bun-python": rates(30), "ringcorn-deno-python": rates(20), uvicorn: rates(10) };
  const page = renderSummary(result({ "python/hello@1": row(samples) }));
  assert.deepEqual(lineOf(page, "| python/hello@1")?.slice(1, 6), ["30", "20", "uvicorn 10", "3.00", "2.00"]);
  assert.match(page, /medians of 1 round;/);
});

test("a row without peers, or without an answer, is shown as it is", () => {
  const page = renderSummary(result({ "web/json@1": row({ "ringcorn-bun": rates(7) }) }));
  assert.deepEqual(lineOf(page, "| web/json@1")?.slice(1, 6), ["7", "–", "–", "–", "–"]);
});

test("a result without rows says nothing of rounds", () => {
  assert.doesNotMatch(renderSummary(result({})), /medians|Infinity/);
});

test("the page of the whole run is what its result prints", () => {
  const page = readFileSync(new URL("../../docs/figures.md", import.meta.url), "utf8");
  const stored = fileURLToPath(
    new URL(`../../bench/results/${/ringcorn (\w+)/.exec(page)?.[1]}.json.gz`, import.meta.url),
  );
  assert.equal(page, `${renderSummary(readResult(stored))}\n`, "write it again: docs/benchmarks.md says how");
});

test("a result is read from a compressed file too", () => {
  const directory = mkdtempSync(join(tmpdir(), "ringcorn-"));
  try {
    const whole = result({ "web/hello@1": row({ "ringcorn-bun": rates(1) }) });
    const path = join(directory, "a.json.gz");
    writeFileSync(path, gzipSync(textOf(whole)));
    assert.deepEqual(readResult(path), JSON.parse(textOf(whole)));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
