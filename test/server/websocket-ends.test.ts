/** WebSockets on a fake socket: how they end beside many others, silence behind a full socket, and what is counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Application, SendEvent } from "../../src/asgi/types.ts";
import { settle, Wired } from "../harness/fake-socket.ts";
import { BINARY, closeFrame, closeOf, frame, handshake, PING, PONG, TEXT } from "../harness/websocket.ts";
import { type Opened, openWired } from "../harness/wired-websocket.ts";

/** So many others are busy that nobody keeps a buffer. */
function crowd({ wired }: Opened): void {
  for (let i = 0; i < 600; i++) wired.context.pool.borrow();
}

test("websocket: the close frame behind a violation is not followed by a reset, however many others are busy", async () => {
  for (const crowded of [false, true]) {
    const opened = await openWired();
    if (crowded) crowd(opened);
    opened.client.feed(frame(BINARY, "not masked", { mask: null }));
    await settle();
    assert.match(closeOf(opened.frames()[0]), /^1002 /);
    // Closed at once, what the client is still sending would be answered by a reset.
    assert.equal(opened.client.socket.ending, "fin");
    opened.client.feed(new Uint8Array(1000));
    opened.client.fin();
    assert.equal(opened.client.socket.ending, "closed");
  }
});

test("websocket: a client that does not answer a close frame gets FIN, and is listened to a while", async () => {
  const opened = await openWired({ wsCloseTimeoutMs: 10_000 });
  await opened.send({ type: "websocket.close", code: 4000 });
  await settle();
  opened.client.feed(frame(TEXT, "still talking"));
  opened.wired.pass(10_000);
  assert.equal(opened.client.socket.ending, "fin");
  opened.wired.pass(60_000);
  assert.equal(opened.client.socket.ending, "closed");
});

test("websocket: behind both close frames the connection is closed at once", async () => {
  const opened = await openWired();
  await opened.send({ type: "websocket.close", code: 4000 });
  await settle();
  opened.client.feed(closeFrame(4000));
  assert.equal(opened.client.socket.ending, "closed");
});

test("websocket: who has been busy reading has its time to answer a ping behind that", async () => {
  const opened = await openWired({ wsPingIntervalMs: 20_000, wsPingTimeoutMs: 20_000 });
  const { socket } = opened.client;
  opened.wired.pass(20_000);
  await settle();
  assert.equal(opened.frames()[0].opcode, PING);
  socket.take = (offered) => Math.min(offered, 1000);
  const sent = opened.send({ type: "websocket.send", bytes: new Uint8Array(300_000) });
  await settle();
  opened.wired.pass(25_000);
  socket.take = (offered) => offered;
  await socket.drain();
  await sent;
  opened.wired.pass(1000);
  assert.equal(socket.ending, "open");
  opened.client.feed(frame(PONG, opened.frames()[0].payload));
  opened.wired.pass(19_000);
  assert.equal(socket.ending, "open");
  // A ping again, and now it is silent.
  opened.wired.pass(20_000);
  opened.wired.pass(20_000);
  assert.equal(socket.ending, "reset");
});

test("websocket: a client that has gone is found out although its application never receives", async () => {
  const opened = await openWired({ wsPingIntervalMs: 100, wsPingTimeoutMs: 50, wsQueueMessages: 1 });
  const { client, wired } = opened;
  client.feed(frame(TEXT, "1"), frame(TEXT, "2"), frame(TEXT, "3"));
  assert.equal(client.socket.paused, true);
  wired.pass(149);
  await settle();
  assert.equal(opened.frames().length, 0);
  for (let i = 1; i < 4; i++) {
    wired.pass(i === 1 ? 1 : 150);
    await settle();
    // It is there, and may be silent for as long as it is not read.
    assert.equal(opened.frames().length, i);
  }
  client.socket.take = () => -1;
  wired.pass(150);
  await settle();
  wired.pass(1);
  assert.equal(wired.connections.size, 0);
});

test("websocket: who pipelines a handshake and a flood behind a request is not read without end", async () => {
  for (const accepts of [false, true]) {
    let answer!: () => void;
    const app: Application = async (scope, receive, send) => {
      if (scope.type === "http") {
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        await send({ type: "http.response.start", status: 204, headers: [] });
        await send({ type: "http.response.body" });
        return;
      }
      await receive();
      if (accepts) await send({ type: "websocket.accept" });
      await new Promise(() => {});
    };
    const wired = new Wired(app, { limits: { pipelinedBytes: 4096 }, wsQueueMessages: 4 });
    const client = wired.connect();
    const flood = Buffer.concat(Array.from({ length: 1000 }, () => frame(BINARY, "much")));
    client.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Buffer.concat([Buffer.from(handshake("/")), flood]));
    assert.equal(client.socket.paused, true);
    answer();
    await settle();
    assert.equal([...wired.connections].length, 1);
    if (accepts) assert.match(client.socket.text, /101 Switching Protocols/);
    // What had come already is one chunk; the next is held, and then nothing more is read.
    if (!client.socket.paused) client.feed(flood);
    await settle();
    assert.equal(client.socket.paused, true);
  }
});

test("websocket: a client that ended its side while an earlier request was answered is told of to the application", async () => {
  let answer!: () => void;
  const told: string[] = [];
  const app: Application = async (scope, receive, send) => {
    if (scope.type === "websocket") {
      for (;;) {
        const { type } = await receive();
        told.push(type);
        if (type === "websocket.disconnect") return;
      }
    }
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    await send({ type: "http.response.start", status: 204, headers: [] });
    await send({ type: "http.response.body" });
  };
  const wired = new Wired(app);
  const client = wired.connect();
  client.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", handshake("/"));
  client.fin();
  answer();
  await settle();
  assert.deepEqual(told, ["websocket.connect", "websocket.disconnect"]);
  assert.equal(wired.connections.size, 0);
});

test("websocket: a client that was not read is read to its end once it has been answered", async () => {
  for (const early of [frame(BINARY, new Uint8Array(2000)), frame(BINARY, "bad", { mask: null })]) {
    let answer!: (event: SendEvent) => Promise<void>;
    const app: Application = async (_scope, _receive, send) => {
      answer = send;
      await new Promise(() => {});
    };
    const wired = new Wired(app, { limits: { pipelinedBytes: 1000 } });
    const client = wired.connect();
    client.feed(Buffer.concat([Buffer.from(handshake("/")), early, new Uint8Array(1000)]));
    assert.equal(client.socket.paused, true);
    await answer({ type: early.length > 1000 ? "websocket.close" : "websocket.accept" });
    await settle();
    assert.equal(client.socket.ending, "fin");
    // Its FIN would not be seen, and what it still sends would be answered by a reset.
    assert.equal(client.socket.paused, false);
    client.feed(new Uint8Array(1000));
    client.fin();
    assert.equal(wired.connections.size, 0);
  }
});

test("websocket: a denial that fails in its middle leaves the answers before it whole", async () => {
  const app: Application = async (scope, _receive, send) => {
    if (scope.type === "http") {
      await send({ type: "http.response.start", status: 200, headers: [["content-length", "5"]] });
      await send({ type: "http.response.body", body: new TextEncoder().encode("first") });
      return;
    }
    await send({ type: "websocket.http.response.start", status: 401, headers: [] });
    await send({ type: "websocket.http.response.body", body: new TextEncoder().encode("denied"), more_body: true });
    throw new Error("in its middle");
  };
  for (const canReset of [true, false]) {
    const wired = new Wired(app, { canReset });
    const client = wired.connect();
    client.feed(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${handshake("/")}`);
    await settle();
    assert.match(client.socket.text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nfirstHTTP\/1\.1 401 /);
    assert.doesNotMatch(client.socket.text, /\r\n0\r\n/);
    assert.equal(client.socket.ending, canReset ? "reset" : "fin");
    assert.equal(wired.context.inFlight, 0);
  }
});

test("websocket: a denial that does not end in time: 503 if nothing of it has left, else it is cut behind what came before", async () => {
  for (const canReset of [true, false]) {
    for (const begun of [false, true]) {
      const told: string[] = [];
      const app: Application = async (scope, receive, send) => {
        if (scope.type === "http") {
          await send({ type: "http.response.start", status: 204, headers: [] });
          await send({ type: "http.response.body" });
          return;
        }
        await receive();
        await send({ type: "websocket.http.response.start", status: 401, headers: [] });
        const body = new TextEncoder().encode("denied");
        if (begun) await send({ type: "websocket.http.response.body", body, more_body: true });
        told.push((await receive()).type);
        await send({ type: "websocket.http.response.body", body }).catch((error: Error) => told.push(error.name));
      };
      const wired = new Wired(app, { canReset, wsHandshakeTimeoutMs: 1000 });
      const client = wired.connect();
      client.feed(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${handshake("/")}`);
      await settle();
      wired.pass(1000);
      await settle();
      assert.match(client.socket.text, /^HTTP\/1\.1 204 /);
      assert.match(client.socket.text, begun ? /\r\n\r\nHTTP\/1\.1 401 .*denied\r\n$/s : /\r\n\r\nHTTP\/1\.1 503 /);
      assert.equal(client.socket.ending, begun && canReset ? "reset" : "fin");
      assert.deepEqual(told, ["websocket.disconnect", "ClientDisconnected"]);
      client.gone();
      assert.deepEqual([wired.context.inFlight, wired.context.pool.lent], [0, 0]);
    }
  }
});

test("websocket: handshakes count as requests, also those that are refused", async () => {
  const app: Application = async (_scope, _receive, send) => send({ type: "websocket.close" });
  const wired = new Wired(app);
  let counted = 0;
  wired.context.onRequest = () => void counted++;
  for (const head of [
    handshake("/"),
    handshake("/").replace("Version: 13", "Version: 12"),
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  ]) {
    wired.connect().feed(head);
    await settle();
  }
  assert.deepEqual([counted, wired.context.requestsStarted], [3, 3]);
});
