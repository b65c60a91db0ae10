/** Files that an application names: it may remove them behind `send`, and its worker may leave, or die, before they are sent. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ClientDisconnected } from "../../src/asgi/errors.ts";
import { serve } from "../../src/index.ts";
import { startPythonApp } from "../../src/python/app.ts";
import * as wire from "../../src/python/wire.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import { missing, PYTHON } from "../harness/python.ts";
import { RawClient } from "../harness/raw.ts";
import { until } from "../harness/wait.ts";
import { type Bench, end, send, start } from "./bench.ts";
import { type FakeClient, type FakeWorker, turn } from "./fake.ts";

const MEGABYTE = 1024 * 1024;
const APPS = fileURLToPath(new URL("./apps/", import.meta.url));
const START = "\xc8\0\0\0\0\0";

/** A file on its way to a client that has not taken it yet; `take` settles what `send` waits for. */
async function underWay(
  flags = 0,
): Promise<{ bench: Bench; worker: FakeWorker; client: FakeClient; take: () => void }> {
  const bench = await start();
  const [worker] = bench.workers;
  const client = send(bench.pool);
  await turn();
  const { promise, resolve } = Promise.withResolvers<void>();
  client.stalled = promise;
  worker.say(wire.RESPONSE, wire.MORE | flags, 1, START);
  worker.say(wire.PATHSEND, wire.LAST | wire.MORE, 1, "/a/file");
  await turn();
  return { bench, worker, client, take: resolve };
}

const credits = (worker: FakeWorker) => worker.of(wire.CREDIT).map(({ id, payload }) => [id, ...payload]);

test("the worker is told once when the file is open", async () => {
  const { bench, worker, client, take } = await underWay();
  assert.deepEqual(credits(worker), []);
  const event = client.sent.at(-1);
  assert.ok(event?.type === "http.response.pathsend");
  event.opened?.();
  await turn();
  assert.deepEqual(credits(worker), [[1, wire.FILE_OPEN, 0, 0, 0]]);
  assert.equal(client.outcome, "pending");
  take();
  await turn();
  assert.deepEqual([credits(worker).length, client.outcome], [1, "settled"]);
  await end(bench);
});

test("a server in front that says nothing of files: the worker is told when it has been sent", async () => {
  const { bench, worker, take } = await underWay();
  take();
  await turn();
  assert.deepEqual(credits(worker), [[1, wire.FILE_OPEN, 0, 0, 0]]);
  await end(bench);
});

test("a worker that does not wait for the file's opening is not told of it", async () => {
  const bench = await start();
  const [worker] = bench.workers;
  const client = send(bench.pool);
  await turn();
  worker.say(wire.RESPONSE, wire.MORE, 1, START);
  worker.say(wire.PATHSEND, wire.LAST, 1, "/a/file");
  await turn();
  const event = client.sent.at(-1);
  assert.ok(event?.type === "http.response.pathsend");
  event.opened?.();
  await turn();
  assert.deepEqual([credits(worker), client.outcome], [[], "settled"]);
  await end(bench);
});

test("trailers behind a file: the worker is told when it has been sent", async () => {
  const { bench, worker, client, take } = await underWay(wire.TRAILERS);
  assert.equal((client.sent.at(-1) as { opened?: unknown }).opened, undefined);
  assert.deepEqual(credits(worker), []);
  take();
  await turn();
  assert.deepEqual(credits(worker), [[1, wire.FILE_OPEN, 0, 0, 0]]);
  worker.say(wire.RESPONSE_TRAILERS, wire.LAST, 1, START);
  await turn();
  assert.equal(client.outcome, "settled");
  await end(bench);
});

test("the end of a worker whose file is on its way cuts nothing, and its place is free meanwhile", async () => {
  const { bench, worker, client, take } = await underWay();
  assert.equal(bench.pool.workers[0].inFlight, 0);
  worker.exit(null, "SIGKILL");
  await turn();
  assert.equal(client.outcome, "pending");
  take();
  await turn();
  assert.equal(client.outcome, "settled");
  await end(bench);
});

test("a file that can't be sent: the worker is told why", async () => {
  for (const [error, type, outcome] of [
    [new Error("no such file"), wire.REFUSED, /ApplicationFailed: Error: no such file/],
    [new ClientDisconnected(), wire.DISCONNECT, /^settled$/],
  ] as const) {
    const bench = await start();
    const [worker] = bench.workers;
    const client = send(bench.pool);
    await turn();
    worker.say(wire.RESPONSE, wire.MORE, 1, START);
    client.refusal = error;
    worker.say(wire.PATHSEND, wire.LAST | wire.MORE, 1, "/a/file");
    await turn();
    assert.deepEqual([worker.of(type).map(({ id }) => id), credits(worker)], [[1], []]);
    assert.match(client.outcome, outcome);
    await end(bench);
  }
});

test("a file behind a head that is refused: the worker is told of the head, once", async () => {
  const bench = await start();
  const [worker] = bench.workers;
  const client = send(bench.pool);
  await turn();
  client.refusal = new Error("a bad head");
  worker.say(wire.RESPONSE, wire.MORE, 1, START);
  client.refusal = new Error("out of order");
  worker.say(wire.PATHSEND, wire.LAST | wire.MORE, 1, "/a/file");
  await turn();
  const told = worker.of(wire.REFUSED).map(({ payload }) => Buffer.from(payload).toString().split("\0")[0]);
  assert.deepEqual([told, client.outcome], [["Error: a bad head"], "ApplicationFailed: Error: a bad head"]);
  await end(bench);
});

async function site(target: string) {
  const runtime = await currentRuntime();
  const say = () => {};
  const logger = { trace: say, debug: say, info: say, warning: say, error: say, critical: say } as never;
  const python = await startPythonApp(runtime, logger, { target, appDir: APPS, python: PYTHON, loop: "asyncio" });
  const server = await serve(python.app, { port: 0, lifespan: "on", accessLog: false, logger });
  after(() => server.stop());
  return { python, address: { host: "127.0.0.1", port: server.address.port } };
}

for (const name of ["app", "wsgi"]) {
  test(`contract:${name}: a file that is removed when it has been sent`, { skip: missing() }, async () => {
    const { address } = await site(`contract:${name}`);
    for (const size of [0, 10, 100_000, 3 * MEGABYTE]) {
      for (let i = 0; i < 3; i++) {
        const response = await fetch(`http://${address.host}:${address.port}/temporary?${size}`);
        assert.deepEqual([response.status, (await response.arrayBuffer()).byteLength], [200, size]);
      }
    }
  });
}

test("a file whose name is no UTF-8", { skip: missing() }, async () => {
  const { address } = await site("contract:app");
  const ask = (what: string) => fetch(`http://${address.host}:${address.port}/unnamed?${what}`);
  for (const size of [0, 10, 100_000, 3 * MEGABYTE]) {
    const response = await ask(`file=${size}`);
    assert.deepEqual([response.status, (await response.arrayBuffer()).byteLength], [200, size]);
  }
  for (const what of ["pipe", "none"]) {
    const response = await ask(what);
    await response.text();
    assert.equal(response.status, 500, what);
  }
});

test("a file with trailers behind it", { skip: missing() }, async () => {
  const { address } = await site("contract:app");
  const client = await RawClient.connect(address);
  await client.send("GET /temporary/trailers?200000 HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
  await client.sees("0\r\nx-sum: 1\r\n\r\n");
  client.close();
});

test("a file is sent to its end when its worker is replaced meanwhile", { skip: missing() }, async () => {
  const { python, address } = await site("contract:app");
  const size = 40 * MEGABYTE;
  const socket = connect(address.port, address.host);
  await once(socket, "connect");
  socket.write(`GET /temporary?${size} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const [first] = (await once(socket, "data")) as [Uint8Array];
  // More than the system holds is still to be read.
  socket.pause();
  const [old] = python.pool.workers;
  assert.equal(await python.pool.roll(), true);
  await until(() => old.exited, "the old worker has left");
  let count = first.length - Buffer.from(first).indexOf("\r\n\r\n") - 4;
  socket.on("data", (chunk: Uint8Array) => {
    count += chunk.length;
  });
  socket.resume();
  await once(socket, "end");
  assert.equal(count, size);
  socket.destroy();
});
