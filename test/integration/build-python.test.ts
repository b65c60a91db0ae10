/** A Python application served by the executable, with nothing of this tree beside it. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bundleForDeno } from "../../scripts/build/compile.ts";
import { programOf } from "../../scripts/build/program.ts";
import { builtAt, run, servingFrom } from "../harness/executable.ts";
import { installed, type Program } from "../harness/program.ts";
import { ROOT } from "../harness/server.ts";
import { fresh, gone, Site, whoAnswers } from "../harness/site.ts";
import { until } from "../harness/wait.ts";

const site = new Site();
const skip = installed("python3") ? false : "there is no python3";
/** Longer than the stream takes at once. */
const BODY_BYTES = 400_000;

/** Answers `version pid`, the length of a request's body, or nothing that is valid. */
const ASGI = `import json, os
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    if scope["path"] == "/wrong":
        await send({"type": "wrong"})
    text, more = f"v1 {os.getpid()}", scope["method"] == "POST"
    count = 0
    while more:
        event = await receive()
        count, more = count + len(event["body"]), event["more_body"]
        text = json.dumps(count)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text.encode()})
`;
const WSGI = `import json, os
def app(environ, start_response):
    text = f"v1 {os.getpid()}"
    if environ["REQUEST_METHOD"] == "POST":
        text = json.dumps(len(environ["wsgi.input"].read()))
    start_response("200 OK", [("content-length", str(len(text)))])
    return [text.encode()]
`;

/** Alone in its folder. */
const executable = builtAt(site.path("alone/ringcorn"), []);

interface Place {
  readonly cwd: string;
  readonly temporary: string;
  write(text: string): void;
  pids(port: number, count: number, others?: ReadonlySet<number>): Promise<Set<number>>;
}

/** A folder with the application `main.py` and, for a temporary directory, an empty one. */
function place(name: string, text: string): Place {
  const cwd = site.path(name);
  const temporary = site.path(`${name}-tmp`);
  for (const folder of [cwd, temporary]) mkdirSync(folder);
  const write = (text: string): void => void site.write(`${name}/main.py`, text);
  write(text);
  const pids: Place["pids"] = (port, count, others = new Set()) =>
    until(async () => {
      const answers = await Promise.all(Array.from({ length: 4 * count }, () => whoAnswers({ port })));
      const found = new Set(answers.map(({ pid }) => pid));
      return found.size === count && [...found].every((pid) => !others.has(pid)) ? found : undefined;
    }, `${count} workers answer`);
  return { cwd, temporary, write, pids };
}

/** Starts it in the application's folder, and sees that it leaves nothing behind but what Python keeps of that. */
async function serving(
  command: readonly string[],
  at: Place,
  use: (port: number, program: Program) => Promise<void>,
): Promise<void> {
  const env = { TMPDIR: at.temporary, VIRTUAL_ENV: "", PYTHONPATH: "" };
  const before = readdirSync(at.cwd);
  await servingFrom([...command, "main:app"], use, { cwd: at.cwd, env });
  assert.deepEqual(readdirSync(at.temporary), []);
  const after = readdirSync(at.cwd).filter((name) => name !== "__pycache__");
  assert.deepEqual(after, before);
}

/** It answers, and takes a body that is longer than the stream. */
async function answers(port: number): Promise<void> {
  assert.match((await fresh({ port })) ?? "", /^v1 \d+$/);
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "x".repeat(BODY_BYTES) });
  assert.equal(await response.text(), String(BODY_BYTES));
}

for (const [name, text] of [
  ["ASGI", ASGI],
  ["WSGI", WSGI],
] as const) {
  test(`build: the executable alone serves a Python application, ${name}, and leaves nothing`, { skip }, async () => {
    const path = await executable();
    await serving([path], place(name, text), answers);
    assert.deepEqual(readdirSync(join(path, "..")), ["ringcorn"]);
  });
}

test("build: the worker's own imports are not answered by the application's folder", { skip }, async () => {
  const at = place("shadows", ASGI);
  for (const module of ["json", "socket", "struct", "worker", "wire"]) {
    site.write(`shadows/${module}.py`, `raise RuntimeError("${module} of the application")\n`);
  }
  await serving([await executable()], at, answers);
});

test("build: a traceback shows the lines of the worker's modules, as from files", { skip }, async () => {
  await serving([await executable()], place("wrong", ASGI), async (port, program) => {
    assert.equal(await fresh({ port }, "/wrong"), undefined);
    await program.sees(/alone\/ringcorn\/asgi\.py", line \d+, in run\n +result = await app\(/);
    await program.sees(/main\.py", line 6, in app\n +await send\(\{"type": "wrong"\}\)/);
  });
});

test("build: a Python that is too old is told in one sentence", { skip }, async () => {
  const at = place("old", ASGI);
  // One that says so of itself, without an asyncio that the worker could use.
  const claim = "sys.version_info = (3, 6, 15, 'final', 0); sys.version = '3.6.15 (test)'";
  const lacking = "sys.modules['asyncio'] = None";
  const code = `import json, sys; ${claim}; ${lacking}; exec(sys.argv[2])`;
  const old = site.write("old/python", `#!/bin/sh\nexec python3 -c "${code}" "$@"\n`);
  chmodSync(old, 0o755);
  const { code: exit, stderr } = await run([await executable(), "main:app", "--python", old], {}, at.cwd);
  assert.equal(exit, 1);
  assert.match(stderr, /^CRITICAL: \S+ is Python 3\.6\.15; take 3\.9 or later, with --python\.\n$/);
});

test("build: a Python worker that is killed is replaced, and SIGHUP replaces all", { skip }, async () => {
  const at = place("replaced", ASGI);
  let last = new Set<number>();
  await serving([await executable(), "--workers", "2"], at, async (port, program) => {
    const first = await at.pids(port, 2);
    const [victim] = first;
    process.kill(victim, "SIGKILL");
    await gone(victim, "the worker");
    const second = await at.pids(port, 2, new Set([victim]));
    at.write(ASGI.replace("v1", "v2"));
    process.kill(program.process.pid as number, "SIGHUP");
    last = await at.pids(port, 2, second);
    assert.equal((await whoAnswers({ port })).version, "v2");
  });
  for (const pid of last) await gone(pid, "a worker");
});

test("build: --reload serves what was changed of a Python application", { skip }, async () => {
  const at = place("reloaded", ASGI);
  await serving([await executable(), "--reload"], at, async (port) => {
    for (const version of ["v1", "v2", "v3"]) {
      at.write(ASGI.replace("v1", version));
      await until(async () => (await fresh({ port }))?.startsWith(`${version} `), `${version} answers`);
    }
  });
});

test("build:deno: what deno compile is given serves a Python application", { skip }, async () => {
  const folder = site.path("bundle");
  mkdirSync(folder);
  const bundle = await bundleForDeno(programOf(undefined), folder);
  const deno = join(ROOT, "node_modules", ".bin", "deno");
  const command = [deno, "run", "-A", "--unstable-net", "--no-config", bundle];
  await serving(command, place("deno", ASGI), answers);
  assert.deepEqual(readdirSync(folder), ["bundle.mjs"]);
});
