/** WebSockets of Python applications as bytes on the wire, on both runtimes: what the front does for them, and the example. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { missing, PYTHON } from "../harness/python.ts";
import { RawClient } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { onEach, ROOT, type Server, sharedServer, withServer } from "../harness/server.ts";
import { until } from "../harness/wait.ts";
import {
  BINARY,
  CLOSE,
  closeFrame,
  closeOf,
  frame,
  handshake,
  PING,
  PONG,
  RawWebSocket,
  TEXT,
  textOf,
} from "../harness/websocket.ts";

const COMMON = ["--python", PYTHON, "--no-access-log"];
const APPS = ["--app-dir", join(ROOT, "test", "python", "apps"), ...COMMON];
const EXAMPLES = ["--app-dir", join(ROOT, "examples", "python"), ...COMMON];

async function refusal(server: Server, head: string) {
  const client = await RawClient.connect(server.address);
  await client.send(head);
  const response = await client.response();
  await client.ended();
  return response;
}

onEach((runtime) => {
  const started = sharedServer(runtime, "sockets:app", [...APPS, "--ws-max-size", "1000000"]);
  const skip = missing([]);
  const check = (name: string, run: (server: Server) => Promise<void>) =>
    test(`Python's websocket on ${runtime}: ${name}`, { skip }, async () => run(await started()));

  check("the scope", async (server) => {
    const client = await RawWebSocket.open(server.address, "/scope?a=%20b", "Sec-WebSocket-Protocol: one, two\r\n");
    const scope = JSON.parse(textOf(await client.next()));
    const headers = scope.headers.map(([name]: [string]) => name);
    assert.deepEqual(headers.slice(0, 2), ["host", "upgrade"]);
    assert.deepEqual(
      { ...scope, headers: [], client: scope.client[0], server: scope.server[0] },
      {
        type: "websocket",
        asgi: { version: "3.0", spec_version: "2.5" },
        http_version: "1.1",
        server: "127.0.0.1",
        client: "127.0.0.1",
        scheme: "ws",
        root_path: "",
        path: "/scope",
        raw_path: "/scope",
        query_string: "a=%20b",
        headers: [],
        subprotocols: ["one", "two"],
        state: { started: true },
        extensions: { "websocket.http.response": {} },
      },
    );
    client.destroy();
  });

  check("fragments, pings and frames in bytes are whole messages to the application", async (server) => {
    const client = await RawWebSocket.open(server.address, "/echo", "", frame(TEXT, "early"));
    assert.equal(textOf(await client.next()), "early");
    await client.send(frame(TEXT, "gr", { flags: 0 }), frame(PING, "p"), frame(0, "üße"));
    assert.equal(textOf(await client.next()), "p");
    assert.equal(textOf(await client.next()), "grüße");
    await client.send(...Array.from(frame(BINARY, "slow"), (byte) => Uint8Array.of(byte)));
    assert.equal(textOf(await client.next()), "slow");
    client.destroy();
  });

  check("many messages of one write come back in order, of all sizes", async (server) => {
    const client = await RawWebSocket.open(server.address, "/echo");
    const sizes = [0, 1, 125, 126, 1024, 1025, 65_459, 65_460, 65_524, 65_525, 262_144, 999_999];
    const payloads = sizes.map((size, at) => Uint8Array.from({ length: size }, (_, i) => (i + at) % 251));
    const many = Array.from({ length: 300 }, (_, i) => frame(TEXT, `message ${i}`));
    await client.send(Buffer.concat([...payloads.map((payload) => frame(BINARY, payload)), ...many]));
    for (const payload of payloads) {
      const answer = await client.next();
      assert.equal(Buffer.compare(answer.payload, payload), 0, `${payload.length} bytes`);
    }
    for (let i = 0; i < many.length; i++) assert.equal(textOf(await client.next()), `message ${i}`);
    client.destroy();
  });

  for (const [name, bad, code] of [
    ["bad UTF-8", frame(TEXT, Uint8Array.of(0xc3, 0x28)), 1007],
    ["a message that is too large", frame(BINARY, new Uint8Array(1_000_001)), 1009],
    ["a frame that is not masked", frame(TEXT, "a", { mask: null }), 1002],
  ] as const) {
    check(`${name} ends with ${code}, which the application is told`, async (server) => {
      const client = await RawWebSocket.open(server.address, `/echo?${code}`);
      await client.send(frame(TEXT, "before"));
      assert.equal(textOf(await client.next()), "before");
      await client.send(bad);
      assert.match(closeOf(await client.next()), new RegExp(`^${code} `));
      await server.sees(new RegExp(`${code} ended with ${code}`));
      client.destroy();
    });
  }

  check(
    "a worker that is busy: its pings are answered, also those of others, and its messages wait",
    async (server) => {
      const folder = mkdtempSync(join(tmpdir(), "ringcorn-busy-"));
      const gate = join(folder, "gate");
      try {
        const other = await RawWebSocket.open(server.address, "/echo");
        const client = await RawWebSocket.open(server.address, "/busy");
        await client.send(frame(TEXT, gate));
        await server.sees(/busy begins/);
        await other.send(frame(TEXT, "waits"));
        for (const each of [client, other]) {
          await each.send(frame(PING, "are you there"));
          const pong = await each.next();
          assert.deepEqual([pong.opcode, textOf(pong)], [PONG, "are you there"]);
        }
        writeFileSync(gate, "");
        assert.equal(textOf(await client.next()), "busy no more");
        assert.equal(textOf(await other.next()), "waits");
        for (const each of [client, other]) each.destroy();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  check("the application's end: 1000 when it returns, 1011 when it fails, its own code and reason", async (server) => {
    for (const [target, expected] of [
      ["/accept-and-return", "1000"],
      ["/fail", "1011"],
      ["/close", "4001 told"],
    ]) {
      const client = await RawWebSocket.open(server.address, target);
      assert.equal(closeOf(await client.next()), expected);
      await client.send(closeFrame(Number.parseInt(expected, 10)));
      assert.equal(await client.ended(), "fin");
    }
  });

  check("before acceptance: 403, 500, or a denial of several windows", async (server) => {
    for (const [target, status] of [
      ["/refuse", 403],
      ["/return", 403],
      ["/fail-early", 500],
      ["/deny-half", 500],
      ["/bad-field", 500],
    ] as const) {
      assert.equal((await refusal(server, handshake(target))).status, status, target);
    }
    const denied = await refusal(server, handshake("/deny"));
    assert.deepEqual([denied.status, field(denied, "x-own"), text(denied).length], [401, "yes", 600_000]);
  });

  check("what follows an acceptance that is refused harms no other WebSocket of the worker", async (server) => {
    const other = await RawWebSocket.open(server.address, "/echo?other");
    const before = server.stderr.length;
    for (let i = 0; i < 3; i++) {
      assert.equal((await refusal(server, handshake("/bad-field"))).status, 500);
      await other.send(frame(TEXT, `${i}`));
      assert.equal(textOf(await other.next()), `${i}`);
    }
    assert.doesNotMatch(server.stderr.slice(before), /is gone|handles nowhere/);
    other.destroy();
  });

  check("a client that goes before it is answered", async (server) => {
    const client = await RawWebSocket.connect(server.address);
    await client.send(handshake("/undecided"));
    await server.sees(/undecided asked/);
    client.socket.resetAndDestroy();
    await server.sees(/undecided ended with 1006/);
  });

  check("clients that reset at once: nobody has failed", async (server) => {
    const before = server.stderr.length;
    for (let i = 0; i < 20; i++) {
      const client = await RawWebSocket.connect(server.address);
      client.socket.write(handshake("/echo"));
      client.socket.resetAndDestroy();
    }
    const last = await RawWebSocket.open(server.address, "/echo?behind");
    last.destroy();
    await server.sees(/behind ended with 1006/);
    assert.doesNotMatch(server.stderr.slice(before), /ERROR|TypeError|failed/);
  });

  test(`WSGI on ${runtime}: a handshake is answered 501`, { skip }, async () => {
    await withServer(runtime, "sockets:wsgi", APPS, async (server) => {
      assert.equal((await refusal(server, handshake("/"))).status, 501);
      assert.equal(await (await fetch(server.url)).text(), "wsgi");
    });
  });

  test(`examples on ${runtime}: the chat`, { skip: missing(["fastapi"]) }, async () => {
    await withServer(runtime, "chat:app", EXAMPLES, async (server) => {
      assert.match(await (await fetch(server.url)).text(), /<title>Chat<\/title>/);
      const one = await RawWebSocket.open(server.address, "/chat");
      assert.equal(textOf(await one.next()), "1 here");
      const two = await RawWebSocket.open(server.address, "/chat");
      for (const client of [one, two]) assert.equal(textOf(await client.next()), "2 here");
      await two.send(frame(TEXT, "grüße"));
      for (const client of [one, two]) assert.equal(textOf(await client.next()), "grüße");
      two.socket.resetAndDestroy();
      assert.equal(textOf(await one.next()), "1 here");
      await one.send(closeFrame(1000));
      assert.equal((await one.next()).opcode, CLOSE);
    });
  });

  test(`--reload on ${runtime}: a handshake while the application does not start is answered 500`, {
    skip,
  }, async () => {
    await withServer(runtime, "sockets:absent", [...APPS, "--reload"], async (server) => {
      await until(async () => (await refusal(server, handshake("/"))).status === 500, "it is refused");
    });
  });
});
