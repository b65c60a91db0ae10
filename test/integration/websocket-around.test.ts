/**
 * What stands around WebSockets, on both runtimes: Unix sockets, proxies, the root path, the limits of requests, the
 * access log, a reload, and the memory of compressors. RFC 6455 section 4.2, RFC 7692 section 7.2.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { hasTool, output } from "../harness/clients.ts";
import { RawClient } from "../harness/raw.ts";
import { field } from "../harness/response.ts";
import { onEach, ROOT, Server, testApp, withServer } from "../harness/server.ts";
import { Site } from "../harness/site.ts";
import { until } from "../harness/wait.ts";
import {
  BINARY,
  CLOSE,
  closeFrame,
  closeOf,
  frame,
  handshake,
  RawWebSocket,
  TEXT,
  textOf,
} from "../harness/websocket.ts";

const APP = testApp("websocket.ts");
const CLIENT = join(ROOT, "test", "clients", "ws_client.mjs");
const folder = mkdtempSync(join(tmpdir(), "ringcorn-ws-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const MB = 1 << 20;
/** Each holds about 330 KB while it is open. */
const COMPRESSED = 80;
const ROUNDS = 5;
/** A round costs 26 MB. */
const GROWTH_MB = 50;

async function echoes(client: RawWebSocket, text: string): Promise<void> {
  await client.send(frame(TEXT, text));
  assert.equal(textOf(await client.next()), text);
}

/** The answer to a handshake that is refused. */
async function refusal(server: Server, head: string) {
  const client = await RawClient.connect(server.address);
  await client.send(head);
  const response = await client.response();
  await client.ended();
  return response;
}

/** What the application is told of a client that sends these fields. */
async function scopeOf(server: Server, fields: string, target = "/scope"): Promise<Record<string, unknown>> {
  const client = await RawWebSocket.open(server.address, target, fields);
  const scope = JSON.parse(textOf(await client.next())) as Record<string, unknown>;
  client.destroy();
  return scope;
}

/** Messages with compression that remembers, in both directions; then all connections end. */
async function roundOfCompression(server: Server): Promise<void> {
  const fields = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
  const payload = deflateRawSync(Buffer.from("compressed ".repeat(200)), { finishFlush: 2 }).subarray(0, -4);
  const clients: RawWebSocket[] = [];
  for (let i = 0; i < COMPRESSED; i++) clients.push(await RawWebSocket.open(server.address, "/echo?round", fields));
  for (const [i, client] of clients.entries()) {
    assert.match(client.head, /permessage-deflate\r\n/);
    await client.send(frame(BINARY, payload, { flags: 0xc0 }));
    assert.equal((await client.next()).compressed, true);
    // Each of the ways in which a connection may end.
    if (i % 3 === 0) client.socket.resetAndDestroy();
    else if (i % 3 === 1) client.socket.end();
    else await client.send(closeFrame(1000));
  }
  for (const client of clients) {
    await client.ended();
    client.destroy();
  }
}

onEach((runtime) => {
  test(`around websockets on ${runtime}: a Unix socket, with npm's ws too`, async () => {
    const path = join(folder, `${runtime}.sock`);
    await withServer(runtime, APP, ["--uds", path, "--no-access-log"], async (server) => {
      const client = await RawWebSocket.open(server.address, "/echo");
      await echoes(client, "over a file");
      client.destroy();
      const { client: from, server: to, path: target } = await scopeOf(server, "");
      assert.deepEqual([from, to, target], [undefined, path, "/scope"]);
      if (!hasTool("node")) return;
      const found = JSON.parse(await output("node", [CLIENT, `ws+unix:${path}:/echo`, '{"threshold":0}']));
      assert.deepEqual([found.got, found.code], [Array(5).fill(true), 4001]);
    });
  });

  test(`around websockets on ${runtime}: a proxy's fields and the root path`, () =>
    withServer(runtime, APP, ["--root-path", "/api", "--no-access-log"], async (server) => {
      const forwarded = "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto:";
      for (const proto of ["https", "wss"]) {
        const { scheme, client, root_path, path } = await scopeOf(server, `${forwarded} ${proto}\r\n`, "/scope");
        assert.deepEqual([scheme, client, root_path, path], ["wss", "192.0.2.9", "/api", "/api/scope"]);
      }
      assert.equal((await scopeOf(server, `${forwarded} http\r\n`)).scheme, "ws");
    }));

  test(`around websockets on ${runtime}: a handshake takes its place among the requests, an open one does not`, () =>
    withServer(runtime, APP, ["--limit-concurrency=1", "--no-access-log"], async (server) => {
      const opened = [];
      for (let i = 0; i < 3; i++) opened.push(await RawWebSocket.open(server.address, "/echo"));
      const undecided = await RawWebSocket.connect(server.address);
      await undecided.send(handshake("/undecided"));
      const refused = await until(async () => {
        const answer = await refusal(server, handshake("/refuse"));
        return answer.status === 503 ? answer : undefined;
      }, "the next handshake is refused");
      assert.equal(field(refused, "retry-after"), "1");
      for (const client of opened) await echoes(client, "still here");
      undecided.socket.resetAndDestroy();
      await until(async () => (await refusal(server, handshake("/refuse"))).status === 403, "there is room again");
      for (const client of opened) client.destroy();
    }));

  test(`around websockets on ${runtime}: the head of a handshake has the limits of a request's`, () =>
    withServer(
      runtime,
      APP,
      ["--limit-head=2k", "--limit-request-line=1k", "--limit-fields=20", "--no-access-log"],
      async (server) => {
        const long = `X-Long: ${"x".repeat(3000)}\r\n`;
        assert.equal((await refusal(server, handshake("/echo", long))).status, 431);
        assert.equal((await refusal(server, handshake("/echo", "X-A: 1\r\n".repeat(20)))).status, 431);
        const client = await RawWebSocket.open(server.address, "/echo", "X-A: 1\r\n".repeat(10));
        await echoes(client, "within them");
        client.destroy();
      },
    ));

  test(`around websockets on ${runtime}: the access log has one line for each handshake, with its status`, () =>
    withServer(runtime, APP, [], async (server) => {
      (await RawWebSocket.open(server.address, "/echo?a=b")).destroy();
      for (const target of ["/refuse", "/throw", "/deny"]) await refusal(server, handshake(target));
      const lines = [
        '"GET /echo?a=b HTTP/1.1" 101 Switching Protocols',
        '"GET /refuse HTTP/1.1" 403 Forbidden',
        '"GET /throw HTTP/1.1" 500 Internal Server Error',
        '"GET /deny HTTP/1.1" 401 Unauthorized',
      ];
      await until(() => server.stdout.includes(lines[3]), "the last line is written");
      for (const line of lines) assert.equal(server.stdout.split(line).length, 2, line);
    }));

  const site = new Site();
  test(`around websockets on ${runtime}: a reload is 1012, and who comes back gets the new code`, async () => {
    const app = (version: string) => `export default async (scope, receive, send) => {
      if (scope.type !== "websocket") return;
      await receive();
      await send({ type: "websocket.accept" });
      await send({ type: "websocket.send", text: "${version}" });
      while ((await receive()).type !== "websocket.disconnect");
    };`;
    site.write("app.ts", app("v1"));
    const server = Server.spawn(runtime, "app.ts", ["--reload", "--no-access-log"], { cwd: site.directory });
    try {
      await server.listening();
      const old = await RawWebSocket.open(server.address, "/");
      assert.equal(textOf(await old.next()), "v1");
      site.write("app.ts", app("v2"));
      const told = await old.next();
      assert.equal(closeOf(told), "1012");
      await old.send(frame(CLOSE, told.payload));
      assert.equal(await old.ended(), "fin");
      const fresh = await RawWebSocket.open(server.address, "/");
      assert.equal(textOf(await fresh.next()), "v2");
      fresh.destroy();
    } finally {
      await server.kill();
    }
  });

  test(`around websockets on ${runtime}: the memory of compressors goes with their connections`, () => {
    const takeover = ["--ws-deflate-server-takeover", "--ws-deflate-client-takeover", "--ws-deflate-threshold=0"];
    return withServer(runtime, APP, [...takeover, "--no-access-log"], async (server) => {
      await roundOfCompression(server);
      const before = server.residentBytes();
      for (let i = 1; i < ROUNDS; i++) await roundOfCompression(server);
      const grown = (server.residentBytes() - before) / MB;
      assert.ok(grown < GROWTH_MB, `${grown} MB more behind ${ROUNDS} rounds than behind one`);
    });
  });
});
