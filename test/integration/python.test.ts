/** The command with a Python application: targets, mistakes, workers, reload; and the examples. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { missing, PYTHON } from "../harness/python.ts";
import { onEach, ROOT, type RuntimeName, Server, withServer } from "../harness/server.ts";
import { pause, until } from "../harness/wait.ts";

const APPS = join(ROOT, "test", "python", "apps");
const EXAMPLES = join(ROOT, "examples", "python");
const CONTRACT = ["--app-dir", APPS, "--python", PYTHON];

const RETRIES = 100;
const RETRY_MS = 50;

function check(name: string, run: () => Promise<void>, skip = missing()): void {
  test(name, { skip }, run);
}

async function text(server: Server, path = "/", init?: RequestInit): Promise<string> {
  return (await fetch(server.url + path, init)).text();
}

const MISTAKES = [
  ["no such attribute", "contract:ap", /contract has no attribute ap; did you mean contract:app\?$/m],
  ["not callable", "contract:SEEN", /contract:SEEN is a dict, which can't be called/],
  ["no such module", "no.such:app", /There is no Python module no\.such in /],
  ["startup fails", "contract:failing", /The application's startup failed: no database$/m],
] as const;

onEach((runtime) => {
  check(`${runtime}: main:app is served by worker processes`, () =>
    withServer(runtime, "contract:app", [...CONTRACT, "--workers", "2"], async (server) => {
      assert.equal(await text(server), "Hello, world!");
      const pids = new Set<unknown>();
      await until(async () => {
        const answers = await Promise.all(Array.from({ length: 8 }, () => text(server, "/seen")));
        for (const answer of answers) pids.add(JSON.parse(answer).pid);
        return pids.size === 2;
      }, "both workers have answered");
      await server.stop();
      for (const pid of pids) assert.throws(() => process.kill(Number(pid), 0), "the workers have ended");
    }),
  );

  check(`${runtime}: workers leave by themselves when the front is killed`, async () => {
    const server = await Server.start(runtime, "contract:app", CONTRACT);
    const { pid } = JSON.parse(await text(server, "/seen"));
    await server.kill();
    await until(() => !alive(pid), "the worker has left");
  });

  check(`${runtime}: lifespan shutdown runs, and the output of the application passes through`, async () => {
    const env = { CONTRACT_SHUTDOWN: "the application says goodbye" };
    const server = await Server.start(runtime, "contract:app", CONTRACT, { env });
    await server.stop();
    assert.match(server.stderr, /^the application says goodbye$/m);
  });

  for (const [name, target, pattern] of MISTAKES) {
    check(`${runtime}: a mistake is one sentence: ${name}`, async () => {
      const server = Server.spawn(runtime, target, CONTRACT);
      const { code } = await server.ended();
      assert.equal(code, 1);
      assert.match(server.stderr, pattern);
    });
  }

  check(`${runtime}: --reload serves the changed code, and recovers from a broken one`, () => reload(runtime));
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function reload(runtime: RuntimeName): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ringcorn-python-"));
  const file = join(folder, "main.py");
  const write = (body: string) =>
    writeFileSync(
      file,
      `async def app(scope, receive, send):
    if scope["type"] == "lifespan": return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": ${body}})
`,
    );
  write('b"first"');
  try {
    const options = ["--app-dir", folder, "--python", PYTHON, "--reload"];
    await withServer(runtime, "main:app", options, async (server) => {
      assert.equal(await text(server), "first");
      write('b"second"');
      await until(async () => (await text(server).catch(() => "")) === "second", "the change is served");
      write("(((");
      await server.sees(/SyntaxError/);
      write('b"third"');
      await until(async () => (await text(server).catch(() => "")) === "third", "the correction is served");
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Example {
  readonly target: string;
  /** The package that it needs. */
  readonly needs?: string;
  /** `METHOD path`, and what the answer matches. Bodies are 1000 bytes. */
  readonly answers: Readonly<Record<string, RegExp>>;
}

const EXAMPLE_RUNS: readonly Example[] = [
  { target: "plain:app", answers: { "GET /": /^Hello from \/\n$/ } },
  { target: "wsgi", answers: { "GET /": /^Hello from \/\n$/ } },
  {
    target: "fastapi_app:app",
    needs: "fastapi",
    answers: {
      "GET /": /Hello from FastAPI/,
      "GET /items/5?q=a": /^{"number":5,"q":"a"}$/,
      "GET /items/five": /int_parsing/,
      "POST /upload": /^{"bytes":1000}$/,
      "GET /events": /^data: 0\n\ndata: 1\n\ndata: 2\n\n$/,
      "POST /later": /accepted/,
      "GET /done": /^{"done":1}$/,
    },
  },
  {
    target: "starlette_app:app",
    needs: "starlette",
    answers: { "GET /": /Starlette/, "POST /echo": /1000/, "GET /static/starlette_app.py": /StaticFiles\(directory/ },
  },
  { target: "chat:app", needs: "fastapi", answers: { "GET /": /new WebSocket\(/ } },
  { target: "quart_app:app", needs: "quart", answers: { "GET /": /Quart/, "POST /echo": /1000/ } },
  {
    target: "flask_app:app",
    needs: "flask",
    answers: { "GET /": /Flask/, "POST /echo": /1000/, "GET /stream": /^0\n1\n2\n$/ },
  },
  {
    target: "django_app",
    needs: "django",
    answers: { "GET /": /Django/, "POST /echo": /1000/, "GET /stream": /^0\n1\n2\n$/ },
  },
  {
    target: "django_app:wsgi",
    needs: "django",
    answers: { "GET /": /Django/, "POST /echo": /1000/, "GET /stream": /^0\n1\n2\n$/ },
  },
];

async function answersAll(server: Server, answers: Example["answers"]): Promise<void> {
  for (const [request, pattern] of Object.entries(answers)) {
    const [method, path] = request.split(" ");
    const body = method === "POST" ? "x".repeat(1000) : undefined;
    const headers = { "content-type": "application/octet-stream" };
    const ask = () => text(server, path, { method, body, headers });
    let answer = await ask();
    // What a background task does is seen a moment after the answer that started it.
    for (let i = 0; i < RETRIES && method === "GET" && !pattern.test(answer); i++) {
      await pause(RETRY_MS);
      answer = await ask();
    }
    assert.match(answer, pattern, request);
  }
}

for (const { target, needs, answers } of EXAMPLE_RUNS) {
  onEach((runtime) => {
    const run = () =>
      withServer(runtime, target, ["--app-dir", EXAMPLES, "--python", PYTHON], (server) => answersAll(server, answers));
    check(`${runtime}: the example ${target} answers`, run, missing(needs === undefined ? [] : [needs]));
  });
}

test("every Python example is run", () => {
  const files = readdirSync(EXAMPLES).filter((file) => file.endsWith(".py"));
  const run = new Set(EXAMPLE_RUNS.map(({ target }) => `${target.split(":")[0]}.py`));
  assert.deepEqual(
    files.filter((file) => !run.has(file)),
    [],
  );
});
