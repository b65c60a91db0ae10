/** WebSockets on a fake socket: what waits for whom, and what is given back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Application, Send, SentHeader } from "../../src/asgi/types.ts";
import { WEBSOCKET_CALL, type WebSocketCall } from "../../src/asgi/websocket-call.ts";
import { settle, Wired, type WiredOptions } from "../harness/fake-socket.ts";
import { latin1 } from "../harness/response.ts";
import {
  BINARY,
  CLOSE,
  closeFrame,
  closeOf,
  frame,
  handshake,
  PING,
  PONG,
  parseServerFrame,
  TEXT,
  textOf,
} from "../harness/websocket.ts";
import { type Opened, openWired } from "../harness/wired-websocket.ts";

const lent = ({ wired }: Opened) => wired.context.pool.lent;

for (const ownsChunks of [true, false]) {
  const kind = ownsChunks ? "chunks that are kept" : "a buffer that is used again";
  const given = { ownsChunks, limits: {} };

  test(`websocket, ${kind}: frames with the handshake and cut anywhere are the same messages`, async () => {
    const messages = Buffer.concat([frame(TEXT, "one"), frame(BINARY, Uint8Array.of(1, 2)), frame(TEXT, "grüße")]);
    for (let cut = 0; cut <= messages.length; cut++) {
      const opened = await openWired(given, messages.subarray(0, cut));
      opened.client.feed(new Uint8Array(messages.subarray(cut)));
      await opened.take(3);
      assert.deepEqual(opened.got, [
        { type: "websocket.receive", text: "one", bytes: null },
        { type: "websocket.receive", text: null, bytes: Uint8Array.of(1, 2) },
        { type: "websocket.receive", text: "grüße", bytes: null },
      ]);
    }
  });

  test(`websocket, ${kind}: an application that does not receive pauses its client, and goes on where it was`, async () => {
    const opened = await openWired({ ...given, wsQueueMessages: 4 });
    const all = Buffer.concat(Array.from({ length: 20 }, (_, i) => frame(BINARY, Uint8Array.of(i))));
    opened.client.feed(all.subarray(0, 75), all.subarray(75, 100), all.subarray(100));
    assert.equal(opened.client.socket.paused, true);
    await opened.take(20);
    assert.deepEqual(
      opened.got.map((event) => event.type === "websocket.receive" && event.bytes?.[0]),
      Array.from({ length: 20 }, (_, i) => i),
    );
    assert.equal(opened.client.socket.paused, false);
  });
}

test("websocket: a connection that rests holds no buffer", async () => {
  const opened = await openWired();
  assert.equal(lent(opened), 0);
  opened.client.feed(frame(TEXT, "a"));
  await opened.send({ type: "websocket.send", text: "b" });
  await settle();
  assert.equal(textOf(opened.frames()[0]), "b");
  assert.equal(lent(opened), 0);
});

test("websocket: messages in pieces of several connections, which are lent the same decoders, are not mixed", async () => {
  const got: string[][] = [];
  const app: Application = async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    const own: string[] = [];
    got.push(own);
    for (let event = await receive(); event.type === "websocket.receive"; event = await receive()) {
      own.push(event.text ?? "");
    }
  };
  const wired = new Wired(app, { ownsChunks: false });
  const clients = Array.from({ length: 3 }, () => wired.connect());
  for (const client of clients) await client.send(handshake("/"));
  const text = (client: number, round: number) => `client ${client}, message ${round}`;
  for (let round = 0; round < 20; round++) {
    const frames = clients.map((_, i) => frame(TEXT, text(i, round)));
    // Each is cut elsewhere, or not at all; a piece may end within the head.
    const cuts = frames.map(({ length }, i) => (round * (i + 1)) % (length + 1));
    for (const [i, client] of clients.entries()) client.feed(frames[i].subarray(0, cuts[i]));
    await settle();
    for (const [i, client] of clients.toReversed().entries()) {
      const k = clients.length - 1 - i;
      client.feed(frames[k].subarray(cuts[k]));
    }
    await settle();
  }
  assert.deepEqual(
    got,
    clients.map((_, i) => Array.from({ length: 20 }, (_, round) => text(i, round))),
  );
});

test("websocket: behind a handshake, and behind a message that comes after a silence, little is awaited", async () => {
  const { wired, client } = await openWired();
  const { socket } = client;
  const said = () => {
    const { littles } = socket;
    socket.littles = 0;
    return littles;
  };
  assert.equal(said(), 1, "behind the handshake");
  const message = frame(TEXT, "a message that comes in two pieces");
  const sendInPieces = async () => {
    await client.send(message.subarray(0, 20));
    const within = said();
    await client.send(message.subarray(20));
    return [within, said()];
  };
  assert.deepEqual(await sendInPieces(), [0, 1], "the first message, once it is whole");
  assert.deepEqual(await sendInPieces(), [0, 0], "one right behind another");
  wired.pass(1000);
  assert.deepEqual(await sendInPieces(), [0, 1], "one after a silence");
  assert.deepEqual(await sendInPieces(), [0, 0]);
});

test("websocket: send waits for a slow reader, in order, and nothing enters a frame", async () => {
  const opened = await openWired();
  const { socket } = opened.client;
  socket.take = (offered) => Math.min(offered, 1000);
  const large = new Uint8Array(300_000).fill(9);
  let resolved = 0;
  const sent = [
    opened.send({ type: "websocket.send", bytes: large }),
    opened.send({ type: "websocket.send", text: "behind" }),
  ].map((one) => one.then(() => resolved++));
  await settle();
  assert.equal(resolved, 0);
  opened.client.feed(frame(PING, "now"));
  await settle();
  assert.equal(resolved, 0);
  socket.take = (offered) => Math.min(offered, 100_000);
  await socket.drain();
  await Promise.all(sent);
  const frames = opened.frames();
  assert.deepEqual(
    frames.map(({ opcode }) => opcode),
    [BINARY, PONG, TEXT],
  );
  assert.deepEqual(frames[0].payload, large);
  assert.equal(lent(opened), 0);
});

test("websocket: what one client has not read yet is not overwritten by what another is told", async () => {
  // Two clients of one process that compress: a text that does not shrink meets a buffer full of pongs.
  const fields = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
  const sends: Send[] = [];
  const app: Application = async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    sends.push(send);
    await new Promise(() => {});
  };
  const wired = new Wired(app, { wsDeflateThresholdBytes: 1 });
  const [slow, other] = [wired.connect(), wired.connect()];
  for (const client of [slow, other]) client.feed(handshake("/", fields));
  await settle();
  const headEnd = slow.socket.text.indexOf("\r\n\r\n") + 4;
  slow.socket.take = () => 0;
  const most = frame(PING, new Uint8Array(125));
  // One by one: of more in one chunk not each is answered.
  for (let i = 0; i < 516; i++) {
    slow.feed(i === 515 ? frame(PING, new Uint8Array(100)) : most);
    if (i === 0) await settle();
  }
  const text = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + ((i * 37) % 95))).join("");
  const sent = sends[0]({ type: "websocket.send", text });
  await sends[1]({ type: "websocket.send", text: "told in confidence: ".repeat(10) });
  slow.socket.take = (offered) => offered;
  await slow.socket.drain();
  await sent;
  const bytes = slow.socket.bytes.subarray(headEnd);
  assert.equal(latin1(bytes.subarray(bytes.length - 95)), text);
});

test("websocket: messages that nobody awaits gather nothing but themselves while others wait", async () => {
  const opened = await openWired();
  opened.client.socket.take = () => 0;
  const say = (text: string) => opened.send({ type: "websocket.send", text });
  await say("first");
  await settle();
  const sent = [say("0"), say("1"), say("2")];
  assert.equal(new Set(sent).size, 1, "one promise for all");
  let drained = false;
  void sent[0].then(() => {
    drained = true;
  });
  await settle();
  assert.equal(drained, false);
  opened.client.socket.take = (offered) => offered;
  await opened.client.socket.drain();
  await Promise.all(sent);
  assert.deepEqual(opened.frames().map(textOf), ["first", "0", "1", "2"]);
});

test("websocket: what waits for a client beyond the bound resets it", async () => {
  const opened = await openWired({ wsSendQueueBytes: 100_000 });
  opened.client.socket.take = () => 0;
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, () => opened.send({ type: "websocket.send", bytes: new Uint8Array(30_000) })),
  );
  assert.equal(opened.client.socket.ending, "reset");
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.match(opened.wired.logs("warning").join(), /reads too slowly/);
  assert.equal(opened.wired.connections.size, 0);
  assert.equal(lent(opened), 0);
});

test("websocket: nothing is accepted behind the close frame, and the messages before it are received", async () => {
  const opened = await openWired();
  opened.client.feed(Buffer.concat([frame(TEXT, "before"), closeFrame(1000, "bye"), frame(TEXT, "after")]));
  await assert.rejects(opened.send({ type: "websocket.send", text: "late" }), { name: "ClientDisconnected" });
  await opened.take(3);
  const end = { type: "websocket.disconnect", code: 1000, reason: "bye" };
  assert.deepEqual(opened.got, [{ type: "websocket.receive", text: "before", bytes: null }, end, end]);
  assert.equal(closeOf(opened.frames()[0]), "1000 bye");
  assert.equal(opened.client.socket.ending, "fin");
  opened.client.fin();
  assert.equal(opened.wired.connections.size, 0);
});

test("websocket: a client that is silent is pinged, then left; one that is not read is neither", async () => {
  const opened = await openWired({ wsPingIntervalMs: 100, wsPingTimeoutMs: 50, wsQueueMessages: 1 });
  opened.wired.pass(99);
  await settle();
  assert.equal(opened.frames().length, 0);
  opened.wired.pass(1);
  await settle();
  assert.equal(opened.frames()[0].opcode, PING);
  opened.client.feed(frame(PONG, "x"));
  opened.wired.pass(100);
  opened.wired.pass(50);
  assert.equal(opened.client.socket.ending, "reset");
  assert.equal(closeOf(opened.frames()[2]), "1011 ping timeout");

  const deaf = await openWired({ wsPingIntervalMs: 100, wsPingTimeoutMs: 50, wsQueueMessages: 1 });
  deaf.client.feed(Buffer.concat([frame(TEXT, "1"), frame(TEXT, "2")]), frame(TEXT, "3"));
  assert.equal(deaf.client.socket.paused, true);
  deaf.wired.pass(1000);
  deaf.wired.pass(1000);
  assert.equal(deaf.client.socket.ending, "open");
});

test("websocket: a stop says 1012 to those who are connected, 503 to those who wait, and counts them", async () => {
  const opened = await openWired();
  for (const connection of [...opened.wired.connections]) connection.stop();
  await settle();
  assert.equal(closeOf(opened.frames()[0]), "1012");
  await opened.take(1);
  assert.deepEqual(opened.got, [{ type: "websocket.disconnect", code: 1012, reason: "" }]);
  opened.client.feed(frame(CLOSE, opened.frames()[0].payload));
  assert.equal(opened.wired.connections.size, 0);
  assert.equal(opened.wired.context.inFlight, 0);

  const waiting = new Wired(async () => new Promise(() => {}));
  const client = waiting.connect();
  client.feed(handshake("/"));
  assert.equal(waiting.context.inFlight, 1);
  for (const connection of [...waiting.connections]) connection.stop();
  assert.match(client.socket.text, /^HTTP\/1\.1 503 /);
  assert.equal(waiting.context.inFlight, 0);
});

test("websocket: the handshake is in the access log, once", async () => {
  const opened = await openWired();
  opened.client.gone();
  assert.deepEqual(opened.wired.accessed, ["192.0.2.7 GET / 1.1 101"]);
});

test("websocket: many pings of one turn get sixteen pongs and the last one's", async () => {
  const opened = await openWired();
  opened.client.feed(Buffer.concat(Array.from({ length: 100 }, (_, i) => frame(PING, `${i}`))));
  await settle();
  const pongs = opened.frames().map(textOf);
  assert.equal(pongs.length, 17);
  assert.equal(pongs[16], "99");
});

/** An application that is part of the server: it is told messages as bytes. */
function openCall(options: WiredOptions = {}, headers: readonly SentHeader[] = []) {
  const told: string[] = [];
  let full = false;
  let call!: WebSocketCall;
  const take = (each: WebSocketCall): void => {
    call = each;
    each.listen({
      get full() {
        return full;
      },
      message: (isText, bytes, start, end) => {
        told.push(`${isText ? "text" : "binary"} ${Buffer.from(bytes.subarray(start, end)).toString()}`);
      },
      ended: (code, reason) => void told.push(`ended ${code} ${reason}`),
    });
    each.send({ type: "websocket.accept", headers }).catch(() => {});
  };
  const app = Object.assign((() => assert.fail("it is not asked")) as Application, { [WEBSOCKET_CALL]: take });
  const wired = new Wired(app, options);
  const client = wired.connect();
  client.feed(handshake("/"));
  const headEnd = () => client.socket.text.indexOf("\r\n\r\n") + 4;
  const first = () => parseServerFrame(client.socket.bytes.subarray(headEnd()))?.frame;
  return { wired, client, call, told, first, fill: (now: boolean) => void (full = now) };
}

test("websocket: an application that takes calls is told messages as bytes, and the end", async () => {
  const { client, told, wired } = openCall();
  client.feed(Buffer.concat([frame(TEXT, "grüße"), frame(BINARY, "b"), frame(TEXT, ""), closeFrame(4001, "bye")]));
  assert.deepEqual(told, ["text grüße", "binary b", "text ", "ended 4001 bye"]);
  assert.equal(wired.context.inFlight, 0);
});

test("websocket: an application that takes calls sends bytes, which it may change behind that", async () => {
  const { call, first } = openCall();
  const bytes = new TextEncoder().encode("<grüße>");
  assert.equal(call.message(true, bytes, 1, bytes.length - 1, 0), null);
  bytes.fill(0);
  await settle();
  const sent = first()!;
  assert.deepEqual([sent.opcode, textOf(sent)], [TEXT, "grüße"]);
});

test("websocket: a message behind an acceptance that was refused rejects, and throws nothing", async () => {
  const { call, client } = openCall({}, [["x-own", "a\nb"]]);
  const sent = call.message(true, new Uint8Array(3), 0, 3, 0);
  await assert.rejects(sent!, { name: "ProtocolViolation" });
  call.raised(new Error("the application has failed"));
  await settle();
  assert.match(client.socket.text, /^HTTP\/1\.1 500 /);
});

test("websocket: what the socket does not take of such bytes is copied, and waited for", async () => {
  const { call, client, first } = openCall();
  await settle();
  client.socket.take = () => 0;
  const bytes = new Uint8Array(40_000).fill(7);
  const sent = [call.message(false, bytes, 0, 40_000, 0), call.message(true, bytes, 0, 100, 0)];
  bytes.fill(0);
  await settle();
  client.socket.take = (offered) => offered;
  await client.socket.drain();
  await settle();
  assert.ok(sent.every((each) => each !== null));
  await Promise.all(sent);
  assert.deepEqual(first()?.payload, new Uint8Array(40_000).fill(7));
});

for (const taken of [70_000, 30_004, 3, 0]) {
  test(`websocket: a large message leaves from where it lies, its head in front of it (the socket takes ${taken})`, async () => {
    for (const size of [60_000, 66_000]) {
      const { call, client, first } = openCall();
      await settle();
      client.socket.take = (offered) => Math.min(offered, taken);
      // As node:net reads it: a `slice` of it would be a view.
      const around = Buffer.alloc(12 + size + 5)
        .fill(7)
        .fill(8, 0, 12)
        .fill(9, 12 + size);
      const sent = call.message(false, around, 12, 12 + size, 12);
      assert.equal(sent === null, taken > size);
      // The head's bytes at most were anybody's.
      assert.deepEqual([around[0], around[1], around.at(-5)], [8, 8, 9]);
      around.fill(0);
      client.socket.take = (offered) => offered;
      if (sent !== null) await client.socket.drain();
      await sent;
      await settle();
      const found = first()!;
      assert.equal(found.opcode, BINARY);
      assert.ok(found.payload.length === size && found.payload.every((byte) => byte === 7));
    }
  });
}

test("websocket: an application that takes calls and is full stops the reading, until it has room", async () => {
  const { call, client, told, fill } = openCall();
  fill(true);
  client.feed(frame(TEXT, "a"));
  client.feed(frame(TEXT, "b"));
  assert.equal(client.socket.paused, true);
  assert.deepEqual(told, []);
  fill(false);
  call.roomAgain();
  assert.deepEqual(told, ["text a", "text b"]);
  assert.equal(client.socket.paused, false);
});

test("websocket: an application that takes calls and fails closes with 1011", async () => {
  const { call, first, told } = openCall();
  call.raised(new Error("broken"));
  await settle();
  assert.equal(closeOf(first()!), "1011");
  assert.equal(call.message(true, new Uint8Array(1), 0, 1, 0), null, "nothing happens any more");
  assert.deepEqual(told, []);
});
