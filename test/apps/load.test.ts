import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadApplication, ModuleError, resolveTarget, splitTarget } from "../../src/apps/load.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import { PlainError } from "../../src/runtime/types.ts";

const runtime = await currentRuntime();
const directory = realpathSync(mkdtempSync(join(tmpdir(), "ringcorn-load-")));
after(() => rmSync(directory, { recursive: true, force: true }));

const FILES: Readonly<Record<string, string>> = {
  "app.ts":
    "export default async function main(scope: unknown) { return scope; }\nexport const other = async () => {};\n",
  "both.ts": "export const app = () => 'app';",
  "both.js": "throw new Error('the wrong file');",
  "only.mjs": "export const application = () => {};",
  "named.ts": "export const one = () => {};\nexport const two = () => {};",
  "class.ts":
    "export class App { async run() {} }\nexport default class extends App {}\nexport const make = () => App;",
  "value.ts": "export default 42;\nexport const nothing = null;",
  "factory.ts":
    "export default async () => { await 0; return Object.assign(() => {}, { made: true }); };\n" +
    "export const bad = () => 'text';\nexport function broken() { throw new RangeError('no settings'); }",
  "empty.ts": "const x = 1;",
  "throws.ts": "function connect(): never { throw new TypeError('no database'); }\nconnect();",
  "odd.ts": "throw Object.create(null);",
  "worse.ts": "throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('y'); } });",
  "syntax.ts": "export default function ( {",
  "imports.ts": 'import "./missing-file.ts";\nexport default () => {};',
  "with:colon.ts": "export default () => {};",
  "pkg/deep.ts": "export const make = () => () => {};",
};
for (const [name, text] of Object.entries(FILES)) {
  mkdirSync(join(directory, name, ".."), { recursive: true });
  writeFileSync(join(directory, name), text);
}

const load = (target: string, factory = false) => loadApplication(runtime, { target, appDir: directory, factory });

test("targets are split at the last colon before an identifier", () => {
  for (const [target, path, name] of [
    ["app.ts", "app.ts", undefined],
    ["app.ts:make", "app.ts", "make"],
    ["a:b.ts:c", "a:b.ts", "c"],
    ["a:b.ts", "a:b.ts", undefined],
    ["main:app", "main", "app"],
    [":app", ":app", undefined],
    ["app.ts:", "app.ts:", undefined],
    ["app.ts:größe", "app.ts", "größe"],
  ] as const) {
    assert.deepEqual(splitTarget(target), { path, name }, target);
  }
});

for (const [target, file] of [
  ["./app.ts", "app.ts"],
  ["app", "app.ts"],
  ["./app", "app.ts"],
  ["both", "both.ts"],
  ["only", "only.mjs"],
  ["pkg/deep", "pkg/deep.ts"],
  ["with:colon.ts", "with:colon.ts"],
] as const) {
  test(`${target} is the file ${file}`, async () => {
    assert.equal((await resolveTarget(runtime, target, directory)).file, join(directory, file));
  });
}

test("an absolute path needs no directory", async () => {
  const path = join(directory, "app.ts");
  assert.deepEqual(await resolveTarget(runtime, `${path}:other`, undefined), { file: path, name: "other" });
});

test("a directory is no application file", async () => {
  await assert.rejects(resolveTarget(runtime, "pkg", directory), /^PlainError: There is no application file pkg /);
});

test("a file that this user may not read is told as that", async () => {
  const files = {
    ...runtime,
    openFile: async (path: string) => {
      throw Object.assign(new Error("refused"), { code: path.endsWith("closed.ts") ? "EACCES" : "ENOENT" });
    },
  };
  for (const target of ["closed.ts", "closed:app"]) {
    await assert.rejects(resolveTarget(files, target, directory), (error: unknown) => {
      assert.ok(error instanceof PlainError);
      assert.equal(error.message, `This user may not read the application file closed.ts in ${directory}; allow it.`);
      return true;
    });
  }
});

test("default export, app, application, or by name", async () => {
  assert.equal((await load("app.ts")).name, "main");
  assert.equal((await load("app.ts:other")).name, "other");
  assert.equal((await load("both")).name, "app");
  assert.equal((await load("only")).name, "application");
});

test("a factory is called, also an asynchronous one", async () => {
  assert.ok("made" in (await load("factory.ts", true)));
  assert.equal(typeof (await load("pkg/deep.ts:make", true)), "function");
});

const MISTAKES: readonly (readonly [string, boolean, RegExp])[] = [
  [
    "nothing-like-it.ts",
    false,
    /^There is no application file nothing-like-it\.ts in .*; give the path of a module such as \.\/app\.ts\.$/,
  ],
  ["ap.ts", false, /; did you mean app\.ts\?$/],
  ["App.ts", false, /; did you mean app\.ts\?$/],
  ["app.js", false, /; did you mean app\.ts\?$/],
  ["pkg/deeep.ts:make", false, /; did you mean pkg\/deep\.ts:make\?$/],
  [
    "app.ts:othr",
    false,
    /^The module app\.ts has no export othr: it exports default, other; did you mean app\.ts:other\?$/,
  ],
  ["app.ts:zzzzzz", false, /^The module app\.ts has no export zzzzzz: it exports default, other\.$/],
  [
    "named.ts",
    false,
    /^The module named\.ts has no default export .* \(it exports one, two\); .* as in named\.ts:one\.$/,
  ],
  ["empty.ts", false, /\(it exports nothing\)/],
  [
    "value.ts",
    false,
    /^The default export of value\.ts is of type number; an application is a function \(scope, receive, send\)\.$/,
  ],
  [
    "class.ts",
    false,
    /^The default export of class\.ts is a class; an application is a function \(scope, receive, send\)/,
  ],
  ["class.ts:make", true, /^The export make of class\.ts returned what is a class; an application is a function/],
  ["value.ts:nothing", false, /^The export nothing of value\.ts is null; an application is a function/],
  [
    "value.ts",
    true,
    /^The default export of value\.ts is of type number, not a function that makes an application; leave --factory away\.$/,
  ],
  [
    "factory.ts:bad",
    true,
    /^The export bad of factory\.ts returned what is of type string; an application is a function/,
  ],
];
for (const [target, factory, message] of MISTAKES) {
  test(`mistake: ${target}${factory ? " --factory" : ""}`, async () => {
    await assert.rejects(load(target, factory), (error: unknown) => {
      assert.ok(error instanceof PlainError && !(error instanceof ModuleError));
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"), "one line");
      return true;
    });
  });
}

const FAILURES: readonly (readonly [string, boolean, readonly RegExp[]])[] = [
  [
    "throws.ts",
    false,
    [/^The application throws\.ts failed to load\.\nTypeError: no database\n/, /at .*connect.*throws\.ts:1:\d+/],
  ],
  [
    "odd.ts",
    false,
    [/^The application odd\.ts failed to load\.\nIt threw an error that can't be shown as text, which/],
  ],
  ["worse.ts", false, [/^The application worse\.ts failed to load\.\nan error that can't be shown as text$/]],
  ["syntax.ts", false, [/^The application syntax\.ts failed to load\.\n/, /SyntaxError/, /syntax\.ts:1/]],
  ["imports.ts", false, [/missing-file\.ts/, /imports\.ts/]],
  [
    "factory.ts:broken",
    true,
    [/^The export broken of factory\.ts failed to make the application\.\nRangeError: no settings\n/],
  ],
];
for (const [target, factory, patterns] of FAILURES) {
  test(`the module's own error is shown, without the server's frames: ${target}`, async () => {
    await assert.rejects(load(target, factory), (error: unknown) => {
      assert.ok(error instanceof ModuleError);
      for (const pattern of patterns) assert.match(error.message, pattern);
      assert.doesNotMatch(error.message, /src\/apps\/load\.ts|src\/runtime\//);
      return true;
    });
  });
}
