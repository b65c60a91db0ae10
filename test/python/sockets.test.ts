/** WebSockets of Starlette, FastAPI, Quart, Django Channels and python-socketio, unchanged. Skipped where a package is missing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { output } from "../harness/clients.ts";
import { type Check, checks as checksOf, type Framework, json } from "../harness/frameworks.ts";
import { missing, PYTHON } from "../harness/python.ts";
import { RawClient } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { ROOT, type Server } from "../harness/server.ts";
import { until } from "../harness/wait.ts";
import { BINARY, closeFrame, closeOf, frame, handshake, RawWebSocket, TEXT, textOf } from "../harness/websocket.ts";

const checks = (framework: Framework) => checksOf(framework, (name, options, run) => void test(name, options, run));
const CLIENTS = join(ROOT, "test", "clients");
const LOOPS = ["asyncio", "uvloop"] as const;

const open = (server: Server, target: string, fields = "") => RawWebSocket.open(server.address, target, fields);

/** The answer to a handshake that is refused. */
async function refusal(server: Server, target: string) {
  const client = await RawClient.connect(server.address);
  await client.send(handshake(target));
  const response = await client.response();
  await client.ended();
  return response;
}

async function says(client: RawWebSocket, message: string, answer = message): Promise<void> {
  await client.send(frame(TEXT, message));
  assert.equal(textOf(await client.next()), answer);
}

async function ends(server: Server, what: unknown): Promise<void> {
  const wanted = JSON.stringify(what);
  await until(async () => JSON.stringify((await json(server, "/seen")).ended).includes(wanted), `${wanted} is seen`);
}

/** Text, bytes and large messages come back; `ended` is what the application notes of 4001. */
function echoes(check: Check, ended: unknown): void {
  check("messages come back, and the peer's end is told", async (server) => {
    const client = await open(server, "/echo");
    await says(client, "grüße €");
    await says(client, "");
    await says(client, "x".repeat(300_000));
    const payload = Uint8Array.from({ length: 500_000 }, (_, i) => i % 251);
    await client.send(frame(BINARY, payload));
    const answer = await client.next();
    assert.deepEqual([answer.opcode, Buffer.compare(answer.payload, payload)], [BINARY, 0]);
    await client.send(closeFrame(4001, "bye"));
    assert.equal(closeOf(await client.next()), "4001 bye");
    await ends(server, ended);
    client.destroy();
  });

  check("many at once, each with its own messages", async (server) => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(server, "/echo")));
    await Promise.all(
      clients.map(async (client, i) => {
        for (let round = 0; round < 20; round++) await says(client, `${i}: ${round}`);
        client.destroy();
      }),
    );
  });
}

/** @param code Quart answers for itself, and says 1000 */
function crashes(check: Check, code = "1011"): void {
  check(`an exception is ${code}, and the next one is served`, async (server) => {
    const client = await open(server, "/crash");
    await client.send(frame(TEXT, "go"));
    assert.equal(closeOf(await client.next()), code);
    client.destroy();
    await server.sees(/ValueError: crash/);
    await json(server, "/seen");
  });
}

function subprotocol(check: Check): void {
  check("a subprotocol, fields, and a close with a reason", async (server) => {
    const client = await open(server, "/upper", "Sec-WebSocket-Protocol: lower, upper\r\n");
    assert.match(client.head, /\r\nsec-websocket-protocol: upper\r\n/);
    assert.match(client.head, /\r\nx-own: yes\r\n/);
    await says(client, "grüße", "GRÜSSE");
    client.destroy();
  });
}

for (const loop of LOOPS) {
  const more = loop === "uvloop" ? ["uvloop"] : [];
  const options = ["--loop", loop];

  const starlette = checks({
    name: `Starlette's WebSockets, ${loop}`,
    target: "starlette_sockets:app",
    needs: ["starlette", ...more],
    options,
  });
  echoes(starlette, [4001, "bye"]);
  crashes(starlette);
  subprotocol(starlette);
  starlette("a denial is the application's own, a close before acceptance 403", async (server) => {
    const denied = await refusal(server, "/deny");
    assert.deepEqual([denied.status, field(denied, "x-own"), JSON.parse(text(denied))], [401, "yes", { why: "no" }]);
    assert.equal((await refusal(server, "/refuse")).status, 403);
    assert.equal((await refusal(server, "/nowhere")).status, 403);
  });
  starlette("a close with code and reason, and what is sent too late", async (server) => {
    const client = await open(server, "/farewell");
    assert.equal(closeOf(await client.next()), "4001 told");
    client.destroy();
    const late = await open(server, "/late");
    await late.send(closeFrame(1000));
    await ends(server, [1006, "late"]);
    late.destroy();
  });

  const fastapi = checks({
    name: `FastAPI's WebSockets, ${loop}`,
    target: "fastapi_sockets:app",
    needs: ["fastapi", ...more],
    options,
  });
  crashes(fastapi);
  fastapi("a chat: each in its own context, all hear all, and who leaves is missed", async (server) => {
    const [alice, bob] = [await open(server, "/chat/alice"), await open(server, "/chat/bob")];
    await alice.send(frame(TEXT, "hello"));
    for (const client of [alice, bob]) assert.equal(textOf(await client.next()), "alice: hello");
    alice.socket.resetAndDestroy();
    await ends(server, "alice");
    await says(bob, "anybody?", "bob: anybody?");
    bob.destroy();
  });
  fastapi("JSON, and the lifespan's state", async (server) => {
    const client = await open(server, "/json");
    await says(client, '{"a":[1,"ü"]}', '{"got":{"a":[1,"ü"]},"state":"hello"}');
    await client.send(closeFrame(4002));
    await ends(server, 4002);
    client.destroy();
  });
  fastapi("dependencies refuse before acceptance", async (server) => {
    assert.equal((await refusal(server, "/private")).status, 403);
    const client = await open(server, "/private?token=secret");
    assert.equal(textOf(await client.next()), "alice");
    assert.equal(closeOf(await client.next()), "1000");
    client.destroy();
  });
  fastapi(
    "what does not fit its types is 403, an HTTP exception the denial, another its code and reason",
    async (server) => {
      assert.equal((await refusal(server, "/page/one")).status, 403);
      const denied = await refusal(server, "/account");
      assert.deepEqual([denied.status, field(denied, "www-authenticate")], [401, "Basic"]);
      assert.deepEqual(JSON.parse(text(denied)), { detail: "who?" });
      const client = await open(server, "/page/1");
      assert.equal(textOf(await client.next()), "page 1");
      assert.equal(closeOf(await client.next()), "4008 because");
      client.destroy();
    },
  );
  fastapi("an application that lets the peer's end through has not failed", async (server) => {
    const before = server.stderr.match(/Traceback/g)?.length ?? 0;
    const client = await open(server, "/through");
    await client.send(closeFrame(1001));
    assert.equal(closeOf(await client.next()), "1001");
    await client.ended();
    await json(server, "/seen");
    assert.equal(server.stderr.match(/Traceback/g)?.length ?? 0, before);
  });

  const quart = checks({
    name: `Quart's WebSockets, ${loop}`,
    target: "quart_sockets:app",
    needs: ["quart", ...more],
    options,
  });
  echoes(quart, "cancelled");
  crashes(quart, "1000");
  subprotocol(quart);
  quart("abort before acceptance is the answer", async (server) => {
    assert.equal((await refusal(server, "/refuse")).status, 401);
  });

  const channels = checks({
    name: `Django Channels, ${loop}`,
    target: "channels_site:application",
    needs: ["channels", "django", ...more],
    options,
  });
  echoes(channels, 4001);
  crashes(channels);
  channels("a group of the in-memory layer", async (server) => {
    const one = await open(server, "/chat", "Sec-WebSocket-Protocol: json\r\n");
    const two = await open(server, "/chat");
    assert.match(one.head, /\r\nsec-websocket-protocol: json\r\n/);
    await one.send(frame(TEXT, '{"say":"grüße"}'));
    for (const client of [one, two]) {
      assert.deepEqual(JSON.parse(textOf(await client.next())), { said: "grüße" });
      client.destroy();
    }
  });
  channels("a synchronous consumer, and one that refuses", async (server) => {
    const client = await open(server, "/upper");
    await says(client, "grüße", "GRÜSSE");
    assert.equal(closeOf(await client.next()), "4001 told");
    client.destroy();
    assert.equal((await refusal(server, "/refuse")).status, 403);
  });

  const socketio = checks({
    name: `python-socketio, ${loop}`,
    target: "socketio_site:app",
    needs: ["socketio", "aiohttp", ...more],
    options: [...options, "--lifespan", "off"],
  });
  for (const transports of ["websocket", "polling,websocket"]) {
    socketio(`events, rooms, refusal and the end, over ${transports}`, async (server) => {
      const found = await output(PYTHON, [join(CLIENTS, "socketio_client.py"), server.url, transports]);
      const { echo, whispered, said, refused, ended, transport } = JSON.parse(found);
      assert.deepEqual([echo, whispered, said, transport], [true, ["whispered", "psst"], [true, true], "websocket"]);
      assert.match(refused, /failed to connect/);
      assert.ok(ended.length > 0);
    });
  }
}

const clients = checks({ name: "Python's clients", target: "starlette_sockets:app", needs: ["starlette"] });
const websockets = missing(["websockets"]) === false ? clients : skipping("websockets");
for (const mode of ["none", "default", "no-takeover", "small-windows"]) {
  websockets(`websockets, ${mode}`, async (server) => {
    const url = `${server.url.replace("http", "ws")}/echo`;
    const found = await output(PYTHON, [join(CLIENTS, "ws_client.py"), url, mode]);
    assert.deepEqual(JSON.parse(found), {
      got: true,
      code: 4001,
      reason: "done",
      extensions: mode === "none" ? [] : ["permessage-deflate"],
    });
  });
}
const httpx = missing(["httpx_ws"]) === false ? clients : skipping("httpx_ws");
httpx("httpx-ws", async (server) => {
  const url = server.url.replace("http", "ws");
  const found = await output(PYTHON, [join(CLIENTS, "httpx_ws_client.py"), url]);
  assert.deepEqual(JSON.parse(found), { got: true, denied: 401 });
});

function skipping(module: string): Check {
  return (what) => void test(`Python's clients: ${what}`, { skip: `${module} is not installed` }, () => {});
}
