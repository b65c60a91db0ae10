/** The command's options for Python applications, each seen to reach the application. Both runtimes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { missing, PYTHON } from "../harness/python.ts";
import { onEach, ROOT, Server, type StartOptions, withServer } from "../harness/server.ts";

const APPS = join(ROOT, "test", "python", "apps");
const skip = missing();
const folder = realpathSync(mkdtempSync(join(tmpdir(), "ringcorn-options-")));
after(() => rmSync(folder, { recursive: true }));

async function ask(server: Server, path = "/"): Promise<unknown> {
  return (await fetch(server.url + path)).json();
}

interface Case {
  readonly target: string;
  readonly args: readonly string[];
  readonly answer: unknown;
}

const AUTO_LOOP = missing(["uvloop"]) === false ? "uvloop" : "asyncio";
const STARTED = ["lifespan.startup"];

const CASES: readonly Case[] = [
  { target: "options:app", args: [], answer: { loop: AUTO_LOOP, started: STARTED } },
  { target: "options:app", args: ["--loop", "asyncio"], answer: { loop: "asyncio", started: STARTED } },
  { target: "options:app", args: ["--lifespan", "off"], answer: { loop: AUTO_LOOP, started: [] } },
  { target: "options:app", args: ["--lifespan", "on"], answer: { loop: AUTO_LOOP, started: STARTED } },
  { target: "options:app", args: ["--interface", "asgi"], answer: { loop: AUTO_LOOP, started: STARTED } },
  { target: "options:create", args: ["--factory"], answer: { name: "made" } },
  { target: "options:create()", args: [], answer: { name: "made" } },
  { target: "options:create", args: [], answer: { name: "made" } },
  { target: "options:Double", args: [], answer: { double: "/" } },
  { target: "options:Double", args: ["--interface", "asgi2"], answer: { double: "/" } },
  { target: "options:threads", args: ["--threads", "3"], answer: { threads: 3 } },
  { target: "options:threads", args: ["--threads", "3", "--interface", "wsgi"], answer: { threads: 3 } },
  { target: "./options.py:app", args: ["--loop", "asyncio"], answer: { loop: "asyncio", started: STARTED } },
];

const ODD_INI = join(folder, "odd.ini");
writeFileSync(ODD_INI, "[server]\nport=1\n");
const ODD_JSON = join(folder, "odd.json");
writeFileSync(ODD_JSON, '{"version":1,"handlers":{"out":{"class":"nowhere.Handler"}},"root":{"handlers":["out"]}}');

const MISTAKES: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["options:app", ["--interface", "wsgi"], /options:app is an async application, which --interface wsgi can't serve/],
  ["options:threads", ["--interface", "asgi"], /options:threads takes two arguments, as WSGI applications do/],
  ["options:create", ["--lifespan", "on"], /The application's startup failed: AssertionError/],
  ["options:app", ["--python", "/nowhere/python"], /There is no Python at \/nowhere\/python; check --python\./],
  ["options:app", ["--log-config", "/nowhere/x.json"], /--log-config \/nowhere\/x\.json can't be used: .*No such file/],
  ["options:app", ["--log-config", ODD_INI], /odd\.ini can't be used: it has no 'formatters'\.\n/],
  ["options:app", ["--log-config", ODD_JSON], /odd\.json can't be used: Unable to configure handler 'out': .*nowhere/],
  ["options:app", ["--log-config", folder], /can't be used: .*Is a directory/],
];

onEach((runtime) => {
  const server = (
    target: string,
    args: readonly string[],
    use: (server: Server) => Promise<void>,
    more?: StartOptions,
  ) => withServer(runtime, target, ["--app-dir", APPS, "--python", PYTHON, ...args], use, more);

  for (const { target, args, answer } of CASES) {
    test(`${runtime}: ${[target, ...args].join(" ")}`, { skip }, () =>
      server(target, args, async (server) => assert.deepEqual(await ask(server), answer)),
    );
  }

  for (const [target, args, pattern] of MISTAKES) {
    test(`${runtime}: a mistake: ${[target, ...args].join(" ").replace(folder, "folder")}`, { skip }, async () => {
      const options = ["--app-dir", APPS, "--python", PYTHON, ...args];
      const { server, code } = await ended(Server.spawn(runtime, target, options));
      assert.equal(code, 1);
      assert.match(server.stderr, pattern);
      assert.doesNotMatch(server.stderr, /src\/python|RuntimeWarning/, "nothing of the server's own");
    });
  }

  test(`${runtime}: what the application writes passes through, in its order and unchanged`, { skip }, () =>
    server(
      "options:app",
      ["--no-access-log"],
      async (server) => {
        await ask(server, "/talk");
        await server.sees(/ohne Ende/);
        const lines = Array.from({ length: 100 }, (_, i) => `printed ${i}\nwritten ${i}\nlogged ${i}\n`).join("");
        const end = "grüße\tund \x1b[1mfett\x1b[0m ohne Ende";
        assert.equal(server.stdout.slice(server.stdout.indexOf("printed 0")), lines + end);
      },
      // Python's own buffering, and one pipe for both streams.
      { env: { PYTHONUNBUFFERED: "" }, shell: "exec 2>&1;" },
    ),
  );

  test(`${runtime}: --log-config sets up Python's logging, from JSON and from INI`, { skip }, async () => {
    const json = join(folder, "logging.json");
    const handler = { class: "logging.StreamHandler", formatter: "short" };
    const short = { format: "[%(levelname)s %(name)s] %(message)s" };
    const root = { level: "INFO", handlers: ["err"] };
    writeFileSync(json, JSON.stringify({ version: 1, formatters: { short }, handlers: { err: handler }, root }));
    const ini = join(folder, "logging.ini");
    writeFileSync(
      ini,
      "[loggers]\nkeys=root\n[handlers]\nkeys=err\n[formatters]\nkeys=short\n" +
        "[logger_root]\nlevel=INFO\nhandlers=err\n[handler_err]\nclass=StreamHandler\nformatter=short\nargs=()\n" +
        "[formatter_short]\nformat=[%(levelname)s %(name)s] %(message)s\n",
    );
    for (const path of [json, ini]) {
      await server("options:app", ["--log-config", path], async (server) => {
        await server.sees(/^\[INFO options\.start\] the application starts$/m);
      });
    }
  });

  test(`${runtime}: a Python that is too old is told in one sentence`, { skip }, async () => {
    // No such Python may be at hand: one that says so of itself.
    const program = join(folder, `python-${runtime}`);
    const claim = "sys.version_info = (3, 6, 15, 'final', 0); sys.version = '3.6.15 (test)'; del sys.argv[0]";
    // It has no asyncio that the worker could use.
    const lacking = "sys.modules['asyncio'] = None";
    const code = `import json, runpy, sys; ${claim}; ${lacking}; runpy.run_path(sys.argv[0], run_name='__main__')`;
    writeFileSync(program, `#!/bin/sh\nexec ${PYTHON} -c "${code}" "$@"\n`, { mode: 0o755 });
    const { server, code: exit } = await ended(
      Server.spawn(runtime, "options:app", ["--app-dir", APPS, "--python", program]),
    );
    assert.equal(exit, 1);
    assert.match(server.stderr, /^CRITICAL: \S+ is Python 3\.6\.15; take 3\.9 or later, with --python\.\n$/);
  });

  test(`${runtime}: an environment in the working directory is taken, and not one that is broken`, {
    skip,
  }, async () => {
    const site = join(folder, runtime);
    mkdirSync(join(site, ".venv", "bin"), { recursive: true });
    const python = join(site, ".venv", "bin", "python");
    const real = spawnSync(PYTHON, ["-c", "import sys; print(sys._base_executable)"], { encoding: "utf8" });
    symlinkSync(real.stdout.trim(), python);
    writeFileSync(join(site, ".venv", "pyvenv.cfg"), `home = ${join(real.stdout.trim(), "..")}\n`);
    writeFileSync(
      join(site, "where.py"),
      "import sys\ndef app(environ, start):\n start('200 OK', [])\n return [sys.prefix.encode()]\n",
    );
    const more = { cwd: site, env: { VIRTUAL_ENV: "" } };
    await withServer(
      runtime,
      "where:app",
      [],
      async (server) => assert.equal(await (await fetch(server.url)).text(), join(site, ".venv")),
      more,
    );
    rmSync(python);
    symlinkSync("/nowhere/python3", python);
    const { server, code } = await ended(Server.spawn(runtime, "where:app", [], more));
    assert.equal(code, 1);
    assert.match(server.stderr, /The virtual environment \.venv stands here, but its bin\/python leads nowhere/);
  });
});

async function ended(server: Server): Promise<{ server: Server; code: number | null }> {
  const { code } = await server.ended();
  return { server, code };
}
