/** How many processes serve, and what contradicts itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArguments } from "../../src/cli/parse.ts";
import { decideProcesses, needsSupervisor, processAdvice, sharesOf } from "../../src/cli/processes.ts";
import { resolveConfig, UsageError } from "../../src/cli/resolve.ts";

function configOf(line: string) {
  const given = parseArguments(line.split(" "), { version: "", columns: 80, colours: false });
  assert.ok(!("text" in given));
  return resolveConfig(given, {});
}

function decided(line: string, isPython: boolean, cores: number): string {
  const config = decideProcesses(configOf(line), isPython, cores);
  const { fronts, workers } = config.command;
  return `${fronts} ${workers}${needsSupervisor(config, isPython) ? " supervised" : ""}`;
}

/** Arguments, cores, fronts and workers of a Python application. */
const PYTHON: readonly (readonly [string, number, string])[] = [
  ["main:app", 8, "1 1"],
  ["main:app --workers 4", 8, "1 4"],
  ["main:app --workers auto", 8, "1 8"],
  ["main:app --workers auto", 1, "1 1"],
  ["main:app --workers auto --fronts auto", 4, "1 4"],
  ["main:app --workers auto --fronts auto", 32, "8 32 supervised"],
  ["main:app --workers auto --fronts 3", 2, "3 3 supervised"],
  ["main:app --workers 9 --fronts auto", 1, "3 9 supervised"],
  ["main:app --workers 4 --fronts 2", 8, "2 4 supervised"],
  ["main:app --workers auto --fronts auto --pin", 4, "4 4 supervised"],
  ["main:app --workers 2 --fronts auto --pin", 4, "2 2 supervised"],
  ["main:app --workers 8 --fronts auto --pin", 4, "4 8 supervised"],
  ["main:app --workers 4 --fronts 2 --reload", 8, "1 4"],
  ["main:app --reload --limit-max-requests 9", 8, "1 1"],
  ["main:app --workers 4 --uds x.sock", 8, "1 4"],
];

for (const [line, cores, expected] of PYTHON) {
  test(`Python, ${cores} cores: ${line}: ${expected}`, () => assert.equal(decided(line, true, cores), expected));
}

/** As above, of a TypeScript one. */
const SCRIPT: readonly (readonly [string, number, string])[] = [
  ["app.ts", 8, "1 1"],
  ["app.ts --workers 2", 8, "1 2 supervised"],
  ["app.ts --workers auto", 4, "1 4 supervised"],
  ["app.ts --workers auto", 1, "1 1"],
  ["app.ts --reload", 8, "1 1 supervised"],
  ["app.ts --limit-max-requests 9", 8, "1 1 supervised"],
];

for (const [line, cores, expected] of SCRIPT) {
  test(`TypeScript, ${cores} cores: ${line}: ${expected}`, () => assert.equal(decided(line, false, cores), expected));
}

test("what contradicts itself", () => {
  const refuses = (line: string, isPython: boolean, pattern: RegExp) =>
    assert.throws(
      () => decided(line, isPython, 4),
      (error) => error instanceof UsageError && pattern.test(error.message),
    );
  refuses("main:app --fronts 2", true, /^--fronts 2 needs as many workers; add --workers 2 or more\.$/);
  refuses("main:app --fronts 2 --workers 2 --uds x", true, /^--fronts can't share a Unix socket/);
  refuses("app.ts --workers 2 --uds x", false, /^--workers can't share a Unix socket/);
});

test("each front has its share", () => {
  assert.deepEqual(sharesOf(7, 3), [3, 2, 2]);
  assert.deepEqual(sharesOf(4, 4), [1, 1, 1, 1]);
});

test("advice on options without effect", () => {
  assert.deepEqual(processAdvice(configOf("main:app --limit-max-rss 1g"), true), []);
  assert.match(
    processAdvice(configOf("app.ts --limit-max-rss 1g"), false)[0],
    /^--limit-max-rss has an effect with Python/,
  );
  const python = "--interface wsgi --python python3 --loop asyncio --threads 2 --log-config x.json";
  assert.deepEqual(processAdvice(configOf(`main:app ${python}`), true), []);
  assert.deepEqual(
    processAdvice(configOf(`app.ts ${python}`), false),
    ["--interface", "--python", "--loop", "--threads", "--log-config"].map(
      (option) => `${option} has an effect with Python applications only.`,
    ),
  );
  assert.match(processAdvice(configOf("main:app --fronts 2 --workers 2 --reload"), true)[0], /no effect with --reload/);
  assert.deepEqual(processAdvice(configOf("main:app --fronts auto --workers 2 --pin"), true), []);
  assert.match(processAdvice(configOf("main:app --workers 2 --pin"), true)[0], /^--pin has no effect with one front/);
  assert.deepEqual(processAdvice(configOf("main:app --fronts 2 --workers 2 --pin --reload"), true), [
    "--fronts has no effect with --reload: one front serves.",
    "--pin has no effect with --reload: one front serves.",
  ]);
  assert.deepEqual(processAdvice(configOf("app.ts --workers auto --pin"), false), []);
  assert.match(processAdvice(configOf("app.ts --pin"), false)[0], /^--pin has no effect with one process/);
});
