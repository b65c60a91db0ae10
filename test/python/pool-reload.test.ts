/** --reload, with workers that the test plays: requests that wait, failures that are shown, spare interpreters. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerPool } from "../../src/python/pool.ts";
import * as wire from "../../src/python/wire.ts";
import { until } from "../harness/wait.ts";
import { drained, end, fail, optionsOf, putForward, runtime, send, start } from "./bench.ts";
import { type FakeClient, fakeSpawn, turn } from "./fake.ts";

function headersOf(client: FakeClient): Map<string, string> {
  const [begin] = client.sent;
  assert.ok(begin?.type === "http.response.start");
  return new Map([...(begin.headers ?? [])].map(([name, value]) => [String(name), String(value)]));
}

test("to reload: requests wait for the new code, and what streams does not delay it", async () => {
  const bench = await start({ reload: true });
  await turn();
  const streaming = send(bench.pool);
  await turn();
  bench.workers[0].respond(1, "begun", 0);
  assert.equal(bench.workers.length, 2, "the interpreter of the next one");
  assert.equal(bench.workers[1].of(wire.HELLO).length, 0);
  bench.pool.reload();
  const waiting = send(bench.pool);
  await turn();
  assert.deepEqual(drained(bench), [0]);
  assert.equal(bench.workers.length, 2, "the spare one is taken");
  assert.equal(bench.workers[1].of(wire.HELLO).length, 1);
  assert.equal(waiting.status, undefined);
  bench.workers[1].ready();
  await turn();
  bench.workers[1].respond(1, "new");
  await turn();
  assert.equal(waiting.text, "new");
  bench.workers[0].body(1, " and ended", wire.LAST);
  await turn();
  assert.equal(streaming.text, "begun and ended");
  await end(bench);
});

for (const order of ["roll", "reload"] as const) {
  test(`${order}: a first start that does not end is begun anew`, async () => {
    const { workers, spawn } = fakeSpawn();
    const pool = new WorkerPool(runtime, {} as never, optionsOf(spawn, { reload: order === "reload" }));
    const started = pool.start();
    await turn();
    void pool[order]();
    await turn();
    assert.deepEqual(
      workers.map(({ killed }) => killed.length),
      [1, 0],
    );
    // Its failure is that of outdated code.
    workers[0].say(wire.FAILED, 0, 0, '{"message":"Outdated.","traceback":""}');
    workers[0].exit(1);
    workers[1].ready();
    assert.notEqual(await started, undefined);
    await end({ pool, workers, log: [] });
  });
}

test("to reload: a stream of the old code is cut in the end", async () => {
  const bench = await start({ reload: true });
  const streaming = send(bench.pool);
  await turn();
  bench.workers[0].respond(1, "begun", 0);
  bench.pool.reload();
  putForward(5_000);
  bench.pool.look();
  await turn();
  assert.match(streaming.outcome, /ended in the middle/);
  await end(bench);
});

test("to reload: what fails is shown, escaped, and the next change recovers", async () => {
  const bench = await start({ reload: true });
  bench.pool.reload();
  const held = send(bench.pool, "GET", [["accept", "text/html,*/*"]]);
  await turn();
  fail(bench.workers[1]);
  await turn();
  const plain = send(bench.pool, "GET", [["accept", "*/*"]]);
  await turn();
  for (const client of [held, plain]) {
    assert.equal(client.status, 500);
    assert.equal(headersOf(client).get("cache-control"), "no-store");
  }
  assert.equal(headersOf(held).get("content-type"), "text/html; charset=utf-8");
  assert.match(held.text, /<pre>Traceback: &lt;b&gt; &amp; line 1<\/pre>/);
  assert.equal(headersOf(plain).get("content-type"), "text/plain; charset=utf-8");
  assert.equal(plain.text, "It failed to import.\nTraceback: <b> & line 1\n");
  assert.match(bench.log.join("\n"), /Traceback: <b> & line 1\nWaiting for a file to change\./);
  bench.pool.reload();
  const next = send(bench.pool);
  await turn();
  const last = bench.workers[bench.workers.length - 1];
  last.ready();
  await turn();
  last.respond(1, "mended");
  await turn();
  assert.equal(next.text, "mended");
  await end(bench);
});

test("to reload: a first start that fails is no end", async () => {
  const bench = await start({ reload: true }, (worker) => fail(worker));
  assert.equal(send(bench.pool).status, 500);
  bench.pool.reload();
  await turn();
  bench.workers[bench.workers.length - 1].ready();
  await turn();
  assert.equal(send(bench.pool).status, undefined, "it is with the worker");
  await end(bench);
});

test("to reload: a change while the code loads begins anew", async () => {
  const bench = await start({ reload: true });
  bench.pool.reload();
  bench.pool.reload();
  await turn();
  assert.deepEqual([bench.workers[1].killed, bench.workers[1].closed], [["SIGTERM"], true]);
  assert.equal(bench.pool.workers.filter(({ state }) => state === "loading").length, 1);
  // It does not mind.
  await until(() => bench.workers[1].killed.length > 1, "it is killed");
  assert.deepEqual(bench.workers[1].killed, ["SIGTERM", "SIGKILL"]);
  await end(bench);
});

test("a spare interpreter with another environment is not used", async () => {
  let colour = "red";
  const bench = await start({ reload: true, env: () => ({ COLOUR: colour }) });
  colour = "blue";
  bench.pool.reload();
  await turn();
  assert.deepEqual(bench.workers[1].killed, ["SIGKILL"]);
  assert.equal(bench.workers[2].of(wire.HELLO).length, 1);
  await end(bench);
});
