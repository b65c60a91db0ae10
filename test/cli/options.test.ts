import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DEFAULT_COMMAND, DEFAULT_CONFIG } from "../../src/cli/config.ts";
import { GROUPS, isSwitch, OPTIONS, type Section, variableOf } from "../../src/cli/options.ts";
import { optionsDocument } from "../../src/cli/parse.ts";
import { DEFAULT_LIMITS, DEFAULT_OPTIONS } from "../../src/server/options.ts";

const fieldsOf = (section: Section): string[] =>
  OPTIONS.filter((row) => row.section === section)
    .map(({ field }) => field)
    .sort();

test("every limit of the server has its option", () => {
  assert.deepEqual(fieldsOf("limits"), Object.keys(DEFAULT_LIMITS).sort());
});

test("every server option has its option, but for what the supervisor decides", () => {
  const own = ["limits", "reusePort", "replaceLive"];
  assert.deepEqual(
    fieldsOf("server"),
    Object.keys(DEFAULT_OPTIONS)
      .filter((name) => !own.includes(name))
      .sort(),
  );
});

test("every field of the command has its option", () => {
  assert.deepEqual(fieldsOf("command"), Object.keys(DEFAULT_COMMAND).sort());
});

test("names and variables are there once", () => {
  const names = OPTIONS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.equal(variableOf("limit-max-requests"), "RINGCORN_LIMIT_MAX_REQUESTS");
});

test("uvicorn's names are kept", () => {
  const names = new Set(OPTIONS.map(({ name }) => name));
  for (const name of [
    ..."host port uds backlog workers reload reload-dir reload-include reload-exclude root-path lifespan".split(" "),
    ..."limit-concurrency limit-max-requests limit-max-requests-jitter timeout-keep-alive".split(" "),
    ..."timeout-graceful-shutdown proxy-headers forwarded-allow-ips access-log log-level header".split(" "),
    ..."server-header date-header app-dir env-file factory".split(" "),
    ..."ws-max-size ws-max-queue ws-ping-interval ws-ping-timeout ws-per-message-deflate".split(" "),
  ]) {
    assert.ok(names.has(name), name);
  }
});

for (const row of OPTIONS) {
  test(`--${row.name}: shown in a group, and its default can be given as it is shown`, () => {
    assert.ok(GROUPS.includes(row.group));
    assert.match(row.description, /^[A-Z].*\.$/);
    assert.equal(isSwitch(row), row.kind.placeholder === "");
    const section = row.section === "limits" ? DEFAULT_CONFIG.server.limits : DEFAULT_CONFIG[row.section];
    const value = (section as unknown as Record<string, unknown>)[row.field];
    const shown = row.kind.show(value);
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return;
    assert.deepEqual(row.kind.parse(row.kind.split(shown)), value);
  });
}

test("docs/options.md is current (scripts/options-doc.ts writes it)", () => {
  assert.equal(readFileSync(new URL("../../docs/options.md", import.meta.url), "utf8"), optionsDocument());
});
