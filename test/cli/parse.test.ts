import assert from "node:assert/strict";
import { test } from "node:test";
import { GROUPS, OPTIONS } from "../../src/cli/options.ts";
import { type Answer, parseArguments } from "../../src/cli/parse.ts";
import { type Given, UsageError } from "../../src/cli/resolve.ts";

const settings = { version: "ringcorn 1.2.3 (test)", columns: 100, colours: false };

function parse(...argv: string[]): Given {
  const result = parseArguments(argv, settings);
  assert.ok(!("text" in result), "options, not an answer");
  return result;
}

function answer(...argv: string[]): string {
  const result = parseArguments(argv, settings);
  assert.ok("text" in result);
  return (result as Answer).text;
}

test("nothing given: nothing set", () => {
  const given = parse();
  assert.equal(given.app, undefined);
  assert.equal(given.flags.size, 0);
});

test("the application, before and after options", () => {
  assert.equal(parse("./app.ts:make", "--port", "1").app, "./app.ts:make");
  assert.equal(parse("--port=1", "app").app, "app");
});

test("values, switches and their negation", () => {
  const { flags } = parse("--port", "9", "--limit-head=64k", "--reload", "--no-access-log", "--date-header");
  assert.deepEqual(Object.fromEntries(flags), {
    port: ["9"],
    "limit-head": ["64k"],
    reload: ["on"],
    "access-log": ["off"],
    "date-header": ["on"],
  });
});

test("repeated options gather, in order", () => {
  const { flags } = parse("--header", "A:1", "--header", "B:2", "--reload-dir", "x", "--reload-dir", "y");
  assert.deepEqual(flags.get("header"), ["A:1", "B:2"]);
  assert.deepEqual(flags.get("reload-dir"), ["x", "y"]);
});

const MISTAKES: readonly (readonly [string[], RegExp])[] = [
  [["--prot", "1"], /^There is no option --prot; did you mean --port\?$/],
  [["--no-acces-log"], /did you mean --no-access-log\?$/],
  [["--limit_concurrency", "1"], /did you mean --limit-concurrency\?$/],
  [["--xyzzyplugh"], /^There is no option --xyzzyplugh; ringcorn --help lists them all\.$/],
  [["-p", "1"], /^There is no option -p; /],
  [["--port"], /^--port needs a value: --port <port>\.$/],
  [["--reload=1"], /^--reload takes no value\.$/],
  [["--port", "1", "a.ts", "--reload", "b.ts"], /more words are given \(a\.ts b\.ts\)\.$/],
  [["a.ts", "b.ts"], /^One application can be served, but more words are given \(a\.ts b\.ts\)\.$/],
];
for (const [argv, message] of MISTAKES) {
  test(`mistake: ${argv.join(" ")}`, () => {
    assert.throws(
      () => parseArguments(argv, settings),
      (error: unknown) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, message);
        assert.ok(!error.message.includes("\n"), "one line");
        return true;
      },
    );
  });
}

test("--version answers", () => assert.equal(answer("--version"), "ringcorn 1.2.3 (test)\n"));

test("--help lists every option in its group, in lines that fit", () => {
  const help = answer("--help");
  for (const group of GROUPS) assert.ok(help.includes(`\n${group}:\n`), group);
  for (const { name } of OPTIONS) assert.match(help, new RegExp(`^  --${name}[ ,]`, "m"));
  assert.match(help, /^ {2}--access-log, --no-access-log /m);
  assert.doesNotMatch(help, /^ {2}--no-/m);
  for (const line of help.split("\n")) assert.ok(line.length <= 100, line);
  assert.equal(answer("-h"), help);
});
