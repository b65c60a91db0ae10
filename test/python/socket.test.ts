/** WebSockets on their way through a worker that the test plays: credit, order, ends and deaths. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolViolation } from "../../src/asgi/errors.ts";
import { ENTRY_BYTES } from "../../src/python/socket.ts";
import * as wire from "../../src/python/wire.ts";
import { takenBytes } from "../harness/taken.ts";
import { type Bench, end, send, start } from "./bench.ts";
import { type FakeWorker, type Sent, turn } from "./fake.ts";
import { connect, type FakeSocketCall } from "./fake-socket.ts";

const ACCEPTED = "\x03\0\x01\0onex-own\0yes";
const CLOSE_1000 = "\xe8\x03";
const MB = 1 << 20;
const RESTART = { type: "websocket.close", code: 1012 };

interface Opened extends Bench {
  readonly worker: FakeWorker;
  readonly call: FakeSocketCall;
}

/** A pool of one worker that has accepted one WebSocket. */
async function open(): Promise<Opened> {
  const bench = await start();
  const call = connect(bench.pool);
  await turn();
  const [worker] = bench.workers;
  worker.say(wire.WS_ACCEPT, 0, 1, ACCEPTED);
  await turn();
  return { ...bench, worker, call };
}

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const textOf = ({ payload }: Sent): string => new TextDecoder().decode(payload);
const messages = (worker: FakeWorker): Sent[] => worker.of(wire.WS_MESSAGE);

test("socket: the handshake reaches the worker, and its acceptance the client", async () => {
  const opened = await open();
  const [connected] = opened.worker.of(wire.WS_CONNECT);
  assert.ok(Buffer.from(connected.payload).includes("/chat"));
  assert.ok(Buffer.from(connected.payload).toString("latin1").endsWith("[\x02\0\0\0z\x03onez\x03two"));
  const [event] = opened.call.sent;
  assert.ok(typeof event !== "string" && event.type === "websocket.accept");
  assert.equal(event.subprotocol, "one");
  const [[name, value]] = [...event.headers!];
  assert.equal(Buffer.concat([name as Uint8Array, value as Uint8Array]).toString(), "x-ownyes");
  await end(opened);
});

test("socket: messages of one turn leave in one write, in order, texts marked", async () => {
  const opened = await open();
  const { worker, call } = opened;
  call.says("grüße");
  call.says(Uint8Array.of(0, 255));
  call.says("");
  assert.equal(messages(worker).length, 0);
  await turn();
  assert.deepEqual(
    messages(worker).map((each) => [each.flags, textOf(each)]),
    [
      [wire.TEXT, "grüße"],
      [0, "\0\ufffd"],
      [wire.TEXT, ""],
    ],
  );
  await end(opened);
});

test("socket: without credit messages wait, reading stops, and credit lets both go on", async () => {
  const opened = await open();
  const { worker, call } = opened;
  const big = new Uint8Array(60_000).fill(1);
  let said = 0;
  while (!call.taker.full) {
    call.says(big);
    said += 1;
    await turn();
    assert.ok(said < 20, "it is full at some time");
  }
  const sentBytes = messages(worker).reduce((sum, { payload }) => sum + payload.length + ENTRY_BYTES, 0);
  assert.ok(sentBytes >= wire.WINDOW_BYTES && sentBytes < wire.WINDOW_BYTES + 65_536 + ENTRY_BYTES, `${sentBytes}`);
  assert.ok(said > messages(worker).length);
  const rooms = call.rooms;
  worker.say(wire.RESPONSE_CREDIT, 0, 1, u32(sentBytes));
  await turn();
  assert.equal(messages(worker).length, said);
  assert.equal(call.taker.full, false);
  assert.ok(call.rooms > rooms);
  await end(opened);
});

test("socket: what is read while a write is put together keeps its order", async () => {
  const opened = await open();
  const { worker, call } = opened;
  const sizes = [300_000, 1, 2, 150_000, 3];
  call.onRoom = () => {
    call.onRoom = undefined;
    for (const size of sizes.slice(1)) call.says(new Uint8Array(size).fill(size));
  };
  call.says(new Uint8Array(sizes[0]));
  for (let i = 0; i < 2; i++) {
    await turn();
    worker.say(wire.RESPONSE_CREDIT, 0, 1, u32(240_000));
  }
  await turn();
  const got: number[] = [];
  let sum = 0;
  for (const { flags, payload } of messages(worker)) {
    sum += payload.length;
    if ((flags & wire.MORE) !== 0) continue;
    got.push(sum);
    sum = 0;
  }
  assert.deepEqual(got, sizes);
  await end(opened);
});

test("socket: a client that is always a little ahead of its worker pins no more than what waits", async () => {
  const opened = await open();
  const { worker, call } = opened;
  const message = new Uint8Array(20_000).fill(1);
  call.onRoom = () => {
    while (!call.taker.full) call.says(message);
  };
  call.onRoom();
  const before = takenBytes();
  for (let passed = 0; passed < 300 * MB; passed += 2 * message.length) {
    await turn();
    assert.ok(call.taker.full, "something waits all the time");
    worker.sent.length = 0;
    worker.say(wire.RESPONSE_CREDIT, 0, 1, u32(2 * (message.length + ENTRY_BYTES)));
  }
  const grownMb = (takenBytes() - before) / MB;
  assert.ok(grownMb < 200, `${grownMb} MB more`);
  await end(opened);
});

test("socket: one that stalls does not hold up another of the same worker", async () => {
  const opened = await open();
  const other = connect(opened.pool);
  await turn();
  opened.worker.say(wire.WS_ACCEPT, 0, 2, "\0\0\0\0");
  for (let i = 0; i < 10; i++) opened.call.says(new Uint8Array(60_000));
  other.says("through");
  await turn();
  const last = messages(opened.worker).at(-1)!;
  assert.deepEqual([last.id, textOf(last)], [2, "through"]);
  await end(opened);
});

test("socket: a message larger than a record goes in parts", async () => {
  const opened = await open();
  const { worker, call } = opened;
  const payload = Uint8Array.from({ length: 150_000 }, (_, i) => i % 251);
  call.says(payload);
  await turn();
  const parts = messages(worker);
  assert.deepEqual(
    parts.map(({ flags }) => flags),
    [wire.MORE, wire.MORE, 0],
  );
  assert.equal(Buffer.compare(Buffer.concat(parts.map((part) => part.payload)), payload), 0);
  await end(opened);
});

test("socket: the worker's messages reach the client, those in parts as one", async () => {
  const opened = await open();
  const { worker, call } = opened;
  worker.say(wire.WS_SEND, wire.TEXT, 1, "hello");
  worker.say(wire.WS_SEND, wire.TEXT | wire.MORE, 1, "wor");
  worker.say(wire.WS_SEND, wire.TEXT, 1, "ld");
  worker.say(wire.WS_SEND, 0, 1, "\0\xff");
  assert.deepEqual(call.sent.slice(1), ["text: hello", "text: world", "binary of 2 bytes"]);
  await end(opened);
});

test("socket: credit comes back when the client has taken the messages, not before", async () => {
  const opened = await open();
  const { worker, call } = opened;
  const stalled = Promise.withResolvers<void>();
  call.stalled = stalled.promise;
  worker.say(wire.WS_SEND, 0, 1, new Uint8Array(40_000));
  worker.say(wire.WS_SEND, 0, 1, new Uint8Array(40_000));
  await turn();
  assert.deepEqual(worker.of(wire.CREDIT), []);
  stalled.resolve();
  await turn();
  assert.deepEqual(
    worker.of(wire.CREDIT).map(({ payload }) => payload),
    [u32(80_000 + 2 * ENTRY_BYTES)],
  );
  await end(opened);
});

test("socket: the client's end is told behind its messages; send raises at once", async () => {
  const opened = await open();
  const { worker, call } = opened;
  for (let i = 0; i < 6; i++) call.says(new Uint8Array(60_000));
  call.taker.ended(4001, "bye");
  await turn();
  assert.equal(worker.of(wire.WS_CLOSED).length, 0);
  assert.deepEqual(
    worker.of(wire.DISCONNECT).map(({ flags }) => flags),
    [wire.GONE],
  );
  worker.say(wire.RESPONSE_CREDIT, 0, 1, u32(200_000));
  await turn();
  assert.deepEqual([worker.sent.at(-1)!.type, textOf(worker.sent.at(-1)!)], [wire.WS_CLOSED, "\ufffd\x0fbye"]);
  worker.say(wire.DONE, 0, 1);
  assert.equal(call.outcome, "returned");
  await end(opened);
});

test("socket: close before accept, a denial, and the application's end", async () => {
  const bench = await start();
  const calls = [1, 2, 3, 4].map(() => connect(bench.pool));
  await turn();
  const [worker] = bench.workers;
  worker.say(wire.WS_CLOSE, 0, 1, CLOSE_1000);
  worker.say(wire.RESPONSE, 0, 2, "\x91\x01\0\0\0\0who");
  worker.body(2, " are you?", wire.LAST);
  worker.say(wire.DONE, 0, 3);
  worker.say(wire.DONE, wire.RAISED, 4, "ValueError: no");
  await turn();
  assert.deepEqual(calls[0].types, ["websocket.close"]);
  assert.deepEqual(calls[1].types, [
    "websocket.http.response.start",
    "websocket.http.response.body",
    "websocket.http.response.body",
  ]);
  assert.equal(calls[2].outcome, "returned");
  assert.match(calls[3].outcome, /ValueError: no/);
  await end(bench);
});

test("socket: a denial's large body has room in front of it, which is no part of it", async () => {
  const bench = await start();
  const call = connect(bench.pool);
  await turn();
  const [worker] = bench.workers;
  const payload = `\x91\x01\x01\0\x03\0a\0b${"\0".repeat(wire.ROOM_BYTES)}${"x".repeat(20_000)}`;
  worker.say(wire.RESPONSE, wire.ROOM, 1, payload);
  worker.body(1, "end", wire.LAST);
  await turn();
  const bodies = call.sent.flatMap((event) =>
    typeof event !== "string" && event.type === "websocket.http.response.body" ? [event.body!.length] : [],
  );
  assert.deepEqual([bodies, worker.killed], [[20_000, 3], []]);
  await end(bench);
});

test("socket: what the core refuses is told to the worker, and ends the handshake", async () => {
  const bench = await start();
  const call = connect(bench.pool);
  await turn();
  call.refusal = new ProtocolViolation("a header value has a control byte");
  const [worker] = bench.workers;
  worker.say(wire.WS_ACCEPT, 0, 1, ACCEPTED);
  await turn();
  assert.equal(textOf(worker.of(wire.REFUSED)[0]), "a header value has a control byte\0WebSocket /chat");
  assert.match(call.outcome, /control byte/);
  worker.say(wire.WS_SEND, 0, 1, "on its way already");
  assert.deepEqual(worker.killed, []);
  await end(bench);
});

test("socket: a worker's death is 1012 to its open sockets, and nothing to another's", async () => {
  const bench = await start({ workers: 2 });
  const calls = [connect(bench.pool), connect(bench.pool)];
  await turn();
  for (const worker of bench.workers) worker.say(wire.WS_ACCEPT, 0, 1, ACCEPTED);
  const late = connect(bench.pool);
  await turn();
  bench.workers[0].exit(null, "SIGKILL");
  await turn();
  assert.deepEqual(calls[0].sent.at(-1), RESTART);
  assert.equal(calls[0].outcome, "returned");
  assert.deepEqual(calls[1].types, ["websocket.accept"]);
  assert.equal(calls[1].outcome, "pending");
  const answer = late.sent[0];
  assert.ok(typeof answer !== "string" && answer.type === "websocket.http.response.start");
  assert.equal(answer.status, 503);
  await end(bench);
});

test("socket: a handshake that its worker has not read goes to another one", async () => {
  const bench = await start();
  bench.workers[0].takes = 0;
  const begun = connect(bench.pool);
  await turn();
  const unread = connect(bench.pool);
  await turn();
  bench.workers[0].exit(1);
  await turn();
  assert.deepEqual(begun.types, ["websocket.http.response.start", "websocket.http.response.body"]);
  assert.deepEqual([unread.types, bench.pool.waiting], [[], 1]);
  await end(bench);
});

test("socket: an open one is not in flight, and they are spread over the workers", async () => {
  const bench = await start({ workers: 2, concurrency: 1 });
  const first = connect(bench.pool);
  await turn();
  assert.equal(bench.pool.workers[0].inFlight, 1);
  bench.workers[0].say(wire.WS_ACCEPT, 0, 1, ACCEPTED);
  assert.deepEqual([bench.pool.workers[0].inFlight, bench.pool.workers[0].sockets], [0, 1]);
  connect(bench.pool);
  await turn();
  assert.equal(bench.workers[1].of(wire.WS_CONNECT).length, 1);
  bench.workers[1].say(wire.WS_ACCEPT, 0, 1, ACCEPTED);
  // All may take requests, though each has as many sockets as it may have requests.
  send(bench.pool);
  send(bench.pool);
  await turn();
  assert.deepEqual(
    bench.workers.map((worker) => worker.requests.length),
    [1, 1],
  );
  first.taker.ended(1000, "");
  bench.workers[0].say(wire.DONE, 0, 1);
  assert.equal(bench.pool.workers[0].sockets, 0);
  await end(bench);
});

test("socket: a handshake whose client goes while it waits is given up", async () => {
  const bench = await start({ concurrency: 1 });
  send(bench.pool);
  const call = connect(bench.pool);
  await turn();
  assert.equal(bench.pool.waiting, 1);
  call.taker.ended(1006, "");
  assert.deepEqual([bench.pool.waiting, call.outcome], [0, "returned"]);
  await end(bench);
});

for (const [name, type, flags, payload] of [
  ["a message before acceptance", wire.WS_SEND, 0, "a"],
  ["an acceptance without its start", wire.WS_ACCEPT, 0, "\0"],
  ["a subprotocol beyond its record", wire.WS_ACCEPT, 0, "\x09\0\0\0a"],
  ["fewer fields than counted", wire.WS_ACCEPT, 0, "\0\0\x02\0a\0b"],
  ["a close without its code", wire.WS_CLOSE, 0, "a"],
  ["a hint", wire.EARLY_HINT, 0, "\0\0\0\0\0\0"],
  ["more credit than a window", wire.RESPONSE_CREDIT, 0, "\x01\0\0\0"],
  ["a piece of a body", wire.RESPONSE_BODY, 0, "a"],
] as const) {
  test(`socket: ${name} is sent by no worker`, async () => {
    const bench = await start();
    connect(bench.pool);
    await turn();
    const [worker] = bench.workers;
    worker.say(type, flags, 1, payload);
    assert.deepEqual(worker.killed, ["SIGKILL"]);
    await end(bench);
  });
}

test("socket: a worker that sends more than it has credit for is ended", async () => {
  const opened = await open();
  const { worker, call } = opened;
  call.stalled = new Promise(() => {});
  for (let i = 0; i < 5; i++) worker.say(wire.WS_SEND, 0, 1, new Uint8Array(65_000));
  assert.deepEqual(worker.killed, []);
  worker.say(wire.WS_SEND, 0, 1, new Uint8Array(65_000));
  assert.deepEqual(worker.killed, ["SIGKILL"]);
  await end(opened);
});
