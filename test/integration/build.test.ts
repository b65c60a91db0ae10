/** `npm run build` and `npm run build:deno`: each executable is started, and answers. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { bundleForDeno } from "../../scripts/build/compile.ts";
import { bakedApp, programOf } from "../../scripts/build/program.ts";
import { builtAt, npm, type Options, run, servingFrom } from "../harness/executable.ts";
import type { Program } from "../harness/program.ts";
import { onEach, ROOT, serveCommand } from "../harness/server.ts";
import { appText, fresh, gone, Site, whoAnswers } from "../harness/site.ts";
import { until } from "../harness/wait.ts";

const site = new Site();
const BIN = join(ROOT, "node_modules", ".bin");
const DENO = join(BIN, "deno");
const DENORT = process.env.DENORT_BIN;
const USES_LIBRARY = `import { DEFAULT_LIMITS, PlainError, serve } from "ringcorn";
const library = [typeof serve, new PlainError("x").name, DEFAULT_LIMITS.headBytes > 0].join(" ");`;
const LIBRARY = "function PlainError true";

/** Writes a file, with the folders above it. */
function put(name: string, text: string): string {
  mkdirSync(dirname(site.path(name)), { recursive: true });
  return site.write(name, text);
}

/** An application that answers the value of `expression`; `head` stands before it. */
function answering(expression: string, head = ""): string {
  return appText("", head).replace(/const text = .*;/, `const text = String(${expression});`);
}

const built = (name: string, args: readonly string[], script = "build") =>
  builtAt(site.path(`out/${name}`), args, script);
const executable = built("ringcorn", []);

const serving = (
  command: readonly string[],
  use: (port: number, program: Program) => Promise<void>,
  options?: Options,
) => servingFrom(command, use, { cwd: site.directory, ...options });

/** The process ids of two workers. */
async function twoWorkers(port: number): Promise<Set<number>> {
  const pids = new Set<number>();
  await until(async () => pids.add((await whoAnswers({ port })).pid).size === 2, "two workers have answered");
  return pids;
}

test("build: the executable serves the demo", async () => {
  await serving([await executable()], async (port, program) => {
    assert.match((await fresh({ port })) ?? "", /^Hello from Ringcorn on Bun/);
    assert.match(program.stderr, /the built-in demo · pid/);
  });
});

test("build: --help and --version", async () => {
  const help = await run([await executable(), "--help"]);
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /^Usage: ringcorn \[options\] \[app\]\n/);
  const version = await run([await executable(), "--version"]);
  assert.match(version.stdout, /^ringcorn [0-9.]+ \(bun [0-9.]+\)\n$/);
});

test("build: an application by path imports a package of its own, by its tsconfig.json's paths too, and ringcorn", async () => {
  put("apps/node_modules/tiny/package.json", '{"name":"tiny","version":"1.0.0","exports":{"./sub":"./lib/tiny.js"}}');
  put("apps/node_modules/tiny/lib/tiny.js", 'export const tiny = "tiny";');
  put("apps/tsconfig.json", '{"compilerOptions":{"paths":{"@own/*":["./own/*"]}}}');
  put("apps/own/mine.ts", 'export const mine: string = "mine";');
  const imports = `import { tiny } from "tiny/sub";\nimport { mine } from "@own/mine";\n${USES_LIBRARY}`;
  const app = put("apps/app.ts", answering("[tiny, mine, library].join()", imports));
  await serving([await executable(), app], async (port) => {
    assert.equal(await fresh({ port }), `tiny,mine,${LIBRARY}`);
  });
});

test("build: a package that is not installed is an error, not fetched as Bun would", async () => {
  const app = put("lacking/app.ts", 'import "tiny-that-is-not-there";');
  const { code, stderr } = await run([await executable(), app]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^CRITICAL: The application [^\n]* failed to load\.\n[^\n]*Cannot find [^\n]*tiny-that-is-not-there/,
  );
});

test("build: an error of an application is its own, with all of its frames and none of the server's", async () => {
  put("failing/cli/deep.ts", "export function deep(): never { throw new RangeError('no settings'); }");
  const app = put("failing/app.ts", 'import { deep } from "./cli/deep.ts";\ndeep();');
  const { code, stderr } = await run([await executable(), app]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /failed to load\.\n {10}RangeError: no settings\n[^\n]*cli\/deep\.ts:1:\d+\)\n[^\n]*app\.ts:2:1\n$/,
  );
});

/** A folder with everything that Bun reads from the working directory, and a home with what it reads from there. */
function hostile(): Options {
  put("hostile/evil.ts", 'console.error("PRELOADED");');
  const preload = `preload = [${JSON.stringify(site.path("hostile/evil.ts"))}]\n`;
  put("hostile/bunfig.toml", preload);
  put("home/.bunfig.toml", preload);
  for (const name of [".env", ".env.local", ".env.production", ".env.development"]) {
    put(`hostile/${name}`, "STRAY=yes\nRINGCORN_ROOT_PATH=/stray\n");
  }
  return { cwd: site.path("hostile"), env: { HOME: site.path("home"), XDG_CONFIG_HOME: site.path("home") } };
}

test("build: Bun itself runs what lies in the working directory, or the next test shows nothing", async () => {
  const { cwd, env } = hostile();
  const script = put("hostile/look.ts", "console.log(process.env.STRAY);");
  const { stdout, stderr } = await run([join(BIN, "bun"), script], { ...env }, cwd);
  assert.deepEqual([stdout, stderr], ["yes\n", "PRELOADED\n"]);
});

for (const workers of ["1", "2"]) {
  test(`build: nothing of the working directory is run or read, with ${workers} process(es)`, async () => {
    const app = put("hostile/app.ts", answering('[process.env.STRAY, scope.root_path, "end"].join()'));
    await serving(
      [await executable(), app, "--workers", workers],
      async (port, program) => {
        assert.equal(await fresh({ port }), ",,end");
        assert.doesNotMatch(program.stdout + program.stderr, /PRELOADED/);
      },
      hostile(),
    );
  });
}

test("build: --workers 2 serves from two processes, and SIGTERM ends all", async () => {
  const app = put("workers.ts", appText("v1"));
  let pids = new Set<number>();
  await serving([await executable(), app, "--workers", "2"], async (port) => {
    pids = await twoWorkers(port);
  });
  for (const pid of pids) await gone(pid, "a worker");
});

test("build: --reload serves what was changed", async () => {
  const app = put("reload/app.ts", appText("v1"));
  await serving([await executable(), app, "--reload", "--reload-dir", dirname(app)], async (port) => {
    assert.match((await fresh({ port })) ?? "", /^v1 /);
    writeFileSync(app, appText("v2"));
    await until(async () => /^v2 /.test((await fresh({ port })) ?? ""), "the new version answers");
  });
});

put("baked/node_modules/tiny/package.json", '{"name":"tiny","version":"1.0.0","main":"tiny.js"}');
put("baked/node_modules/tiny/tiny.js", 'exports.tiny = "tiny";');
const BAKED_IMPORTS = `import { tiny } from "tiny";\n${USES_LIBRARY}`;
const BAKED = put(
  "baked/app.ts",
  answering("[tiny, library, process.env.NODE_ENV, process.pid].join()", BAKED_IMPORTS),
);
const baked = built("my-app", [BAKED]);

test("build: a baked-in application is served when none is named, as the environment is now", async () => {
  const env = { NODE_ENV: "staging" };
  const check = async (port: number, program: Program): Promise<void> => {
    assert.match((await fresh({ port })) ?? "", new RegExp(`^tiny,${LIBRARY},staging,\\d+$`));
    assert.match(program.stderr, /app\.ts, built in · pid/);
  };
  await serving([await baked()], check, { env });
  await serving([await baked(), "--workers", "2"], check, { env });
});

test("build: an application that is named comes before the baked-in one", async () => {
  const app = put("other.ts", answering("library", USES_LIBRARY));
  await serving([await baked(), app], async (port) => assert.equal(await fresh({ port }), LIBRARY));
});

test("build: a factory by name is baked in", async () => {
  const text = appText("made").replace("export default async function app", "const app = async function");
  const app = put("baked/factory.ts", `${text}\nexport const create = async () => app;`);
  const path = await built("made", [`${app}:create`, "--factory"])();
  await serving([path], async (port) => assert.match((await fresh({ port })) ?? "", /^made /));
});

test("build: what does not serve is not put in its place, and nothing is left", async () => {
  const app = put("baked/throws.ts", "throw new RangeError('no settings');");
  const outfile = put("kept/my-app", "the one before");
  const { code, stdout, stderr } = await npm("build", [app, "--outfile", outfile]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^Error: The executable does not serve, so it was removed; --no-start [\s\S]*RangeError: no settings/,
  );
  assert.equal(readFileSync(outfile, "utf8"), "the one before");
  assert.deepEqual(readdirSync(dirname(outfile)), ["my-app"]);
});

test("build: --no-start builds an application that can't be started yet; then its error names its file", async () => {
  const app = put("baked/needs.ts", `if (!process.env.NEEDED) throw new RangeError("no NEEDED");\n${appText("fed")}`);
  const outfile = site.path("out/needs");
  assert.equal((await npm("build", [app, "--no-start", "--outfile", outfile])).code, 0);
  const { code, stderr } = await run([outfile]);
  assert.equal(code, 1);
  assert.match(stderr, /^CRITICAL: The application needs\.ts, built in failed to load\.\n {10}RangeError: no NEEDED\n/);
  assert.match(stderr, /baked\/needs\.ts:1:/);
  await serving([outfile], async (port) => assert.match((await fresh({ port })) ?? "", /^fed /), {
    env: { NEEDED: "1" },
  });
});

for (const [args, message] of [
  [["missing.ts"], /^Error: There is no application file missing\.ts; [^\n]+\n$/],
  [["main.py"], /^Error: An application of Python's can't be baked in; name it on the executable's command line\.\n$/],
  [["--outfil", "x"], /^Error: [^\n]*--outfil[^\n]*usage: npm run build [^\n]+\n$/],
] as const) {
  test(`build: ${args.join(" ")}: one sentence, exit code 1`, async () => {
    const { code, stderr } = await npm("build", args);
    assert.equal(code, 1);
    assert.match(stderr, message);
  });
}

/** No base binary is in the cache, and none can be fetched. */
const NO_NETWORK = {
  DENO_DIR: site.path("deno-cache"),
  HTTP_PROXY: "http://127.0.0.1:9",
  HTTPS_PROXY: "http://127.0.0.1:9",
  NO_PROXY: "",
};

for (const [name, env, message] of [
  ["without a base binary", {}, /^Error: deno compile can't fetch its base binary; set DENORT_BIN to [^\n]+\n$/],
  [
    "with a base binary that is not there",
    { DENORT_BIN: "/nowhere/denort" },
    /^Error: deno compile can't use [^\n]+\n$/,
  ],
  [
    "with deno itself as the base binary",
    { DENORT_BIN: join(ROOT, "node_modules", "deno", "deno") },
    /^Error: [^\n]+does not serve[^\n]+set DENORT_BIN to[^\n]+\n$/,
  ],
] as const) {
  test(`build:deno ${name}: one sentence, exit code 1, nothing left`, async () => {
    const folder = site.path(`deno-${name.replaceAll(" ", "-")}`);
    const environment: Record<string, string> = { DENORT_BIN: "", ...NO_NETWORK, ...env };
    const { code, stdout, stderr } = await npm("build:deno", ["--outfile", join(folder, "server")], environment);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, message);
    assert.ok(!existsSync(folder));
  });
}

for (const [what, app, answer] of [
  ["demo", undefined, /^Hello from Ringcorn on Deno/],
  ["baked-in application", BAKED, new RegExp(`^tiny,${LIBRARY},`)],
] as const) {
  test(`build:deno: what deno compile is given serves the ${what}`, async () => {
    const folder = site.path(`bundle-${what}`);
    mkdirSync(folder);
    const bundle = await bundleForDeno(programOf(app === undefined ? undefined : bakedApp(app, false)), folder);
    const command = [DENO, "run", "-A", "--unstable-net", "--no-config", bundle];
    await serving(command, async (port) => assert.match((await fresh({ port })) ?? "", answer));
  });
}

test("build:deno: the executable serves the demo", { skip: DENORT ? false : "DENORT_BIN is not set" }, async () => {
  const path = await built("ringcorn-deno", [], "build:deno")();
  await serving([path], async (port) => assert.match((await fresh({ port })) ?? "", /^Hello from Ringcorn on Deno/));
});

onEach((runtime) => {
  test(`${runtime}: from its sources, the command supplies ringcorn to an application elsewhere`, async () => {
    const app = put("elsewhere/app.ts", answering("library", USES_LIBRARY));
    await serving([...serveCommand(runtime), app], async (port) => assert.equal(await fresh({ port }), LIBRARY));
  });
});

test("deno: an import map names the packages of an application elsewhere", async () => {
  const app = put("mapped/app.ts", answering("[tiny, library].join()", BAKED_IMPORTS));
  const tiny = put("mapped/tiny.js", 'export const tiny = "mapped";');
  const imports = { ringcorn: join(ROOT, "src", "index.ts"), tiny };
  const map = put("mapped/import-map.json", JSON.stringify({ imports }));
  const [deno, verb, ...rest] = serveCommand("deno");
  const command = [deno, verb, "--import-map", map, ...rest, app];
  await serving(command, async (port) => assert.equal(await fresh({ port }), `mapped,${LIBRARY}`));
});
