/** Dispatch, credit and death, with workers that the test plays: well-behaved ones and others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientDisconnected } from "../../src/asgi/errors.ts";
import { WorkerPool } from "../../src/python/pool.ts";
import * as wire from "../../src/python/wire.ts";
import { drained, end, optionsOf, runtime, send, start } from "./bench.ts";
import { type FakeWorker, fakeSpawn, latin1, turn } from "./fake.ts";

test("the first record says what to serve, the last one to leave", async () => {
  const bench = await start();
  await end(bench);
  const [hello, drain] = bench.workers[0].sent;
  assert.equal(hello.type, wire.HELLO);
  assert.equal(JSON.parse(Buffer.from(hello.payload).toString()).target, "main:app");
  assert.equal(drain.type, wire.DRAIN);
});

test("a response reaches its own request", async () => {
  const bench = await start();
  const clients = [send(bench.pool), send(bench.pool), send(bench.pool)];
  await turn();
  const [worker] = bench.workers;
  assert.deepEqual(worker.requests, [1, 2, 3]);
  worker.respond(3, "three");
  worker.respond(1, "one");
  worker.respond(2, "two");
  await turn();
  assert.deepEqual(
    clients.map(({ text, outcome }) => [text, outcome]),
    [
      ["one", "settled"],
      ["two", "settled"],
      ["three", "settled"],
    ],
  );
  assert.equal(bench.pool.workers[0].inFlight, 0);
  await end(bench);
});

test("requests that arrive in one turn leave in one write", async () => {
  const bench = await start();
  await turn();
  const [worker] = bench.workers;
  const before = worker.writes;
  for (let i = 0; i < 20; i++) send(bench.pool);
  await turn();
  assert.deepEqual([worker.requests.length, worker.writes - before], [20, 1]);
  for (const id of worker.requests) worker.respond(id);
  await end(bench);
});

test("requests go to the worker with the fewest", async () => {
  const bench = await start({ workers: 2 });
  for (let i = 0; i < 4; i++) send(bench.pool);
  await turn();
  assert.deepEqual(
    bench.workers.map((worker) => worker.requests.length),
    [2, 2],
  );
  bench.workers[1].respond(1);
  send(bench.pool);
  await turn();
  assert.deepEqual(
    bench.workers.map((worker) => worker.requests.length),
    [2, 3],
  );
  await end(bench);
});

test("beyond the limit they wait in order; beyond the queue they get 503", async () => {
  const bench = await start({ concurrency: 1, queueLength: 2 });
  const clients = [1, 2, 3, 4].map(() => send(bench.pool));
  await turn();
  const [worker] = bench.workers;
  assert.deepEqual(worker.requests, [1]);
  assert.equal(bench.pool.waiting, 2);
  assert.equal(clients[3].status, 503);
  const [startEvent] = clients[3].sent;
  assert.ok(startEvent.type === "http.response.start");
  assert.ok([...(startEvent.headers ?? [])].some(([name]) => name === "retry-after"));
  worker.respond(1, "a");
  await turn();
  worker.respond(2, "b");
  await turn();
  worker.respond(3, "c");
  await turn();
  assert.deepEqual(
    clients.slice(0, 3).map(({ text }) => text),
    ["a", "b", "c"],
  );
  await end(bench);
});

test("control records overtake bodies, but not their own head", async () => {
  const bench = await start();
  const [worker] = bench.workers;
  worker.takes = 0;
  const client = send(bench.pool, "POST", [["content-length", "500000"]]);
  client.piece(new Uint8Array(200_000), true);
  await turn();
  // A second request comes and is cancelled while the stream is full.
  const second = send(bench.pool);
  second.event({ type: "http.disconnect" });
  await turn();
  bench.pool.workers[0].ping(7);
  worker.takes = Number.POSITIVE_INFINITY;
  worker.drain();
  await turn();
  const order = worker.sent.slice(1).map(({ type, id }) => `${type}:${id}`);
  const head = order.indexOf(`${wire.HEAD}:2`);
  assert.ok(order.indexOf(`${wire.DISCONNECT}:2`) > head, order.join(" "));
  assert.equal(worker.of(wire.PING).length, 1);
  await end(bench);
});

test("a slow client keeps credit, a quick one gives it back", async () => {
  const bench = await start();
  const client = send(bench.pool);
  await turn();
  let goOn: () => void = () => {};
  client.stalled = new Promise((resolve) => {
    goOn = resolve;
  });
  const [worker] = bench.workers;
  worker.respond(1, "", 0);
  worker.body(1, new Uint8Array(60_000));
  worker.body(1, new Uint8Array(60_000));
  await turn();
  assert.equal(worker.of(wire.CREDIT).length, 0);
  goOn();
  await turn();
  assert.equal(worker.of(wire.CREDIT).length, 1);
  await end(bench);
});

test("the worker is told of a client that is gone, and its late records are nothing", async () => {
  const bench = await start();
  const client = send(bench.pool);
  await turn();
  const [worker] = bench.workers;
  client.refusal = new ClientDisconnected();
  worker.respond(1, "a", 0);
  await turn();
  assert.equal(worker.of(wire.DISCONNECT)[0].flags, wire.GONE);
  assert.equal(client.outcome, "settled");
  worker.body(1, "late");
  worker.body(1, "later", wire.LAST);
  await turn();
  assert.equal(bench.pool.workers[0].state, "ready");
  await end(bench);
});

test("a head longer than a record is sent in pieces", async () => {
  const bench = await start();
  send(bench.pool, "GET", [["x-long", "v".repeat(100_000)]]);
  await turn();
  const heads = bench.workers[0].of(wire.HEAD);
  assert.deepEqual(
    heads.map(({ flags }) => flags),
    [wire.LAST | wire.MORE, wire.LAST],
  );
  await end(bench);
});

const RESPONSE_HEAD = `\xc8\0\0\0\0\0`;

/** What no worker sends: each must end it, and answer its request with 502. */
const BREACHES: Record<string, (worker: FakeWorker) => void> = {
  "bytes that are no record": (worker) => worker.raw(new Uint8Array(64).fill(0xff)),
  "an unknown type": (worker) => worker.say(99, 0, 1),
  "a type of the front's": (worker) => worker.say(wire.HEAD, 0, 1),
  "an unknown type of its own": (worker) => worker.say(99, 0, 0, "{}"),
  "an answer to no request": (worker) => worker.respond(2),
  "a record of another generation": (worker) => {
    worker.generation += 1;
    worker.respond(1);
  },
  "a response without its start": (worker) => worker.say(wire.RESPONSE, wire.LAST, 1, "\xc8"),
  "fields beyond their record": (worker) => worker.say(wire.RESPONSE, wire.LAST, 1, "\xc8\0\x01\0\xff\0a"),
  "room beyond its record": (worker) => worker.say(wire.RESPONSE, wire.LAST | wire.ROOM, 1, "\xc8\0\0\0\0\0short"),
  "another number of fields than it says": (worker) =>
    worker.say(wire.RESPONSE, wire.LAST, 1, "\xc8\0\x02\0\x03\0a\0b"),
  "credit that is no number": (worker) => worker.say(wire.RESPONSE_CREDIT, 0, 1, "x"),
  "more credit than a window": (worker) => worker.say(wire.RESPONSE_CREDIT, 0, 1, "\xff\xff\xff\x7f"),
  "a message that is no JSON": (worker) => worker.say(wire.STOPPED, 0, 0, "{"),
  "a heartbeat of another length": (worker) => worker.say(wire.BEAT, 0, 0, "x"),
};

for (const [name, breach] of Object.entries(BREACHES)) {
  test(`a worker that sends ${name} is ended, and its request answered`, async () => {
    const bench = await start();
    const client = send(bench.pool, "POST");
    await turn();
    const [worker] = bench.workers;
    breach(worker);
    await turn();
    assert.deepEqual(worker.killed, ["SIGKILL"]);
    assert.equal(client.status, 502);
    assert.equal(client.outcome, "settled");
    assert.equal(bench.log.length, 1, bench.log.join("\n"));
    await end(bench);
  });
}

test("a flood beyond its credit ends the worker and cuts the answer", async () => {
  const bench = await start();
  const client = send(bench.pool);
  await turn();
  client.stalled = new Promise(() => {});
  const [worker] = bench.workers;
  worker.say(wire.RESPONSE, 0, 1, RESPONSE_HEAD);
  for (let i = 0; i < 5; i++) worker.body(1, new Uint8Array(60_000));
  await turn();
  assert.deepEqual(worker.killed, ["SIGKILL"]);
  assert.match(client.outcome, /ended in the middle/);
  await end(bench);
});

test("garbage for one request leaves the answers before it whole", async () => {
  const bench = await start();
  const clients = [send(bench.pool), send(bench.pool, "POST")];
  await turn();
  const [worker] = bench.workers;
  worker.respond(1, "whole");
  worker.raw(latin1("garbage garbage garbage"));
  await turn();
  assert.equal(clients[0].text, "whole");
  assert.equal(clients[1].status, 502);
  await end(bench);
});

test("a death: 502 for what was read, a cut for what had begun, another worker for what was not written", async () => {
  const bench = await start({ workers: 2 });
  const [first, second] = bench.workers;
  const begun = send(bench.pool);
  const other = send(bench.pool);
  const read = send(bench.pool);
  await turn();
  first.respond(1, "half", 0);
  first.takes = 0;
  const busy = send(bench.pool);
  await turn();
  // The stream is full: what comes now is not written.
  const unwritten = send(bench.pool);
  const unsafe = send(bench.pool, "POST");
  const before = second.requests.length;
  first.exit(null, "SIGKILL");
  await turn();
  assert.match(begun.outcome, /ended in the middle/);
  assert.equal(read.status, 502);
  assert.equal(other.status, undefined);
  const moved = second.requests.length - before;
  assert.ok(moved >= 1, `requests moved: ${moved}`);
  for (const client of [busy, unwritten]) assert.notEqual(client.status, 502);
  assert.ok(unsafe.status === 502 || unsafe.status === undefined);
  await end(bench);
});

test("what a worker wrote before its exit counts, whichever is heard of first", async () => {
  const bench = await start();
  const clients = [send(bench.pool), send(bench.pool, "POST")];
  await turn();
  const [worker] = bench.workers;
  worker.exitFirst(0);
  const late = send(bench.pool);
  await turn();
  worker.respond(1, "written before");
  worker.endStream();
  await turn();
  assert.equal(clients[0].text, "written before");
  assert.equal(clients[1].status, 502);
  assert.deepEqual([late.status, worker.requests.length], [undefined, 2], "it waits for the next worker");
  await end(bench);
});

test("half a record and then the end is no answer", async () => {
  const bench = await start();
  const client = send(bench.pool);
  await turn();
  const [worker] = bench.workers;
  const out = new wire.RecordBuffer(64);
  out.record(wire.RESPONSE, wire.LAST, 1, worker.generation, latin1(`${RESPONSE_HEAD}whole`));
  worker.raw(out.bytes.slice(0, out.length - 1));
  worker.exit(1);
  await turn();
  assert.equal(client.status, 502);
  assert.equal(client.text.includes("whole"), false);
  await end(bench);
});

test("a worker that closes its stream and stays is ended", async () => {
  const bench = await start();
  bench.workers[0].endStream();
  const client = send(bench.pool);
  while (bench.workers[0].killed.length === 0) await turn();
  assert.equal(client.status, undefined, "it waits for the next worker");
  assert.deepEqual(bench.workers[0].killed, ["SIGKILL"]);
  await end(bench);
});

test("a start that fails is told with the application's traceback, once", async () => {
  const log: string[] = [];
  const { workers, spawn } = fakeSpawn();
  const logger = { error: (text: string) => void log.push(text) };
  const pool = new WorkerPool(runtime, logger as never, optionsOf(spawn));
  const started = pool.start();
  await turn();
  workers[0].say(wire.FAILED, 0, 0, '{"message":"It failed to import.","traceback":"Traceback: line 1"}');
  workers[0].exit(1);
  await assert.rejects(started, /It failed to import\.\nTraceback: line 1/);
  await turn();
  assert.equal(workers.length, 1, "it is not tried again");
  assert.deepEqual(log, []);
});

test("a worker that says nothing before it ends is told", async () => {
  const { workers, spawn } = fakeSpawn();
  const pool = new WorkerPool(runtime, { error: () => {} } as never, optionsOf(spawn));
  const started = pool.start();
  await turn();
  workers[0].exit(9);
  await assert.rejects(started, /ended while it was starting: it ended with code 9/);
});

test("a worker that retires is drained when its successor is ready", async () => {
  const bench = await start();
  const [first] = bench.workers;
  const client = send(bench.pool);
  await turn();
  first.say(wire.RETIRING, 0, 0);
  first.say(wire.RETIRING, 0, 0);
  await turn();
  assert.equal(bench.workers.length, 2);
  assert.equal(first.of(wire.DRAIN).length, 0, "it serves on meanwhile");
  bench.workers[1].ready();
  await turn();
  assert.equal(first.of(wire.DRAIN).length, 1);
  const other = send(bench.pool);
  await turn();
  assert.deepEqual(bench.workers[1].requests, [1]);
  first.respond(1, "finished");
  bench.workers[1].respond(1, "new");
  first.exit(0);
  await turn();
  assert.equal(client.text, "finished");
  assert.equal(other.text, "new");
  assert.deepEqual([bench.workers.length, bench.log], [2, []], "nothing is replaced twice");
  await end(bench);
});

test("requests that wait for the next worker are served by it", async () => {
  const bench = await start();
  bench.workers[0].exit(1);
  await turn();
  const client = send(bench.pool);
  await turn();
  assert.equal(client.status, undefined);
  while (bench.workers.length < 2) await turn();
  await turn();
  bench.workers[1].ready();
  await turn();
  bench.workers[1].respond(1, "served");
  await turn();
  assert.equal(client.text, "served");
  assert.notEqual(bench.workers[0].generation, bench.workers[1].generation);
  await end(bench);
});

test("a server that stops: workers that ask for a successor get none, and serve on", async () => {
  const bench = await start({ workers: 2, maxRequests: 2 });
  bench.workers[0].say(wire.RETIRING, 0, 0);
  await turn();
  assert.equal(bench.workers.length, 3);
  bench.pool.replaceNone();
  await turn();
  assert.deepEqual(bench.workers[2].killed, ["SIGTERM"], "its successor is not needed");
  bench.workers[1].say(wire.RETIRING, 0, 0);
  const clients = Array.from({ length: 6 }, () => send(bench.pool));
  await turn();
  for (const worker of bench.workers) for (const id of worker.requests) worker.respond(id, "served");
  await turn();
  assert.deepEqual(
    clients.map(({ text }) => text),
    clients.map(() => "served"),
  );
  assert.deepEqual([bench.workers.length, drained(bench)], [3, []]);
  await end(bench);
});
