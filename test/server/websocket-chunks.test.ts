/** Whose the memory of a chunk is: texts give it back, binary messages keep it, and nothing else refers to it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Application, Receive, ReceiveEvent, Send } from "../../src/asgi/types.ts";
import { type Client, settle, Wired, type WiredOptions } from "../harness/fake-socket.ts";
import { BINARY, frame, handshake, PING, parseServerFrame, TEXT, textOf } from "../harness/websocket.ts";

async function open(options: WiredOptions = {}) {
  let send!: Send;
  let receive!: Receive;
  const app: Application = async (_scope, hear, say) => {
    send = say;
    receive = hear;
    await receive();
    await send({ type: "websocket.accept" });
    await new Promise(() => {});
  };
  const client = new Wired(app, options).connect();
  client.feed(handshake("/"));
  await settle();
  return { client, send, receive };
}

/** Hands the frames over as one chunk, as a runtime does, and returns it. A Buffer: its `slice` is a view. */
function deliver({ socket }: Client, ...frames: Uint8Array[]): Uint8Array {
  const whole = Buffer.concat(frames);
  const chunk = Buffer.from(new ArrayBuffer(whole.length));
  chunk.set(whole);
  socket.handler.onData(chunk, chunk.length);
  return chunk;
}

const bytesOf = (event: ReceiveEvent) => (event.type === "websocket.receive" ? event.bytes : null);
const LONG = "long text ".repeat(2000);

test("a chunk of texts is given back, and the texts are whole", async () => {
  const { client, receive } = await open();
  const chunk = deliver(client, frame(TEXT, LONG), frame(TEXT, "grüße"));
  assert.equal(chunk.length, 0);
  assert.deepEqual(await receive(), { type: "websocket.receive", text: LONG, bytes: null });
  assert.deepEqual(await receive(), { type: "websocket.receive", text: "grüße", bytes: null });
});

test("a chunk of which a binary message is a view stays, whatever follows in it", async () => {
  const { client, receive } = await open();
  const payload = Uint8Array.from({ length: 50_000 }, (_, i) => i);
  const chunk = deliver(client, frame(BINARY, payload), frame(TEXT, "behind it"));
  const got = bytesOf(await receive());
  assert.deepEqual(got, payload);
  assert.equal(got?.buffer, chunk.buffer);
  assert.equal(got?.constructor, Uint8Array);
});

test("small binary messages are copied out of a large chunk, which is given back", async () => {
  const { client, receive } = await open();
  const chunk = deliver(client, frame(TEXT, LONG), frame(BINARY, Uint8Array.of(1, 2, 3)));
  assert.equal(chunk.length, 0);
  await receive();
  assert.deepEqual(bytesOf(await receive()), Uint8Array.of(1, 2, 3));
});

test("what an application's `slice` gives it is a copy", async () => {
  const { client, receive } = await open();
  deliver(client, frame(BINARY, new Uint8Array(50_000).fill(7)));
  deliver(client, frame(BINARY, new Uint8Array(3).fill(7)));
  for (let i = 0; i < 2; i++) {
    const bytes = bytesOf(await receive())!;
    const copy = bytes.slice(0, 2);
    bytes.fill(0);
    assert.deepEqual(copy, Uint8Array.of(7, 7));
  }
});

test("a chunk that waits for the application is given back behind its last message", async () => {
  const { client, receive } = await open({ wsQueueMessages: 1 });
  const first = deliver(client, frame(TEXT, LONG), frame(TEXT, "second"));
  const second = deliver(client, frame(TEXT, LONG), frame(TEXT, "fourth"));
  assert.ok(first.length > 0 && second.length > 0);
  const texts: (string | null)[] = [];
  for (let i = 0; i < 4; i++) {
    const event = await receive();
    texts.push(event.type === "websocket.receive" ? event.text : null);
  }
  await settle();
  assert.deepEqual(texts, [LONG, "second", LONG, "fourth"]);
  assert.deepEqual([first.length, second.length], [0, 0]);
});

test("the last of many pings in a large chunk is answered with what it said", async () => {
  const { client } = await open();
  const head = client.socket.bytes.length;
  deliver(client, ...Array.from({ length: 2000 }, (_, i) => frame(PING, `ping ${i}`)));
  await settle();
  let bytes = client.socket.bytes.subarray(head);
  let last = "";
  for (let next = parseServerFrame(bytes); next !== undefined; next = parseServerFrame(bytes)) {
    last = textOf(next.frame);
    bytes = bytes.subarray(next.end);
  }
  assert.equal(last, "ping 1999");
});

test("a chunk in a buffer that is used again is never given back, and what is left of it is kept", async () => {
  const { client, receive } = await open({ ownsChunks: false, wsQueueMessages: 1 });
  const whole = Buffer.concat([frame(TEXT, LONG), frame(TEXT, LONG), frame(BINARY, new Uint8Array(20_000).fill(9))]);
  const buffer = new Uint8Array(whole.length + 8);
  buffer.set(whole);
  client.socket.handler.onData(buffer, whole.length);
  assert.equal(buffer.length, whole.length + 8);
  buffer.fill(0);
  for (let i = 0; i < 2; i++) {
    const event = await receive();
    assert.equal(event.type === "websocket.receive" && event.text, LONG);
  }
  assert.deepEqual(bytesOf(await receive()), new Uint8Array(20_000).fill(9));
});
