/** What the front refuses is told to the application, or logged by its worker when that has returned. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ClientDisconnected, ProtocolViolation } from "../../src/asgi/errors.ts";
import * as wire from "../../src/python/wire.ts";
import { PYTHON } from "../harness/python.ts";
import { RawClient } from "../harness/raw.ts";
import { onEach, ROOT, type Server, withServer } from "../harness/server.ts";
import { pause, until } from "../harness/wait.ts";
import { end, send, start } from "./bench.ts";
import { turn } from "./fake.ts";

const APPS = join(ROOT, "test", "python", "apps");
const OPTIONS = ["--app-dir", APPS, "--loop", "asyncio", "--log-level", "info", "--python", PYTHON];

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test("a whole response that is refused: the worker is told why, and of which request", async () => {
  const bench = await start();
  const client = send(bench.pool);
  await turn();
  client.refusal = new ProtocolViolation("no such field");
  bench.workers[0].respond(1);
  await turn();
  const refusals = bench.workers[0].of(wire.REFUSED);
  assert.deepEqual(
    refusals.map(({ id, payload }) => [id, text(payload)]),
    [[1, "no such field\0GET /"]],
  );
  assert.equal(client.outcome, "settled");
  await end(bench);
});

test("a response in several records that is refused is told once", async () => {
  const bench = await start();
  const client = send(bench.pool);
  await turn();
  client.refusal = new ProtocolViolation("no such field");
  bench.workers[0].respond(1, "begun", 0);
  bench.workers[0].body(1, "more", wire.LAST);
  await turn();
  assert.deepEqual(
    bench.workers[0].of(wire.REFUSED).map(({ payload }) => text(payload)),
    ["no such field\0GET /"],
  );
  await end(bench);
});

test("a client that has gone is no refusal", async () => {
  const bench = await start();
  const client = send(bench.pool);
  await turn();
  client.refusal = new ClientDisconnected();
  bench.workers[0].respond(1);
  await turn();
  assert.equal(bench.workers[0].of(wire.REFUSED).length, 0);
  await end(bench);
});

test("a disconnect tells whether the client can still be answered", async () => {
  const bench = await start();
  const clients = [send(bench.pool), send(bench.pool)];
  await turn();
  clients[1].refusal = new ClientDisconnected();
  for (const client of clients) client.event({ type: "http.disconnect" });
  await turn();
  assert.deepEqual(
    bench.workers[0].of(wire.DISCONNECT).map(({ id, flags }) => [id, flags]),
    [
      [1, 0],
      [2, 0],
      [2, wire.GONE],
    ],
  );
  await end(bench);
});

async function seen(server: Server): Promise<Record<string, string>> {
  return (await (await fetch(`${server.url}/seen`)).json()) as Record<string, string>;
}

const count = (server: Server, pattern: RegExp) => [...(server.stderr + server.stdout).matchAll(pattern)].length;

onEach((runtime) => {
  const refusing = (run: (server: Server) => Promise<void>) => withServer(runtime, "refusing:app", OPTIONS, run);

  test(`${runtime}: refused in one record, and the application has returned: logged once, with its request`, () =>
    refusing(async (server) => {
      assert.equal((await fetch(`${server.url}/returns?a=1`)).status, 500);
      await server.sees(/The response to GET \/returns could not be sent: a header value/);
      assert.equal((await fetch(`${server.url}/quiet`)).status, 500);
      await server.sees(/The response to GET \/quiet could not be sent: /);
      await pause(50);
      assert.equal(count(server, /could not be sent/g), 2);
    }));

  test(`${runtime}: refused in one record, and the application goes on: its next send raises`, () =>
    refusing(async (server) => {
      assert.equal((await fetch(`${server.url}/goes-on`)).status, 500);
      const error = await until(async () => (await seen(server))["goes-on"], "the application was told");
      assert.match(error, /control byte/);
      await pause(50);
      assert.equal(count(server, /could not be sent/g), 0);
    }));

  test(`${runtime}: a file that can't be opened: the send that names it raises`, () =>
    refusing(async (server) => {
      assert.equal((await fetch(`${server.url}/pathsend`)).status, 500);
      await server.sees(/Refused: .*no such file/i);
      await pause(50);
      assert.equal(count(server, /could not be sent|Exception in ASGI/g), 1);
    }));

  test(`${runtime}: the first send after the client has reset the connection raises OSError`, () =>
    refusing(async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n");
      await client.sees("begun");
      client.reset();
      await until(async () => (await seen(server)).idle !== "waits", "the application sent");
      assert.match((await seen(server)).idle, /^OSError/);
    }));

  test(`${runtime}: WSGI, refused in one record: logged once, with its request`, () =>
    withServer(runtime, "refusing:wsgi", [...OPTIONS, "--interface", "wsgi"], async (server) => {
      assert.equal((await fetch(`${server.url}/x`)).status, 500);
      await server.sees(/The response to GET \/x could not be sent: /);
      await pause(50);
      assert.equal(count(server, /could not be sent/g), 1);
    }));
});
