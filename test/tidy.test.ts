/** The rules of the house, enforced: rooms and the one-way stairs between them, sizes, names that must not appear. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { blank, functionsOf, importsOf } from "./harness/source.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const FILE_LINES = 450;
const FUNCTION_LINES = 70;

/** Which rooms a room may import from, besides itself. What is missing here is an arrow that points up. */
const STAIRS: Readonly<Record<string, readonly string[]>> = {
  // The library's entry and the command stand above all rooms.
  "": ["cli", "supervise", "server", "apps", "python", "edge", "observe", "asgi", "channel", "protocol", "runtime"],
  cli: ["supervise", "server", "apps", "python", "observe", "asgi", "runtime"],
  supervise: ["server", "apps", "observe", "asgi", "runtime"],
  edge: ["apps", "observe", "asgi", "channel", "runtime"],
  server: ["observe", "asgi", "channel", "protocol", "runtime"],
  python: ["observe", "asgi", "channel", "runtime"],
  apps: ["python", "observe", "asgi", "runtime"],
  asgi: ["observe", "channel", "protocol", "runtime"],
  observe: ["protocol", "runtime"],
  channel: [],
  protocol: [],
  runtime: [],
};
/** Where a program begins: nothing needs to import these. */
const ENTRIES = ["src/index.ts", "src/cli/main.ts", /^bench\//, /^examples\//, /^bin\//, /^scripts\//];
/** Names of a runtime. A property (`x.process`) or a key (`process:`) is something else. */
const RUNTIME_NAMES = /(?<![.\w$#])(?:Bun|Deno|process|Buffer|require|__dirname|__filename)(?![\w$]|\s*:)/;
const DEFAULT_EXPORT = /\bexport\s+default\b|\bexport\s*\{[^}]*\bas default\b/;
const ANY = /(?::|<|\bas|\||,|=>)\s*any\b(?!\s*[:(])/;
const REGISTERS = /^\s*test\(/m;
/** Paths of one machine and hosts of registries: neither belongs into the tree. */
const MACHINE = /(?:^|[\s"'`(=:])\/(?:wor[k]|roo[t]|far[m]|hom[e]\/\w+)\/|\/tm[p]\/[a-z]+[0-9]{3,}/;
const REGISTRY = /https?:\/\/(?:registr[y]\.|npm\.pk[g]\.|pyp[i]\.org|files\.pythonhoste[d]|[\w.-]*artifactor[y])/;

const listed = spawnSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" });
assert.equal(listed.status, 0, "git ls-files works in the tree");
const tracked = listed.stdout.split("\n").filter((f) => f !== "" && existsSync(join(ROOT, f)));
const scripts = tracked.filter((file) => /\.(ts|mjs)$/.test(file));
const python = tracked.filter((file) => file.endsWith(".py"));
const inSource = scripts.filter((file) => file.startsWith("src/") && file.endsWith(".ts"));
const texts = new Map<string, string>();

function read(file: string): string {
  let text = texts.get(file);
  if (text === undefined) {
    text = readFileSync(join(ROOT, file), "utf8");
    texts.set(file, text);
  }
  return text;
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}

/** `src/asgi/types.ts` -> `asgi`; files directly in src/ -> ``, and so is the program, which supplies the library. */
function roomOf(file: string): string {
  if (file === "src/cli/main.ts") return "";
  const parts = file.split("/");
  return parts.length > 2 ? parts[1] : "";
}

/** The file that a relative import (or `ringcorn`) leads to, from the tree's root; undefined for packages. */
function target(file: string, name: string): string | undefined {
  if (name === "ringcorn") return "src/index.ts";
  return name.startsWith(".") ? normalize(join(dirname(file), name)) : undefined;
}

/** Lines of `files` that match, as `file:line`. */
function matches(files: readonly string[], pattern: RegExp, view = blank): string[] {
  return files.flatMap((file) => {
    const lines = view(read(file)).split("\n");
    return lines.flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}`] : []));
  });
}

test("arrows between rooms point down only", () => {
  const wrong: string[] = [];
  for (const file of inSource) {
    const room = roomOf(file);
    assert.ok(room in STAIRS, `src/${room} is a room that the plan knows`);
    for (const name of importsOf(read(file))) {
      const to = target(file, name);
      if (to === undefined || !to.startsWith("src/")) continue;
      const other = roomOf(to);
      if (other !== room && !STAIRS[room].includes(other)) wrong.push(`${file} -> ${to}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("src imports nothing of the tree outside src", () => {
  const wrong = inSource.flatMap((file) =>
    importsOf(read(file))
      .map((name) => target(file, name))
      .filter((to) => to !== undefined && !/^(src\/|package\.json$)/.test(to))
      .map((to) => `${file} -> ${to}`),
  );
  assert.deepEqual(wrong, []);
});

test("protocol and channel use no package", () => {
  const wrong = inSource
    .filter((file) => ["protocol", "channel"].includes(roomOf(file)))
    .flatMap((file) => importsOf(read(file)).flatMap((name) => (target(file, name) ? [] : [`${file} -> ${name}`])));
  assert.deepEqual(wrong, []);
});

test("only src/runtime names a runtime", () => {
  const others = inSource.filter((file) => roomOf(file) !== "runtime");
  const imported = others.flatMap((file) =>
    importsOf(read(file)).flatMap((name) => (/^(node:|bun(:|$)|deno)/.test(name) ? [`${file} -> ${name}`] : [])),
  );
  assert.deepEqual([...imported, ...matches(others, RUNTIME_NAMES)], []);
});

test("no default exports outside examples and demo apps", () => {
  const files = scripts.filter((file) => !/^(examples\/|test\/apps\/|src\/apps\/demo)/.test(file));
  assert.deepEqual(matches(files, DEFAULT_EXPORT), []);
});

test("no `any`", () => {
  assert.deepEqual(matches(scripts, ANY), []);
});

test(`no file of more than ${FILE_LINES} lines`, () => {
  const long = [...scripts, ...python]
    .map((file) => ({ file, lines: read(file).split("\n").length - 1 }))
    .filter(({ lines }) => lines > FILE_LINES);
  assert.deepEqual(long, []);
});

test(`no function of more than ${FUNCTION_LINES} lines`, () => {
  const long = scripts.flatMap((file) =>
    functionsOf(read(file))
      // What registers tests is a list of them, however long.
      .filter(({ lines, body }) => lines > FUNCTION_LINES && !(file.endsWith(".test.ts") && REGISTERS.test(body)))
      .map(({ line, lines }) => `${file}:${line}: ${lines} lines`),
  );
  assert.deepEqual(long, []);
});

test("every file of src begins with a comment that says what it is for", () => {
  const bare = inSource.filter((file) => !/^(?:#!.*\n)?\/(?:\*\*?|\/)/.test(read(file)));
  assert.deepEqual(bare, []);
});

test("no dead files in src", () => {
  const isEntry = (file: string) =>
    ENTRIES.some((entry) => (entry instanceof RegExp ? entry.test(file) : entry === file));
  const reached = new Set<string>();
  const queue = scripts.filter(isEntry);
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const name of importsOf(read(file))) {
      const to = target(file, name);
      if (to !== undefined && scripts.includes(to)) queue.push(to);
    }
  }
  assert.deepEqual(
    inSource.filter((file) => !reached.has(file)),
    [],
  );
});

test("relative imports name their file, ending included", () => {
  const wrong = scripts.flatMap((file) =>
    importsOf(read(file)).flatMap((name) => {
      const to = target(file, name);
      return to === undefined || existsSync(join(ROOT, to)) ? [] : [`${file} -> ${name}`];
    }),
  );
  assert.deepEqual(wrong, []);
});

test("no machine's paths and no registry's hosts in the text", () => {
  const wrong = tracked.flatMap((file) => {
    // A file that another test made may be gone again.
    const facts = statSync(join(ROOT, file), { throwIfNoEntry: false });
    if (facts === undefined || facts.size > 2_000_000) return [];
    const text = read(file);
    if (text.includes("\0")) return [];
    return [MACHINE, REGISTRY].flatMap((pattern) => {
      const match = pattern.exec(text);
      return match === null ? [] : [`${file}:${lineOf(text, match.index)}: ${match[0].trim()}`];
    });
  });
  assert.deepEqual(wrong, []);
});

test("the checks above see what they are meant to see", () => {
  assert.deepEqual(importsOf('import { a } from "./a.ts";\n// import "./b.ts"\nconst c = await import("./c.ts");'), [
    "./a.ts",
    "./c.ts",
  ]);
  assert.match(blank("const x = Bun.version;"), RUNTIME_NAMES);
  assert.doesNotMatch(blank('const x = "Bun"; // process\nthing.process = `Deno`;'), RUNTIME_NAMES);
  assert.match(blank("const x = `$" + "{Deno.pid}`;"), RUNTIME_NAMES);
  assert.match(blank("let x: any;"), ANY);
  assert.doesNotMatch(blank("const many = anything; // : any"), ANY);
  assert.doesNotMatch(blank('const quote = /["`]/; const b = "Bun";'), RUNTIME_NAMES);
  const body = "  go();\n".repeat(80);
  assert.equal(functionsOf(`function f(a: number): void {\n${body}}\n`)[0].lines, 82);
  assert.equal(functionsOf(`if (a) {\n${body}}\n`).length, 0);
  assert.match(` "${["", "work", "main"].join("/")}/x"`, MACHINE);
});
