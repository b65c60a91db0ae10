/** Bodies on their way to a worker and back: credit, turns, what is gathered, and clients that go in the middle. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientDisconnected } from "../../src/asgi/errors.ts";
import * as wire from "../../src/python/wire.ts";
import { end, send, start } from "./bench.ts";
import { latin1, turn } from "./fake.ts";

test("what has come of a body when it may leave leaves in as few records as hold it", async () => {
  const bench = await start();
  const [worker] = bench.workers;
  worker.takes = 0;
  const client = send(bench.pool, "POST", [["content-length", "80000"]]);
  const body = Uint8Array.from({ length: 80_000 }, (_, i) => i % 251);
  for (let at = 0; at < 80_000; at += 5_000) client.piece(body.slice(at, at + 5_000), at < 75_000);
  await turn();
  worker.takes = Number.POSITIVE_INFINITY;
  worker.drain();
  await turn();
  const records = worker.of(wire.BODY);
  assert.deepEqual(
    records.map(({ flags, payload }) => [flags, payload.length]),
    [
      [0, wire.MOST_PAYLOAD_BYTES],
      [wire.LAST, 80_000 - wire.MOST_PAYLOAD_BYTES],
    ],
  );
  assert.equal(Buffer.compare(Buffer.concat(records.map(({ payload }) => payload)), body), 0);
  worker.respond(1);
  await turn();
  assert.equal(client.outcome, "settled");
  await end(bench);
});

test("a body that ends in its middle: what came of it, then the end of its client", async () => {
  const bench = await start();
  const [worker] = bench.workers;
  worker.takes = 0;
  const client = send(bench.pool, "POST", [["content-length", "9"]]);
  client.piece(latin1("half"), true);
  client.event({ type: "http.disconnect" });
  await turn();
  worker.takes = Number.POSITIVE_INFINITY;
  worker.drain();
  await turn();
  const records = worker.sent.filter(({ id }) => id === 1).map(({ type, flags }) => [type, flags]);
  assert.deepEqual(records, [
    [wire.HEAD, 0],
    [wire.BODY, 0],
    [wire.DISCONNECT, 0],
  ]);
  await end(bench);
});

test("a request that waits with its body is given up when its client goes", async () => {
  const bench = await start({ concurrency: 1 });
  const first = send(bench.pool);
  const fields = [["content-length", "9"]] as const;
  const [cut, whole, kept] = [1, 2, 3].map(() => send(bench.pool, "POST", fields));
  await turn();
  cut.piece(latin1("half"), true);
  for (const client of [whole, kept]) client.piece(latin1("123456789"), false);
  await turn();
  assert.equal(bench.pool.waiting, 3);
  cut.event({ type: "http.disconnect" });
  await turn();
  assert.deepEqual([bench.pool.waiting, cut.outcome], [2, "settled"]);
  whole.refusal = new ClientDisconnected();
  whole.event({ type: "http.disconnect" });
  // This one has only ended its half: it waits for its answer.
  kept.event({ type: "http.disconnect" });
  await turn();
  assert.deepEqual([bench.pool.waiting, whole.outcome, kept.outcome], [1, "settled", "pending"]);
  const [worker] = bench.workers;
  worker.respond(1);
  await turn();
  const records = worker.sent.filter(({ id }) => id === 2).map(({ type, flags }) => [type, flags]);
  assert.deepEqual(records, [
    [wire.HEAD, 0],
    [wire.BODY, wire.LAST],
    [wire.DISCONNECT, 0],
  ]);
  worker.respond(2, "kept");
  await turn();
  assert.deepEqual([first.outcome, kept.text, bench.pool.waiting], ["settled", "kept", 0]);
  await end(bench);
});

test("room in front of a body is no part of it", async () => {
  const bench = await start();
  const client = send(bench.pool);
  await turn();
  const [worker] = bench.workers;
  worker.say(wire.RESPONSE, wire.LAST | wire.ROOM, 1, `\xc8\0\0\0\0\0${"\0".repeat(wire.ROOM_BYTES)}body`);
  await turn();
  assert.deepEqual([client.status, client.text], [200, "body"]);
  await end(bench);
});

test("no body byte leaves without credit, and bodies take turns", async () => {
  const bench = await start();
  const size = wire.WINDOW_BYTES + 1000;
  const fields = [["content-length", String(2 * size)]] as const;
  const clients = [send(bench.pool, "POST", fields), send(bench.pool, "POST", fields)];
  for (const client of clients) client.piece(new Uint8Array(size), true);
  await turn();
  const [worker] = bench.workers;
  const bodies = worker.of(wire.BODY);
  for (const id of [1, 2]) {
    const sum = bodies.filter((body) => body.id === id).reduce((total, body) => total + body.payload.length, 0);
    assert.equal(sum, wire.WINDOW_BYTES);
  }
  assert.deepEqual(
    bodies.slice(0, 6).map(({ id }) => id),
    [1, 1, 2, 2, 1, 1],
    "they take turns of two records",
  );
  assert.equal(clients[0].asked, false, "nothing is read ahead of the credit");
  const credit = new Uint8Array(4);
  new DataView(credit.buffer).setUint32(0, 1000, true);
  worker.say(wire.RESPONSE_CREDIT, 0, 1, credit);
  await turn();
  const after = worker.of(wire.BODY).filter((body) => body.id === 1);
  assert.equal(
    after.reduce((total, body) => total + body.payload.length, 0),
    size,
  );
  await end(bench);
});

test("Expect holds the body back until the worker asks", async () => {
  const bench = await start();
  const fields = [
    ["content-length", "3"],
    ["expect", "100-continue"],
  ] as const;
  const client = send(bench.pool, "POST", fields);
  await turn();
  const [worker] = bench.workers;
  assert.equal(worker.of(wire.HEAD)[0].flags, wire.ON_DEMAND);
  assert.equal(client.asked, false);
  const credit = new Uint8Array(4);
  new DataView(credit.buffer).setUint32(0, wire.WINDOW_BYTES, true);
  worker.say(wire.RESPONSE_CREDIT, 0, 1, credit);
  await turn();
  assert.equal(client.asked, true);
  await end(bench);
});
