/** The real worker behind the real server: requests over sockets, on the runtime that runs this file. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ServerHandle, serve } from "../../src/index.ts";
import type { Logger } from "../../src/observe/log.ts";
import { type PythonApp, type PythonOptions, startPythonApp } from "../../src/python/app.ts";
import * as wire from "../../src/python/wire.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import { spawnStream } from "../../src/runtime/stream-child.ts";
import { RawClient, request } from "../harness/raw.ts";
import { gone } from "../harness/site.ts";
import { pause, until, within } from "../harness/wait.ts";

const APPS = fileURLToPath(new URL("./apps/", import.meta.url));
const hasPython = spawnSync("python3", ["--version"]).status === 0;
const runtime = await currentRuntime();
const MEGABYTE = 1024 * 1024;

interface Site {
  readonly python: PythonApp;
  readonly server: ServerHandle;
  readonly url: string;
  readonly log: string[];
}

const sites: Promise<Site>[] = [];
after(async () => {
  for (const site of sites) await (await site.catch(() => undefined))?.server.stop();
});

function start(target: string, options: Partial<PythonOptions> = {}): Promise<Site> {
  const site = open(target, options);
  sites.push(site);
  return site;
}

async function open(target: string, options: Partial<PythonOptions>): Promise<Site> {
  const log: string[] = [];
  const say = (text: string) => void log.push(text);
  const logger = { trace: say, debug: say, info: say, warning: say, error: say, critical: say } as unknown as Logger;
  const python = await startPythonApp(runtime, logger, { target, appDir: APPS, loop: "asyncio", ...options });
  const server = await serve(python.app, {
    port: 0,
    lifespan: "on",
    accessLog: false,
    logger,
    gracefulTimeoutMs: 5000,
  });
  return { python, server, log, url: `http://127.0.0.1:${server.address.port}` };
}

let shared: Promise<Site> | undefined;
const contract = (): Promise<Site> => {
  shared ??= start("contract:app");
  return shared;
};

function check(name: string, run: () => Promise<void>): void {
  test(name, { skip: hasPython ? false : "python3 is not installed" }, run);
}

async function seen(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${url}/seen`)).json()) as Record<string, unknown>;
}

check("a hello from Python", async () => {
  const { url } = await contract();
  const response = await fetch(url);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "Hello, world!");
});

check("the scope arrives whole", async () => {
  const { url, server } = await contract();
  const response = await fetch(`${url.replace("127.0.0.1", "127.0.0.1")}/scope?q=%20`, { headers: { "X-One": "1" } });
  const scope = (await response.json()) as Record<string, unknown>;
  assert.equal(scope.type, "http");
  assert.equal(scope.method, "GET");
  assert.equal(scope.path, "/scope");
  assert.equal(scope.query_string, "q=%20");
  assert.deepEqual(scope.state, { started: true });
  assert.deepEqual(scope.server, ["127.0.0.1", server.address.port]);
  assert.ok((scope.headers as string[][]).some(([name, value]) => name === "x-one" && value === "1"));
});

check("a body is streamed through and back", async () => {
  const { url } = await contract();
  const body = new Uint8Array(2 * MEGABYTE).map((_, i) => (i * 31) % 251);
  const response = await fetch(`${url}/echo`, { method: "POST", body });
  const back = new Uint8Array(await response.arrayBuffer());
  assert.equal(Buffer.compare(back, body), 0);
});

check("many bodies of more than a record go through at once, each its own way", async () => {
  const { url } = await contract();
  const answers = Array.from({ length: 40 }, async (_, number) => {
    const body = new Uint8Array(20_000 + 5_000 * number).map((_, i) => (i * 31 + number) % 251);
    const response = await fetch(`${url}/echo`, { method: "POST", body });
    assert.equal(Buffer.compare(new Uint8Array(await response.arrayBuffer()), body), 0, `body ${number}`);
  });
  await within(Promise.all(answers), "all answers");
});

check("a request that waits for a worker with its body is given up when its client goes", async () => {
  const { server, python } = await start("contract:app", { concurrency: 1 });
  const head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n";
  const open = async (text: string) => {
    const client = await RawClient.connect({ host: "127.0.0.1", port: server.address.port });
    await client.send(text);
    return client;
  };
  const first = await open("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => python.pool.workers[0].inFlight === 1, "the first is served");
  const clients = [await open(head + "x".repeat(5_000)), await open(head + "x".repeat(50_000)), await open(head)];
  await until(() => python.pool.waiting === 3, "the others wait");
  clients[0].close();
  await until(() => python.pool.waiting === 2, "a part of the body, then the client's end");
  clients[1].reset();
  await until(() => python.pool.waiting === 1, "the client's reset behind the whole body");
  clients[2].reset();
  await until(() => python.pool.waiting === 0, "the client's reset before the body");
  first.close();
  await until(() => python.pool.workers[0].inFlight === 0, "the first is over");
});

check("a chunked upload with Expect is asked for and counted", async () => {
  const { server } = await contract();
  const client = await RawClient.connect({ host: "127.0.0.1", port: server.address.port });
  await client.send("POST /count HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  await client.sees("100 Continue");
  await client.send("5\r\nhello\r\n", "6\r\n world\r\n0\r\n\r\n");
  await client.sees("\r\n\r\n11");
  client.close();
});

check("a large download arrives whole", async () => {
  const { url } = await contract();
  const response = await fetch(`${url}/stream?20`);
  assert.equal((await response.arrayBuffer()).byteLength, 20 * MEGABYTE);
});

check("trailers, early hints and a file", async () => {
  const { server, url } = await contract();
  const client = await RawClient.connect({ host: "127.0.0.1", port: server.address.port });
  await client.send("GET /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
  await client.sees("x-sum: 1\r\n\r\n");
  assert.match(client.unparsed(), /^HTTP\/1\.1 103 .*\r\nlink: <\/a\.css>/);
  client.close();
  assert.equal(await (await fetch(`${url}/path`)).text(), readFileSync(`${APPS}contract.py`, "utf8"));
});

check("receive tells at once that the client has gone", async () => {
  const { server, url, python } = await contract();
  const before = Number((await seen(url)).disconnects);
  const client = await RawClient.connect({ host: "127.0.0.1", port: server.address.port });
  await client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => python.pool.workers[0].inFlight > 0, "the request has started");
  client.reset();
  await until(async () => Number((await seen(url)).disconnects) === before + 1, "the application saw it");
});

check("send raises OSError when the client has gone", async () => {
  const { server, url } = await contract();
  const before = Number((await seen(url)).oserrors);
  const client = await RawClient.connect({ host: "127.0.0.1", port: server.address.port });
  await client.send("GET /stream?1000 HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.sees("200 OK");
  client.reset();
  await until(async () => Number((await seen(url)).oserrors) === before + 1, "the application saw it");
});

check("what can't be sent comes back as an error", async () => {
  const { url } = await contract();
  const response = await fetch(`${url}/refused`);
  assert.equal(response.status, 500);
  await until(async () => (await seen(url)).refused !== undefined, "the application was told");
});

check("an exception is a 500, and the worker lives on", async () => {
  const { url } = await contract();
  const { pid } = await seen(url);
  assert.equal((await fetch(`${url}/boom`)).status, 500);
  assert.equal((await seen(url)).pid, pid);
});

check("a stalled download holds up nobody", async () => {
  const { server, url, python } = await contract();
  const client = await RawClient.connect({ host: "127.0.0.1", port: server.address.port });
  client.socket.pause();
  await client.send("GET /stream?1000 HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => python.pool.workers[0].inFlight > 0, "the download has begun");
  for (let round = 0; round < 10; round++) {
    const answers = await within(Promise.all(Array.from({ length: 20 }, () => fetch(url))), "twenty answers");
    for (const answer of answers) assert.equal(await answer.text(), "Hello, world!");
  }
  client.reset();
  await until(() => python.pool.workers[0].inFlight === 0, "the download has been given up");
});

check("heartbeats arrive", async () => {
  const { python } = await contract();
  const beat = await until(() => python.pool.workers[0].pulse.last, "a heartbeat");
  assert.ok(beat.cpuMs > 0);
});

check("a killed worker: 502, then another one serves, and the connection lives on", async () => {
  const { server, url } = await start("contract:app");
  const client = await RawClient.connect({ host: "127.0.0.1", port: server.address.port });
  await client.send("GET /die HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.response()).status, 502);
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.response()).status, 200);
  client.close();
  const cut = await RawClient.connect({ host: "127.0.0.1", port: server.address.port });
  await cut.send("GET /die-begun HTTP/1.1\r\nHost: a\r\n\r\n");
  await cut.sees("begun");
  await cut.ended();
  assert.doesNotMatch(cut.unparsed(), /\r\n0\r\n\r\n$/, "no end is pretended");
  assert.equal((await fetch(url)).status, 200);
});

check("draining ends the worker's process", async () => {
  const { python } = await open("contract:app", {});
  const [worker] = python.pool.workers;
  await within(python.pool.stop(), "the worker's exit");
  assert.equal(worker.exited, true);
  assert.throws(() => process.kill(worker.pid, 0));
});

check("a worker leaves by itself when its stream ends", async () => {
  const ready = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<number | null>();
  const child = spawnStream({
    command: ["python3", fileURLToPath(new URL("../../src/python/start.py", import.meta.url))],
    env: { ...process.env } as Record<string, string>,
    onData: () => ready.resolve(),
    onDrain: () => {},
    onEnd: () => {},
    onExit: (code) => exited.resolve(code),
  });
  const hello = new wire.RecordBuffer(64);
  const settings = JSON.stringify({ target: "contract:app", appDir: APPS, loop: "asyncio" });
  hello.record(wire.HELLO, 0, 0, 1, new TextEncoder().encode(settings));
  let sent = 0;
  while (sent < hello.length) {
    sent += child.write(hello.bytes, sent, hello.length);
    await pause(1);
  }
  await within(ready.promise, "READY");
  child.close();
  assert.equal(await within(exited.promise, "the worker's exit"), 0);
});

check("SIGTERM to a worker brings a successor, and no request fails", async () => {
  const { url, python } = await start("contract:app");
  const { pid } = await seen(url);
  process.kill(Number(pid), "SIGTERM");
  await until(async () => (await seen(url)).pid !== pid, "the successor answers");
  await until(() => python.pool.workers.length === 1, "the old one has left");
});

check("WSGI: a streamed input, and a file", async () => {
  const { url, python } = await start("contract:wsgi", { threads: 2 });
  assert.equal(python.facts?.interface, "wsgi");
  const body = new Uint8Array(MEGABYTE);
  assert.equal(await (await fetch(url, { method: "POST", body })).text(), `wsgi ${MEGABYTE}`);
  assert.equal(await (await fetch(`${url}/file`)).text(), readFileSync(`${APPS}contract.py`, "utf8"));
});

check("WSGI: a forked child that goes on as if it were the worker answers nobody", async () => {
  const { url } = await start("faults:wsgi", { threads: 2 });
  assert.equal(await (await fetch(url)).text(), "the parent's");
});

check("a factory", async () => {
  const { python } = await start("contract:factory()");
  assert.equal(python.facts?.interface, "asgi");
});

const MISTAKES: readonly (readonly [Partial<PythonOptions> & { target: string }, RegExp])[] = [
  [{ target: "no_such:app" }, /There is no Python module no_such in /],
  [{ target: "contract:ap" }, /has no attribute ap; did you mean contract:app\?$/],
  [{ target: "contract:SEEN" }, /is a dict, which can't be called/],
  [{ target: "contract:failing" }, /startup failed: no database/],
  [
    { target: "contract:failing_at_length" },
    /The application's startup failed\.\n(?:.*\n)+ConnectionRefusedError: 沒有數據庫$/,
  ],
  [{ target: "contract:app", python: "no-such-python" }, /There is no Python at no-such-python/],
  [{ target: "contract:app", appDir: "/nowhere" }, /There is no Python module contract in \/nowhere /],
];

for (const [options, message] of MISTAKES) {
  check(`a mistake is one sentence: ${JSON.stringify(options)}`, async () => {
    await assert.rejects(open(options.target, options), message);
  });
}

check("many small requests on one connection, answered in order", async () => {
  const { server } = await contract();
  const client = await RawClient.connect({ host: "127.0.0.1", port: server.address.port });
  const paths = Array.from({ length: 50 }, (_, i) => `/scope?${i}`);
  await client.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
  for (const path of paths) {
    const response = await client.response();
    assert.equal(JSON.parse(Buffer.from(response.body).toString()).query_string, path.slice(7));
  }
  client.close();
  assert.equal((await request({ host: "127.0.0.1", port: server.address.port }, "/")).status, 200);
});

for (const step of ["import", "startup", "stubborn"]) {
  check(`a worker that is dropped while it loads (${step}) ends what it has started, or is killed`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "ringcorn-"));
    after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "pids");
    let named = "";
    const env = () => ({ ...(process.env as Record<string, string>), CHILD_FILE: named });
    const { python } = await start("children:app", { reload: true, env });
    named = `${file}:${step}`;
    python.pool.reload();
    const text = await until(
      () => (existsSync(file) ? /^.+\n$/.exec(readFileSync(file, "utf8")) : null),
      "it has a child",
    );
    const [worker, child] = text[0].split(" ").map(Number);
    named = "";
    python.pool.reload();
    await gone(worker, "the worker");
    if (step === "stubborn") process.kill(child, "SIGKILL");
    else await gone(child, "its child");
  });
}
