import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LOG_LEVELS, type LogLevel, levelPrefix, sanitizeMessage } from "../../src/observe/log.ts";

function logAt(level: LogLevel, label?: string): { lines: string[]; logger: ReturnType<typeof createLogger> } {
  const lines: string[] = [];
  return { lines, logger: createLogger((line) => lines.push(line), { level, colours: false, label }) };
}

test("messages begin in one column, as uvicorn's", () => {
  const { lines, logger } = logAt("trace");
  for (const level of LOG_LEVELS) logger[level]("x");
  assert.deepEqual(lines, [
    "CRITICAL: x\n",
    "ERROR:    x\n",
    "WARNING:  x\n",
    "INFO:     x\n",
    "DEBUG:    x\n",
    "TRACE:    x\n",
  ]);
});

for (const [index, level] of LOG_LEVELS.entries()) {
  test(`level ${level} writes itself and what is more severe`, () => {
    const { lines, logger } = logAt(level);
    for (const each of LOG_LEVELS) logger[each]("x");
    assert.equal(lines.length, index + 1);
    assert.deepEqual(
      LOG_LEVELS.map((each) => logger.enabled(each)),
      LOG_LEVELS.map((_, i) => i <= index),
    );
  });
}

test("a label stands before the message", () => {
  const { lines, logger } = logAt("info", "4711");
  logger.info("hello");
  assert.deepEqual(lines, ["INFO:     [4711] hello\n"]);
});

test("control characters are escaped, and text stays text", () => {
  assert.equal(sanitizeMessage("a\x1b[31mb\rc\x07\x7f\x9bd\u2028e"), "a\\x1b[31mb\\x0dc\\x07\\x7f\\x9bd\\u2028e");
  assert.equal(sanitizeMessage("grün\tund 漢字"), "grün\tund 漢字");
});

test("lines after the first are indented, so that none can be forged", () => {
  assert.equal(sanitizeMessage("a\nERROR:    forged\n"), "a\n          ERROR:    forged\n          ");
});

test("colours are on the level only", () => {
  assert.equal(levelPrefix("info", true), "\x1b[32mINFO\x1b[39m:     ");
});
