/** WebSockets as bytes on the wire, on both runtimes: handshake, messages, the closing handshake, denials. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { onEach, type Server, sharedServer, testApp } from "../harness/server.ts";
import { until } from "../harness/wait.ts";
import {
  ACCEPT,
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

/** What the test application has noted. */
async function journal(server: Server): Promise<string> {
  return (await fetch(server.url)).text();
}

/** The answer to a handshake that is refused. */
async function refusal(server: Server, head: string) {
  const client = await RawClient.connect(server.address);
  await client.send(head);
  const response = await client.response();
  await client.ended();
  return response;
}

onEach((runtime) => {
  const started = sharedServer(runtime, testApp("websocket.ts"), ["--no-access-log"]);
  const check = (name: string, run: (server: Server) => Promise<void>) =>
    test(`websocket on ${runtime}: ${name}`, async () => run(await started()));

  check("the handshake is answered as RFC 6455 has it", async (server) => {
    const client = await RawWebSocket.open(server.address, "/echo");
    assert.match(client.head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    assert.ok(client.head.includes(`sec-websocket-accept: ${ACCEPT}\r\n`));
    assert.match(client.head, /\r\nupgrade: websocket\r\nconnection: Upgrade\r\n/);
    assert.match(client.head, /\r\nserver: ringcorn\r\ndate: [^\r]+\r\n\r\n$/);
    assert.doesNotMatch(client.head, /content-length|transfer-encoding|sec-websocket-extensions/);
    client.destroy();
  });

  check("messages come back as they were, whatever their kind and size", async (server) => {
    const client = await RawWebSocket.open(server.address, "/echo");
    await client.send(frame(TEXT, "grüße €"), frame(BINARY, Uint8Array.of(0, 255)), frame(TEXT, ""));
    assert.equal(textOf(await client.next()), "grüße €");
    assert.deepEqual(await client.next(), { opcode: BINARY, compressed: false, payload: Uint8Array.of(0, 255) });
    assert.equal(textOf(await client.next()), "");
    for (const size of [125, 126, 65_535, 65_536, 3_000_000]) {
      const payload = Uint8Array.from({ length: size }, (_, i) => i % 251);
      await client.send(frame(BINARY, payload));
      const answer = await client.next();
      assert.equal(Buffer.compare(answer.payload, payload), 0, `${size} bytes`);
    }
    client.destroy();
  });

  check("binary messages are plain Uint8Arrays to the application", async (server) => {
    const client = await RawWebSocket.open(server.address, "/kinds");
    for (const size of [3, 9_000, 200_000]) {
      await client.send(frame(BINARY, new Uint8Array(size)));
      assert.equal(textOf(await client.next()), `Uint8Array ${size}`);
    }
    client.destroy();
  });

  check("fragments with control frames between them are one message", async (server) => {
    const client = await RawWebSocket.open(server.address, "/echo");
    const [first, middle, last] = [frame(TEXT, "a", { flags: 0 }), frame(0, "b", { flags: 0 }), frame(0, "c")];
    await client.send(first, frame(PING, "p"), middle, frame(PONG, "unasked"), last);
    const pong = await client.next();
    assert.equal(pong.opcode, PONG);
    assert.equal(textOf(pong), "p");
    assert.equal(textOf(await client.next()), "abc");
    client.destroy();
  });

  check("frames that arrive with the handshake and byte by byte are kept", async (server) => {
    const client = await RawWebSocket.open(server.address, "/echo", "", frame(TEXT, "early"));
    assert.equal(textOf(await client.next()), "early");
    await client.send(...Array.from(frame(TEXT, "slow"), (byte) => Uint8Array.of(byte)));
    assert.equal(textOf(await client.next()), "slow");
    client.destroy();
  });

  check("a handshake behind pipelined requests is answered after them", async (server) => {
    const client = await RawWebSocket.connect(server.address);
    await client.send(
      Buffer.concat([Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${handshake("/echo")}`), frame(TEXT, "behind")]),
    );
    assert.match(await client.answer(), /^HTTP\/1\.1 200 /);
    const length = Number(/content-length: (\d+)/.exec(client.head)?.[1]);
    await until(() => client.bufferedBytes >= length, "the body has arrived");
    client.skip(length);
    assert.match(await client.answer(), /^HTTP\/1\.1 101 /);
    assert.equal(textOf(await client.next()), "behind");
    client.destroy();
  });

  check("the scope, the subprotocol and the application's fields", async (server) => {
    const client = await RawWebSocket.open(server.address, "/scope?a=%20b", "Sec-WebSocket-Protocol: one, two\r\n");
    assert.match(client.head, /\r\nsec-websocket-protocol: one\r\n/);
    assert.match(client.head, /\r\nx-own: yes\r\n/);
    const scope = JSON.parse(textOf(await client.next()));
    assert.deepEqual(scope, {
      type: "websocket",
      asgi: { version: "3.0", spec_version: "2.5" },
      http_version: "1.1",
      scheme: "ws",
      path: "/scope",
      root_path: "",
      subprotocols: ["one", "two"],
      extensions: ["websocket.http.response"],
      client: "127.0.0.1",
      server: "127.0.0.1",
      raw_path: "/scope",
      query_string: "a=%20b",
      headers: [
        "host",
        "upgrade",
        "connection",
        "sec-websocket-version",
        "sec-websocket-key",
        "sec-websocket-protocol",
      ],
    });
    assert.equal(closeOf(await client.next()), "4001 told");
    await client.send(closeFrame(4001));
    assert.equal(await client.ended(), "fin");
  });

  check("events out of order are refused, and do no harm", async (server) => {
    const client = await RawWebSocket.open(server.address, "/wrong-order");
    const violation = "ProtocolViolation";
    const expected = [...Array(4).fill(violation), "taken", ...Array(5).fill(violation)];
    assert.deepEqual(textOf(await client.next()).split(" "), expected);
    assert.equal(closeOf(await client.next()), "1000");
    await until(async () => (await journal(server)).includes("wrong-order ClientDisconnected"), "the late send raised");
    client.destroy();
  });

  for (const [code, reason, expected] of [
    [1000, "", "1000"],
    [1001, "leaving", "1001 leaving"],
    [3000, "", "3000"],
    [4999, "ü", "4999 ü"],
  ] as const) {
    check(`the client closes with ${code}`, async (server) => {
      const client = await RawWebSocket.open(server.address, `/echo?close-${code}`);
      await client.send(frame(TEXT, "last"));
      assert.equal(textOf(await client.next()), "last");
      await client.send(Buffer.concat([closeFrame(code, reason), frame(TEXT, "after")]));
      assert.equal(closeOf(await client.next()), expected);
      assert.equal(await client.rest(), "");
      const line = `close-${code} disconnect ${code} ${reason}`;
      await until(async () => (await journal(server)).includes(line), `the application is told ${line}`);
    });
  }

  check("a close frame without a code is 1005 to the application", async (server) => {
    const client = await RawWebSocket.open(server.address, "/echo?no-code");
    await client.send(frame(CLOSE));
    assert.equal(closeOf(await client.next()), "none");
    await until(async () => (await journal(server)).includes("no-code disconnect 1005"), "the application is told");
    assert.equal(await client.ended(), "fin");
  });

  for (const end of ["fin", "reset"] as const) {
    check(`a connection that ends with ${end} is 1006 to the application`, async (server) => {
      const client = await RawWebSocket.open(server.address, `/echo?gone-by-${end}`);
      await client.send(frame(TEXT, "a"));
      await client.next();
      if (end === "fin") client.socket.end();
      else client.socket.resetAndDestroy();
      await until(async () => (await journal(server)).includes(`gone-by-${end} disconnect 1006`), "it is told");
      client.destroy();
    });
  }

  for (const [target, expected] of [
    ["/accept-and-return", "1000"],
    ["/throw-later", "1011"],
  ]) {
    check(`${target} closes with ${expected}`, async (server) => {
      const client = await RawWebSocket.open(server.address, target);
      assert.equal(closeOf(await client.next()), expected);
      await client.send(closeFrame(Number(expected)));
      assert.equal(await client.ended(), "fin");
    });
  }

  for (const [target, status] of [
    ["/refuse", 403],
    ["/return", 403],
    ["/throw", 500],
    ["/deny-half", 500],
  ] as const) {
    check(`${target} is answered ${status}`, async (server) => {
      const answer = await refusal(server, handshake(target));
      assert.equal(answer.status, status);
      assert.equal(field(answer, "connection"), "close");
    });
  }

  check("a denial response is the application's own", async (server) => {
    const answer = await refusal(server, handshake("/deny"));
    assert.equal(answer.status, 401);
    assert.equal(field(answer, "www-authenticate"), "Basic");
    assert.equal(field(answer, "connection"), "close");
    assert.equal(text(answer), "who are you?");
  });

  for (const [name, head, status, fields] of [
    [
      "an old version",
      handshake("/echo").replace(": 13", ": 8"),
      426,
      { "sec-websocket-version": "13", upgrade: "websocket" },
    ],
    ["no key", handshake("/echo").replace("Sec-WebSocket-Key", "X-Key"), 400, {}],
    ["a short key", handshake("/echo").replace("dGhl", ""), 400, {}],
    ["POST", handshake("/echo").replace("GET", "POST"), 405, { allow: "GET" }],
    ["content", handshake("/echo", "Content-Length: 4\r\n"), 400, {}],
    ["chunked content", handshake("/echo", "Transfer-Encoding: chunked\r\n"), 400, {}],
    ["bad subprotocols", handshake("/echo", "Sec-WebSocket-Protocol: a b\r\n"), 400, {}],
    ["repeated subprotocols", handshake("/echo", "Sec-WebSocket-Protocol: a, a\r\n"), 400, {}],
    ["malformed extensions", handshake("/echo", "Sec-WebSocket-Extensions: a;=\r\n"), 400, {}],
  ] as const) {
    check(`a handshake with ${name} is refused with ${status}`, async (server) => {
      const answer = await refusal(server, `${head}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.equal(answer.status, status);
      assert.equal(field(answer, "connection"), status === 426 ? "upgrade, close" : "close");
      for (const [field_, value] of Object.entries(fields)) assert.equal(field(answer, field_), value);
    });
  }

  check("another Upgrade, and one in HTTP/1.0, are ordinary requests", async (server) => {
    const heads = [
      handshake("/").replace("Upgrade: websocket", "Upgrade: h2c"),
      handshake("/").replace("HTTP/1.1", "HTTP/1.0"),
    ];
    for (const head of heads) {
      const client = await RawClient.connect(server.address);
      await client.send(head);
      assert.equal((await client.response()).status, 200);
      client.close();
    }
  });
});
