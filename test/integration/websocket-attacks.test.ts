/** What a hostile or broken WebSocket client can do, on both runtimes: it is refused, bounded or left, and others are served. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { RawClient } from "../harness/raw.ts";
import { onEach, type Server, sharedServer, testApp, withServer } from "../harness/server.ts";
import { until } from "../harness/wait.ts";
import {
  BINARY,
  CLOSE,
  closeOf,
  frame,
  handshake,
  PING,
  PONG,
  RawWebSocket,
  TEXT,
  textOf,
} from "../harness/websocket.ts";

const APP = testApp("websocket.ts");

async function journal(server: Server): Promise<string> {
  return (await fetch(server.url)).text();
}

/** The server still echoes. */
async function serves(server: Server): Promise<void> {
  const client = await RawWebSocket.open(server.address, "/echo");
  await client.send(frame(TEXT, "still here"));
  assert.equal(textOf(await client.next()), "still here");
  client.destroy();
}

/** Sends what breaks the rules, and expects the close frame and then the end. */
async function isClosed(server: Server, code: string, bytes: Uint8Array, fields = ""): Promise<void> {
  const client = await RawWebSocket.open(server.address, "/echo", fields);
  await client.send(bytes);
  assert.ok(closeOf(await client.next()).startsWith(code), code);
  await client.ended();
  await serves(server);
}

const DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
const announced = (...length: number[]) => Uint8Array.of(0x82, 0xff, ...length, 1, 2, 3, 4);

onEach((runtime) => {
  // Applications that never return would hold the stop until its deadline.
  const options = ["--no-access-log", "--ws-max-size=1m", "--ws-max-fragments=1000", "--timeout-graceful-shutdown=1"];
  const started = sharedServer(runtime, APP, options);
  const check = (name: string, run: (server: Server) => Promise<void>) =>
    test(`websocket attacks on ${runtime}: ${name}`, async () => run(await started()));

  check("a length with the highest bit is 1002", (server) =>
    isClosed(server, "1002", announced(0x80, 0, 0, 0, 0, 0, 0, 0)),
  );
  check("a length of 2^62 is 1009", (server) => isClosed(server, "1009", announced(0x40, 0, 0, 0, 0, 0, 0, 0)));
  check("a length of 2 MB is 1009 before its bytes come", (server) =>
    isClosed(server, "1009", announced(0, 0, 0, 0, 0, 0x20, 0, 0)),
  );
  check("a length that is not minimal is 1002", (server) => isClosed(server, "1002", Uint8Array.of(0x82, 0xfe, 0, 1)));
  check("a frame without mask is 1002", (server) => isClosed(server, "1002", frame(TEXT, "a", { mask: null })));
  check("RSV1 without agreement is 1002", (server) => isClosed(server, "1002", frame(TEXT, "a", { flags: 0xc0 })));
  check("a reserved opcode is 1002", (server) => isClosed(server, "1002", frame(3, "a")));
  check("a continuation of nothing is 1002", (server) => isClosed(server, "1002", frame(0, "a")));
  check("a text that is not UTF-8 is 1007", (server) =>
    isClosed(server, "1007", frame(TEXT, Uint8Array.of(0xc0, 0x80))),
  );
  check("a close frame with 1005 is 1002", (server) => isClosed(server, "1002", frame(CLOSE, Uint8Array.of(3, 237))));
  check("a bomb of 100 MB in 100 KB is 1009", (server) => {
    const bomb = deflateRawSync(new Uint8Array(100 * 1024 * 1024)).subarray(0, -4);
    return isClosed(server, "1009", frame(BINARY, bomb, { flags: 0xc0 }), DEFLATE);
  });
  check("what is compressed badly is 1007", (server) =>
    isClosed(server, "1007", frame(TEXT, Uint8Array.of(0xff, 0xff, 0xff), { flags: 0xc0 }), DEFLATE),
  );

  check("a million fragments of one byte are 1009 after a thousand", async (server) => {
    const fragment = frame(0, "x", { flags: 0 });
    const many = new Uint8Array(1_000_000 * fragment.length);
    for (let i = 0; i < 1_000_000; i++) many.set(fragment, i * fragment.length);
    many.set(frame(TEXT, "x", { flags: 0 }));
    const client = await RawWebSocket.open(server.address, "/echo");
    client.socket.write(many);
    assert.match(closeOf(await client.next()), /^1009/);
    client.destroy();
    await serves(server);
  });

  check("a flood of pings gets fewer pongs, the last one's among them", async (server) => {
    const client = await RawWebSocket.open(server.address, "/echo");
    const pings = Array.from({ length: 20_000 }, (_, i) => frame(PING, `${i}`));
    await client.send(Buffer.concat(pings));
    let pongs = 0;
    for (;;) {
      const pong = await client.next();
      assert.equal(pong.opcode, PONG);
      pongs++;
      if (textOf(pong) === "19999") break;
    }
    assert.ok(pongs < 10_000, `${pongs} pongs`);
    client.destroy();
    await serves(server);
  });

  check("pings are answered while the application is busy", async (server) => {
    const client = await RawWebSocket.open(server.address, "/deaf");
    await client.send(frame(PING, "are you there"));
    assert.equal(textOf(await client.next()), "are you there");
    client.destroy();
  });

  check("an application that does not receive stops its client at the socket", async (server) => {
    const client = await RawWebSocket.open(server.address, "/deaf");
    const message = frame(BINARY, new Uint8Array(500_000));
    let taken = 0;
    // Far more than all buffers between the two hold.
    for (; taken < 200; taken++) {
      if (client.socket.write(message)) continue;
      const drained = new Promise<boolean>((resolve) => client.socket.once("drain", () => resolve(true)));
      const stuck = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 300));
      if (!(await Promise.race([drained, stuck]))) break;
    }
    assert.ok(taken < 150, `${taken} messages of 500 KB were taken`);
    client.destroy();
    await serves(server);
  });

  check(
    "an application that sends waits for a client that does not read, and is told when it is gone",
    async (server) => {
      const client = await RawWebSocket.open(server.address, "/pour");
      client.socket.pause();
      await until(async () => (await journal(server)).includes("poured 0"), "the first message is taken");
      let last = "";
      await until(async () => {
        const now = await journal(server);
        const same = now === last;
        last = now;
        return same;
      }, "no more messages are taken");
      assert.ok(!last.includes("poured 400"), last);
      client.socket.resume();
      for (let i = 0; i < 30; i++) assert.equal((await client.next()).payload.length, 256 * 1024);
      client.socket.resetAndDestroy();
      await until(async () => (await journal(server)).includes("pour ended with ClientDisconnected"), "it is told");
    },
  );

  check("a client for which too much waits is left", async (server) => {
    const client = await RawWebSocket.open(server.address, "/gush");
    client.socket.pause();
    await until(async () => (await journal(server)).includes("gush rejected"), "what was sent is given up");
    client.destroy();
    await serves(server);
  });

  check(
    "frames behind a refused handshake are not requests, and requests behind one are not served",
    async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send(`${handshake("/refuse")}GET / HTTP/1.1\r\nHost: smuggled\r\n\r\n`);
      assert.equal((await client.response()).status, 403);
      await client.ended();
      assert.equal(client.unparsed(), "");
    },
  );

  test(`websocket attacks on ${runtime}: an application that does not decide is answered for with 503`, () =>
    withServer(runtime, APP, ["--ws-handshake-timeout=0.1"], async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send(handshake("/undecided"));
      assert.equal((await client.response()).status, 503);
      await client.ended();
      assert.match(await journal(server), /undecided .*"code":1006/);
    }));

  test(`websocket attacks on ${runtime}: a client that is silent behind a ping is left`, () =>
    withServer(runtime, APP, ["--ws-ping-interval=0.05", "--ws-ping-timeout=0.1"], async (server) => {
      const client = await RawWebSocket.open(server.address, "/echo?silent");
      assert.equal((await client.next()).opcode, PING);
      await until(async () => (await journal(server)).includes("silent disconnect 1006"), "the application is told");
      await client.ended();
    }));

  test(`websocket attacks on ${runtime}: a client that answers pings stays`, () =>
    withServer(runtime, APP, ["--ws-ping-interval=0.05", "--ws-ping-timeout=10"], async (server) => {
      const client = await RawWebSocket.open(server.address, "/echo");
      for (let i = 0; i < 4; i++) {
        const ping = await client.next();
        assert.equal(ping.opcode, PING);
        assert.equal(ping.payload.length, 4);
        await client.send(frame(PONG, ping.payload));
      }
      client.destroy();
    }));

  test(`websocket attacks on ${runtime}: a client that never closes is left`, () =>
    withServer(runtime, APP, ["--ws-close-timeout=0.1"], async (server) => {
      const client = await RawWebSocket.open(server.address, "/accept-and-return");
      assert.equal(closeOf(await client.next()), "1000");
      assert.equal(await client.ended(), "fin");
    }));

  test(`websocket attacks on ${runtime}: a lifetime ends with 1001`, () =>
    withServer(runtime, APP, ["--ws-lifetime=0.1"], async (server) => {
      const client = await RawWebSocket.open(server.address, "/echo?aged");
      assert.equal(closeOf(await client.next()), "1001");
      await until(async () => (await journal(server)).includes("aged disconnect 1001"), "the application is told");
      client.destroy();
    }));

  test(`websocket attacks on ${runtime}: a slow handshake is cut`, () =>
    withServer(runtime, APP, ["--timeout-header=0.2"], async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send(...handshake("/echo").slice(0, 60));
      assert.equal((await client.response()).status, 408);
      await client.ended();
    }));

  test(`websocket attacks on ${runtime}: a server that stops says 1012, and does not wait for a client that is silent`, () =>
    withServer(runtime, APP, ["--ws-close-timeout=0.1"], async (server) => {
      const polite = await RawWebSocket.open(server.address, "/echo");
      const silent = await RawWebSocket.open(server.address, "/echo");
      server.signal("SIGTERM");
      const told = await polite.next();
      assert.equal(closeOf(told), "1012");
      await polite.send(frame(CLOSE, told.payload));
      assert.equal(await polite.ended(), "fin");
      assert.equal(closeOf(await silent.next()), "1012");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      silent.destroy();
    }));

  test(`websocket attacks on ${runtime}: a client that answers nothing is cut at the deadline of a stop`, () =>
    withServer(runtime, APP, ["--timeout-graceful-shutdown=0.4"], async (server) => {
      const silent = await RawWebSocket.open(server.address, "/echo");
      server.signal("SIGINT");
      assert.equal(closeOf(await silent.next()), "1012");
      await silent.ended();
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      assert.match(server.stderr, /1 connections were not finished in time and are cut/);
    }));

  test(`websocket attacks on ${runtime}: a stop waits for what an application does behind the end, then shuts it down`, () =>
    withServer(runtime, APP, [], async (server) => {
      const stays = await RawWebSocket.open(server.address, "/slow-end?300");
      const left = await RawWebSocket.open(server.address, "/slow-end?300");
      left.socket.resetAndDestroy();
      server.signal("SIGTERM");
      await stays.send(frame(CLOSE, (await stays.next()).payload));
      assert.equal(await stays.ended(), "fin");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      const said = server.stderr.match(/the slow end is over|the application is shut down/g);
      assert.deepEqual(said, ["the slow end is over", "the slow end is over", "the application is shut down"]);
    }));

  test(`websocket attacks on ${runtime}: … but not longer than the deadline`, () =>
    withServer(runtime, APP, ["--timeout-graceful-shutdown=0.4"], async (server) => {
      const client = await RawWebSocket.open(server.address, "/slow-end?600000");
      server.signal("SIGTERM");
      await client.send(frame(CLOSE, (await client.next()).payload));
      assert.equal(await client.ended(), "fin");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      assert.match(server.stderr, /Waiting for 1 call of the application/);
      assert.match(server.stderr, /1 call of the application did not return in time/);
      assert.match(server.stderr, /the application is shut down/);
    }));
});
