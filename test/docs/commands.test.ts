/**
 * Runs every command of the documentation, or its equivalent: servers on a free port, clients against those servers.
 * A command that the list below does not know fails the test.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { installed, Program } from "../harness/program.ts";
import { missing as missingModules } from "../harness/python.ts";
import { ROOT } from "../harness/server.ts";
import { until } from "../harness/wait.ts";
import { allCommands, blocksOf } from "./pages.ts";

type Check =
  /** Starts a server or one of the programs from scratch, which says where it listens; then stops it by SIGTERM. */
  | { readonly serves: true }
  /** Runs against a server that `server`, itself a command, starts; `prints` must appear. */
  | { readonly server: string; readonly prints: RegExp; readonly types?: string }
  /** Runs to its end; `prints` must appear. */
  | { readonly prints: RegExp }
  /** Not run here, and why. */
  | { readonly reason: string };

const serves: Check = { serves: true };
const built: Check = {
  reason: "test/integration/build.test.ts and build-python.test.ts build, and start what was built",
};
const DEMO = "bun run serve";

const CHECKS: Readonly<Record<string, Check>> = {
  "npm ci && npm test": { reason: "it is what runs this test" },
  "npm ci && npm run serve": serves,
  "bun install && bun run serve": serves,
  "npm ci && deno task serve": serves,
  "curl http://127.0.0.1:8000/json": { server: DEMO, prints: /"method": "GET"/ },
  "curl -d hello http://127.0.0.1:8000/echo": { server: DEMO, prints: /^hello$/ },
  "curl -N http://127.0.0.1:8000/stream": { server: DEMO, prints: /chunk 12 of 12/ },
  // Also in the comments of examples; there the test of the examples asks.
  "curl http://127.0.0.1:8000/": { server: DEMO, prints: /^Hello from Ringcorn on / },
  "bun run serve ./app.ts --port 9000": serves,
  "deno task serve ./app.ts --port 9000": serves,
  "curl -d hello http://127.0.0.1:9000/some/path": {
    server: "bun run serve ./app.ts --port 9000",
    prints: /^\/some\/path: 5 bytes$/m,
  },
  "bun run serve --help": { prints: /^Usage: ringcorn/ },

  "bun run serve fastapi_app:app --app-dir examples/python": serves,
  "bun run serve flask_app:app --app-dir examples/python --workers 2": serves,
  "deno task serve django_app:application --app-dir examples/python": serves,
  "bun run serve plain:app --app-dir examples/python --port 9000": serves,

  "bun run serve ./examples/hello.ts": serves,
  "deno task serve ./examples/hello.ts": serves,
  "bun run serve ./examples/hello.ts --workers 4": serves,
  "bun run serve ./examples/hello.ts --reload": serves,
  "bun run serve ./examples/hello.ts --host 127.0.0.1 --port 9000 --log-level warning": {
    reason: "at this level no banner says where it listens; the tests of the command line cover the option",
  },
  "RINGCORN_PORT=9000 bun run serve ./examples/hello.ts": serves,
  "bun run serve ./examples/sse.ts": serves,
  "curl -N http://127.0.0.1:8000/": { server: "bun run serve ./examples/sse.ts", prints: /^id: 2$/m },
  "bun run serve ./examples/upload.ts": serves,
  "head -c 100000000 /dev/zero | curl -T - http://127.0.0.1:8000/": {
    server: "bun run serve ./examples/upload.ts",
    prints: /^100000000 bytes in/,
  },
  "bun run serve ./examples/files.ts": serves,
  "curl http://127.0.0.1:8000/hello.ts": { server: "bun run serve ./examples/files.ts", prints: /export default app;/ },
  "bun run serve ./examples/middleware.ts": serves,
  "curl -i -d hello http://127.0.0.1:8000/": {
    server: "bun run serve ./examples/middleware.ts",
    prints: /^server-timing: app;dur=[\s\S]*^5 bytes in 1 pieces/m,
  },
  "bun run serve ./examples/factory.ts:createApp --factory": serves,
  "bun run serve factory:createApp --factory --app-dir examples": serves,
  "bun run serve ./examples/factory.ts:createApp --factory --reload --reload-dir examples": serves,

  "bun --no-env-file --no-install src/cli/main.ts ./app.ts --host 0.0.0.0 --port 8000": serves,
  "deno run -A --unstable-net src/cli/main.ts ./app.ts --host 0.0.0.0 --port 8000": serves,
  "env DENO_V8_FLAGS=--max-semi-space-size=4 deno run -A --unstable-net src/cli/main.ts ./app.ts": serves,
  "/usr/local/bin/bun --no-env-file --no-install src/cli/main.ts ./app.ts --port 8000 --workers 2": serves,
  "bun run serve ./app.ts --port 8000 --forwarded-allow-ips 127.0.0.1,10.0.0.0/8": serves,
  "bun run serve ./app.ts --uds /run/app/app.sock --uds-mode 660 --forwarded-allow-ips '*'": serves,
  "curl --unix-socket /run/app/app.sock http://localhost/": {
    server: "bun run serve ./app.ts --uds /run/app/app.sock --uds-mode 660 --forwarded-allow-ips '*'",
    prints: /^\/: 0 bytes$/m,
  },
  "bun run serve ./app.ts --workers 4": serves,
  "deno task serve ./app.ts --workers 4": serves,
  "sysctl -w net.ipv4.tcp_migrate_req=1": { reason: "it changes the kernel for the whole machine" },

  "npm run bench -- --list": { prints: /^Suites: {2}micro\/parser, /m },

  "npm run build": built,
  "npm run build -- ./app.ts --outfile dist/my-app": built,
  "dist/ringcorn ./app.ts --port 9000": built,
  "dist/ringcorn ./app.ts --port 9000 --workers 4": built,
  "dist/ringcorn main:app --port 9000": built,
  "dist/my-app --port 9000": built,
  "DENORT_BIN=/opt/deno/denort npm run build:deno": built,
  "npm run build && npm run build:figures": {
    reason: "it measures for a minute; the test of the builds starts the same",
  },
  "deno run -A --unstable-net --import-map ./import-map.json src/cli/main.ts ./app.ts": built,

  "bun examples/from-scratch/1-echo.ts 7000": serves,
  "deno run -A examples/from-scratch/1-echo.ts 7000": serves,
  "telnet 127.0.0.1 7000": {
    server: "bun examples/from-scratch/1-echo.ts 7000",
    prints: /^echo me$/m,
    types: "echo me\n",
  },
  "bun examples/from-scratch/2-requests.ts 7000": serves,
  "deno run -A examples/from-scratch/2-requests.ts 7000": serves,
  "curl -d hello http://127.0.0.1:7000/some/path": {
    server: "bun examples/from-scratch/2-requests.ts 7000",
    prints: /^OK$/m,
  },
  "bun examples/from-scratch/3-asgi.ts 7000": serves,
  "deno run -A examples/from-scratch/3-asgi.ts 7000": serves,
  "curl -d hello http://127.0.0.1:7000/": { server: "bun examples/from-scratch/3-asgi.ts 7000", prints: /^hello$/ },
  "bun examples/from-scratch/3-asgi.ts 7000 examples/hello.ts": serves,
};

mkdirSync(join(ROOT, ".cache"), { recursive: true });
/** In the tree, so that `ringcorn` is found; the README's application lies in it. */
const directory = mkdtempSync(join(ROOT, ".cache", "commands-"));
writeFileSync(join(directory, "app.ts"), blocksOf("README.md").find(({ language }) => language === "ts")?.text ?? "");

const env = { PATH: [join(ROOT, "node_modules", ".bin"), process.env.PATH].join(delimiter) };
const LISTENS = /(https?:\/\/127\.0\.0\.1:(\d+))|unix:(\S+)|Listening on 127\.0\.0\.1:(\d+)/;
const groups: Program[] = [];

after(() => {
  for (const program of groups) program.killGroup();
  rmSync(directory, { recursive: true, force: true });
});

/** The command as it can be run beside others: a free port, loopback, the README's app, a socket of its own. */
function serverCommand(command: string, socket: string): string {
  let line = command
    .replace(/^(?:npm ci|bun install) && /, "")
    .replace("/usr/local/bin/bun", "bun")
    .replace(" ./app.ts", ` ${join(directory, "app.ts")}`)
    .replace("--host 0.0.0.0", "--host 127.0.0.1")
    .replace("--workers 4", "--workers 2")
    .replace("/run/app/app.sock", socket);
  if (line.includes("from-scratch")) return line.replace(" 7000", " 0");
  if (line.includes("RINGCORN_PORT=")) return line.replace("RINGCORN_PORT=9000", "env RINGCORN_PORT=0");
  if (/--port \d+/.test(line)) return line.replace(/--port \d+/, "--port 0");
  if (line.startsWith("npm ")) line += " --";
  return line.includes("--uds") ? line : `${line} --port 0`;
}

interface Running {
  readonly program: Program;
  /** The port, or the path of the Unix socket. */
  readonly where: string;
}

let sockets = 0;
async function start(command: string): Promise<Running> {
  const socket = join(directory, `${++sockets}.sock`);
  const line = serverCommand(command, socket);
  const program = new Program(["sh", "-c", `exec ${line}`], { env, group: true });
  groups.push(program);
  const [, , port, path, barePort] = await program.sees(LISTENS);
  return { program, where: port ?? path ?? barePort };
}

/** Servers that several clients use. */
const shared = new Map<string, Promise<Running>>();
function share(command: string): Promise<Running> {
  const running = shared.get(command) ?? start(command);
  shared.set(command, running);
  return running;
}

/** Whether somebody accepts connections there. */
function answers(where: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where.startsWith("/") ? { path: where } : { host: "127.0.0.1", port: Number(where) });
    const done = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}

async function checkServes(command: string): Promise<void> {
  const { program, where } = await start(command);
  assert.ok(await answers(where), `${command} accepts connections`);
  const code = await program.stop("SIGTERM");
  // npm tells its own end, and the first two programs from scratch know no signals.
  if (!/^npm ci && npm |[12]-\w+\.ts/.test(command)) assert.equal(code, 0);
  // npm passes no signal on: the server leaves by itself when npm has gone.
  await until(async () => !(await answers(where)), `${command} has stopped`);
}

async function checkClient(command: string, check: Extract<Check, { server: string }>): Promise<void> {
  const { where } = await share(check.server);
  const line = command
    .replace(/127\.0\.0\.1([: ])\d+/, (_, separator: string) => `127.0.0.1${separator}${where}`)
    .replace("/run/app/app.sock", where);
  const client = new Program(["sh", "-c", line], { env, group: true });
  groups.push(client);
  if (check.types === undefined) client.finish();
  else {
    await client.sees(/Connected/);
    client.type(check.types);
  }
  await client.sees(check.prints);
  client.killGroup();
  await client.exit();
}

/** The Python packages that an application of the examples needs. */
const PACKAGES = /\b(fastapi|flask|django)_app:/;

/** What a command needs and may be missing. */
function missing(command: string): string | false {
  const needs = PACKAGES.exec(command)?.[1];
  if (needs !== undefined) return missingModules([needs]);
  const needed = command.includes("telnet") ? "telnet" : "curl";
  return installed(needed) ? false : `no ${needed}`;
}

const commands = allCommands();

test("docs: every command is known to this test, and nothing else is", () => {
  const unknown = [...commands].filter(([command]) => !(command in CHECKS));
  assert.deepEqual(unknown, [], "commands without a check");
  assert.deepEqual(
    Object.keys(CHECKS).filter((command) => !commands.has(command)),
    [],
    "checks without a command",
  );
});

for (const [command, pages] of commands) {
  const check = CHECKS[command];
  if (check === undefined || "reason" in check) continue;
  test(`docs: ${command} (${pages[0]})`, { skip: missing(command) }, async () => {
    if ("serves" in check) return checkServes(command);
    if ("server" in check) return checkClient(command, check);
    const program = new Program(["sh", "-c", command], { env });
    program.finish();
    await program.sees(check.prints);
    assert.equal(await program.exit(), 0);
  });
}
