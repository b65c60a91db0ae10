/** The command itself: mistakes and their exit codes, environment and environment file, the access log, script runners. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { output } from "../harness/clients.ts";
import { Program } from "../harness/program.ts";
import { PYTHON } from "../harness/python.ts";
import { RawClient } from "../harness/raw.ts";
import { ROOT, RUNTIMES, Server, serveCommand, withServer } from "../harness/server.ts";
import { appText, fresh, gone, runs, Site, whoAnswers } from "../harness/site.ts";
import { until } from "../harness/wait.ts";

const site = new Site();
const APP = site.write("app.ts", appText("v1"));
site.write(
  "tint.py",
  `import os
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": os.environ.get("TINT", "none").encode()})
`,
);

for (const runtime of RUNTIMES) {
  for (const [args, message] of [
    [["--prot", "1"], /^Error: There is no option --prot; did you mean --port\?\n$/],
    [["--port", "70000"], /^Error: --port must be a whole number from 0 to 65535; it is "70000"\.\n$/],
    [["--header", "a\nb:c"], /^Error: --header must be NAME:VALUE [^\n]*\n$/],
    [["--env-file", "missing.env"], /^Error: The environment file missing\.env can't be read[^\n]*\n$/],
  ] as const) {
    test(`${runtime}: ${args.join(" ").replace("\n", "\\n")}: one sentence, exit code 2`, async () => {
      const server = Server.spawn(runtime, APP, args);
      assert.deepEqual(await server.ended(), { code: 2, signal: null });
      assert.match(server.stderr, message);
      assert.equal(server.stdout, "");
    });
  }

  test(`${runtime}: a wrong variable is named`, async () => {
    const server = Server.spawn(runtime, APP, [], { env: { RINGCORN_BACKLOG: "many" } });
    assert.deepEqual(await server.ended(), { code: 2, signal: null });
    assert.match(server.stderr, /^Error: RINGCORN_BACKLOG must be a whole number [^\n]*it is "many"\.\n$/);
  });

  test(`${runtime}: --help and --version answer on standard output`, async () => {
    const help = Server.spawn(runtime, "--help");
    assert.deepEqual(await help.ended(), { code: 0, signal: null });
    assert.match(help.stdout, /^Usage: ringcorn \[options\] \[app\]\n/);
    const version = Server.spawn(runtime, "--version");
    assert.deepEqual(await version.ended(), { code: 0, signal: null });
    assert.match(version.stdout, new RegExp(`^ringcorn [0-9.]+ \\(${runtime} [0-9.]+\\)\\n$`));
  });

  test(`${runtime}: an application that fails to load shows its own error, exit code 1`, async () => {
    const app = site.write(`fails-${runtime}.ts`, "\nthrow new RangeError('no settings');");
    const server = Server.spawn(runtime, app);
    assert.deepEqual(await server.ended(), { code: 1, signal: null });
    assert.match(server.stderr, /^CRITICAL: The application [^\n]* failed to load\.\n {10}RangeError: no settings\n/);
    assert.match(server.stderr, new RegExp(`fails-${runtime}\\.ts:2:`));
    assert.doesNotMatch(server.stderr, /src\/(cli|apps|runtime)\//);
  });

  test(`${runtime}: an address in use is one sentence, exit code 1`, async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await until(() => other.listening, "the other server listens");
    const { port } = other.address() as { port: number };
    const server = Server.spawn(runtime, APP, ["--port", String(port)]);
    assert.deepEqual(await server.ended(), { code: 1, signal: null });
    assert.match(server.stderr, new RegExp(`^CRITICAL: [^\\n]*${port}[^\\n]*\\n$`));
    other.close();
  });

  test(`${runtime}: command line before environment before environment file`, async () => {
    const file = site.write("order.env", "RINGCORN_ROOT_PATH=/file\nRINGCORN_ACCESS_LOG=no\nSHADE=file\nTINT=file\n");
    const rootPath = async (args: string[], env: Record<string, string>): Promise<string | undefined> =>
      withServer(runtime, APP, args, async (server) => (await fresh(server))?.split(" ")[2], { env });
    const env = { RINGCORN_ROOT_PATH: "/environment" };
    assert.equal(await rootPath(["--env-file", file, "--root-path", "/flag"], env), "/flag");
    assert.equal(await rootPath(["--env-file", file], env), "/environment");
    assert.equal(await rootPath([], { RINGCORN_ENV_FILE: file }), "/file");
    await withServer(
      runtime,
      APP,
      ["--env-file", file],
      async (server) => {
        assert.equal(await fresh(server, "/env?SHADE"), "process");
        assert.equal(await fresh(server, "/env?TINT"), "file");
        await server.stop();
        assert.equal(server.stdout, "", "the file turned the access log off");
      },
      { env: { SHADE: "process" } },
    );
  });

  const piped = (args: readonly string[]): Program => {
    const words = [...serveCommand(runtime), ...args, "--port", "0", "--env-file", "/dev/stdin"];
    return new Program(["sh", "-c", `echo TINT=pipe | ${words.map((word) => `'${word}'`).join(" ")}`]);
  };

  test(`${runtime}: an environment file that is a pipe is read once, for a Python application too`, async () => {
    for (const args of [[APP], ["tint:app", "--app-dir", site.directory, "--python", PYTHON]]) {
      const program = piped(args);
      const [, port] = await program.sees(/http:\/\/127\.0\.0\.1:(\d+)/);
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/env?TINT`)).text(), "pipe", args[0]);
      const [, pid] = await program.sees(/pid (\d+)/);
      process.kill(Number(pid), "SIGTERM");
      assert.equal(await program.exit(), 0);
    }
  });

  test(`${runtime}: ... and refused where several processes would read it`, async () => {
    const program = piped([APP, "--workers", "2"]);
    assert.equal(await program.exit(), 2);
    assert.equal(
      program.stderr,
      "Error: Each process reads /dev/stdin, which can be read only once; write it to a file.\n",
    );
  });

  test(`${runtime}: no .env is read unless it is named, by workers neither`, async () => {
    site.write(".env", "STRAY=yes\nRINGCORN_ROOT_PATH=/stray\n");
    const flags = runtime === "bun" ? ["--no-env-file"] : ["run", "-A", "--unstable-net"];
    const main = [join(ROOT, "node_modules", ".bin", runtime), ...flags, join(ROOT, "src", "cli", "main.ts")];
    for (const workers of ["1", "2"]) {
      const program = new Program([...main, "app.ts", "--port", "0", "--workers", workers], { cwd: site.directory });
      const [, port] = await program.sees(/http:\/\/127\.0\.0\.1:(\d+)/);
      assert.equal(await fresh({ port: Number(port) }, "/env?STRAY"), "undefined");
      assert.match((await fresh({ port: Number(port) })) ?? "", /^v1 \d+ $/);
      assert.equal(await program.stop(), 0);
    }
  });

  test(`${runtime}: --log-level warning leaves the access log out, whose lines say INFO`, async () => {
    // At that level no banner says where it listens.
    const path = site.path(`quiet-${runtime}.sock`);
    for (const [level, lines] of [
      ["warning", /^$/],
      ["info", /^INFO: {5}- - "GET \/seen HTTP\/1\.1" 200 OK\n$/],
    ] as const) {
      const program = new Program([...serveCommand(runtime), APP, "--uds", path, "--log-level", level]);
      await until(() => existsSync(path), "the socket");
      assert.notEqual(await fresh({ path }, "/seen"), undefined);
      assert.equal(await program.stop(), 0);
      assert.match(program.stdout, lines);
    }
  });

  test(`${runtime}: the access log can't be forged`, () =>
    withServer(runtime, APP, [], async (server) => {
      const port = server.port;
      await fresh({ port }, "/%1b[31m%0d%0aINFO:");
      await fresh({ port }, '/"quoted"');
      const client = await RawClient.connect(server.address);
      await client.send(
        Uint8Array.from([...Buffer.from("GET /\x1b[31m\x9b\xff HTTP/1.1\r\nHost: a\r\n\r\n", "latin1")]),
      );
      await client.ended();
      await server.stop();
      const lines = server.stdout.trimEnd().split("\n");
      assert.match(lines[0], /^INFO: {5}127\.0\.0\.1:\d+ - "GET \/%1b\[31m%0d%0aINFO: HTTP\/1\.1" 200 OK$/);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be there
      assert.doesNotMatch(server.stdout + server.stderr, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
      for (const line of lines) assert.match(line, /^INFO: {5}127\.0\.0\.1:\d+ - "[^"]+" \d{3} [A-Z]/);
    }));

  test(`${runtime}: --exit-with-parent leaves with its parent, --no-exit-with-parent stays`, async () => {
    const flags = runtime === "bun" ? ["--no-env-file"] : ["run", "-A", "--unstable-net"];
    const main = [join(ROOT, "node_modules", ".bin", runtime), ...flags, join(ROOT, "src", "cli", "main.ts")];
    for (const flag of ["--exit-with-parent", "--no-exit-with-parent"]) {
      const words = [...main, APP, "--port", "0", flag].map((word) => `'${word}'`).join(" ");
      // The shell stays between the test and the server, as a script runner does.
      const shell = new Program(["sh", "-c", `${words} & wait`], { env: { npm_lifecycle_event: "serve" } });
      const [, port] = await shell.sees(/http:\/\/127\.0\.0\.1:(\d+)/);
      const { pid } = await whoAnswers({ port: Number(port) });
      shell.process.kill("SIGKILL");
      if (flag === "--exit-with-parent") await gone(pid, "the server");
      else {
        await until(() => !runs(shell.process.pid ?? 0), "the shell has ended");
        assert.notEqual(await fresh({ port: Number(port) }), undefined);
        process.kill(pid, "SIGTERM");
        await gone(pid, "the server");
      }
    }
  });
}

const RUNNERS: Readonly<Record<string, readonly string[]>> = {
  "npm run serve": ["npm", "run", "serve", "--"],
  "bun run serve": [join(ROOT, "node_modules", ".bin", "bun"), "run", "serve"],
  "deno task serve": [join(ROOT, "node_modules", ".bin", "deno"), "task", "serve"],
};
for (const [runner, command] of Object.entries(RUNNERS)) {
  for (const [signal, workers] of [
    ["SIGTERM", "1"],
    ["SIGTERM", "2"],
    ["SIGKILL", "1"],
    ["SIGKILL", "2"],
  ] as const) {
    test(`${runner}, ended by ${signal} with ${workers} process(es), leaves none behind`, async () => {
      const program = new Program([...command, APP, "--port", "0", "--workers", workers]);
      const [, port] = await program.sees(/http:\/\/127\.0\.0\.1:(\d+)/);
      const { pid } = await whoAnswers({ port: Number(port) });
      const [, main] = await program.sees(/pid (\d+)/);
      program.process.kill(signal);
      await gone(Number(main), "the server");
      await gone(pid, "the serving process");
    });
  }
}

// Deno itself does not start there.
test("a working directory that has been removed is one sentence, for the server and for a Python worker", async () => {
  const folder = site.path("removed");
  const sentence = "The working directory has been removed; start the server in one that exists.";
  const bun = serveCommand("bun").map((word) => `'${word}'`);
  for (const app of ["app.ts", APP, "tint:app"]) {
    mkdirSync(folder);
    const words = `cd '${folder}' && rmdir '${folder}' && ${bun.join(" ")} '${app}' --port 0`;
    const program = new Program(["sh", "-c", words]);
    assert.equal(await program.exit(), 1);
    assert.equal(program.stderr, `Error: ${sentence}\n`, app);
  }
  const python = `import os, sys
os.mkdir("${folder}"); os.chdir("${folder}"); os.rmdir("${folder}")
sys.path.insert(0, "${join(ROOT, "src", "python")}")
import target
try: target.load("tint:app", None, False)
except target.TargetError as error: print(error.sentence)`;
  assert.equal(await output(PYTHON, ["-c", python]), `${sentence}\n`);
});

// Bun reads some other name.
test("a working directory whose name is not UTF-8 is one sentence on Deno", async () => {
  const sentence = "The working directory's name is not UTF-8; start the server in one whose name is.";
  const deno = serveCommand("deno").map((word) => `'${word}'`);
  for (const app of ["app.ts", "tint:app"]) {
    const folder = `"$(printf '${site.path("caf")}\\351')"`;
    const program = new Program([
      "sh",
      "-c",
      `mkdir -p ${folder} && cd ${folder} && ${deno.join(" ")} '${app}' --port 0`,
    ]);
    assert.equal(await program.exit(), 1);
    assert.equal(program.stderr, `Error: ${sentence}\n`, app);
  }
});

test("what is set for whoever runs these tests is no option of what they start, and no warning in it", async () => {
  const strange = "RINGCORN_POTR";
  process.env[strange] = "1";
  try {
    const named = new Program([...serveCommand("bun"), "missing.ts"]);
    await named.exit();
    assert.match(named.stderr, /^CRITICAL: There is no application file missing\.ts/);
    const told = new Program([...serveCommand("bun"), "missing.ts"], { env: { [strange]: "1" } });
    await told.exit();
    assert.match(told.stderr, /^WARNING: +RINGCORN_POTR is no option's variable; did you mean RINGCORN_PORT\?\n/);
  } finally {
    delete process.env[strange];
  }
});
