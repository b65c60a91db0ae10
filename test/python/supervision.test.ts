/** Replacement, limits and the queue, with workers that the test plays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientDisconnected } from "../../src/asgi/errors.ts";
import { LONGEST_BACKOFF_MS, STEADY_MS, WorkerPool } from "../../src/python/pool.ts";
import * as wire from "../../src/python/wire.ts";
import { PlainError } from "../../src/runtime/types.ts";
import { type Bench, drained, end, fail, files, optionsOf, putForward, runtime, send, start } from "./bench.ts";
import { type FakeWorker, fakeSpawn, turn } from "./fake.ts";

function beat(worker: FakeWorker, lagMs: number, cpuMs: number): void {
  const payload = new Uint8Array(wire.BEAT_BYTES);
  const view = new DataView(payload.buffer);
  view.setUint32(4, lagMs, true);
  view.setBigUint64(8, BigInt(cpuMs * 1000), true);
  worker.say(wire.BEAT, 0, 0, payload);
}

/** Lets each loading worker be ready, and each drained one leave, until nothing happens any more. */
async function settle(bench: Bench): Promise<void> {
  let seen = -1;
  await turn();
  while (seen !== bench.workers.length) {
    seen = bench.workers.length;
    for (const [i, worker] of bench.workers.entries()) {
      if (worker.of(wire.HELLO).length > 0 && bench.pool.workers[i]?.state !== "ready") worker.ready();
    }
    await turn();
    for (const i of drained(bench)) bench.workers[i].exit(0);
    await turn();
  }
}

test("a replacement: successors one at a time, the old ones finish theirs", async () => {
  const bench = await start({ workers: 2 });
  const client = send(bench.pool);
  const rolled = bench.pool.roll();
  await turn();
  assert.equal(bench.workers.length, 3);
  assert.deepEqual(drained(bench), []);
  bench.workers[2].ready();
  await turn();
  assert.deepEqual([drained(bench), bench.workers.length], [[0], 4]);
  bench.workers[3].ready();
  await turn();
  assert.deepEqual(drained(bench), [0, 1]);
  assert.equal(await rolled, true);
  const other = send(bench.pool);
  await turn();
  bench.workers[0].respond(1, "old");
  for (const i of [2, 3]) for (const id of bench.workers[i].requests) bench.workers[i].respond(id, "new");
  await turn();
  assert.deepEqual([client.text, other.text], ["old", "new"]);
  bench.workers[0].exit(0);
  bench.workers[1].exit(0);
  await turn();
  assert.equal(bench.workers.length, 4);
  assert.deepEqual(bench.log, ["The workers have been replaced."]);
  await end(bench);
});

test("new code that does not start: the old goes on, and the error is told once", async () => {
  const bench = await start({ workers: 2 });
  const rolled = bench.pool.roll();
  await turn();
  fail(bench.workers[2]);
  await turn();
  assert.equal(await rolled, false);
  assert.equal(bench.log.length, 1);
  assert.match(bench.log[0], /^It failed to import\.\nTraceback: .*\nThe workers with the old code go on serving\.$/s);
  putForward(LONGEST_BACKOFF_MS);
  bench.pool.look();
  assert.equal(bench.workers.length, 3, "it is not tried again");
  const client = send(bench.pool);
  await turn();
  for (const worker of bench.workers) for (const id of worker.requests) worker.respond(id, "old");
  await turn();
  assert.equal(client.text, "old");
  // The next attempt succeeds.
  const again = bench.pool.roll();
  await settle(bench);
  assert.equal(await again, true);
  await end(bench);
});

test("new code that does not start: workers that are due all the same are replaced later", async () => {
  const bench = await start({ workers: 3, maxRequests: 2 });
  const rolled = bench.pool.roll();
  // One reaches its limit meanwhile, one asks for a successor.
  bench.workers[1].say(wire.RETIRING, 0, 0);
  for (let i = 0; i < 4; i++) send(bench.pool);
  await turn();
  fail(bench.workers[3]);
  assert.equal(await rolled, false);
  assert.deepEqual(
    bench.pool.workers.map(({ leaving }) => leaving),
    ["retiring", "retiring", undefined],
  );
  const again = bench.pool.roll();
  await settle(bench);
  assert.equal(await again, true);
  await end(bench);
});

test("a second order during a replacement renews what has begun", async () => {
  const bench = await start();
  const first = bench.pool.roll();
  await turn();
  const second = bench.pool.roll();
  assert.equal(first, second);
  await turn();
  assert.deepEqual(bench.workers[1].killed, ["SIGTERM"], "it loads what is old already");
  bench.workers[2].ready();
  assert.equal(await second, true);
  await end(bench);
});

test("a drained worker that does not finish is ended", async () => {
  const bench = await start({ gracefulTimeoutMs: 5_000 });
  const client = send(bench.pool);
  const rolled = bench.pool.roll();
  await turn();
  bench.workers[1].ready();
  await rolled;
  putForward(4_000);
  bench.pool.look();
  assert.deepEqual(bench.workers[0].killed, []);
  putForward(2_000);
  bench.pool.look();
  await turn();
  assert.deepEqual(bench.workers[0].killed, ["SIGKILL"]);
  assert.equal(client.status, 502);
  assert.equal(bench.workers.length, 2, "nothing takes its place");
  await end(bench);
});

test("one more, one less, and never none", async () => {
  const bench = await start();
  bench.pool.grow();
  await turn();
  bench.workers[1].ready();
  await turn();
  assert.equal(bench.pool.workers.length, 2);
  bench.pool.shrink();
  bench.pool.shrink();
  await turn();
  assert.deepEqual(drained(bench), [1]);
  assert.match(bench.log.join("\n"), /Workers: 2\.\nWorkers: 1\.\nThe last worker stays/);
  await end(bench);
});

test("so many requests, and a worker is replaced while it serves on", async () => {
  const bench = await start({ maxRequests: 3 });
  for (let i = 0; i < 2; i++) send(bench.pool);
  await turn();
  assert.equal(bench.workers.length, 1);
  for (let i = 0; i < 3; i++) send(bench.pool);
  await turn();
  assert.equal(bench.workers.length, 2, "one successor, however many come");
  assert.deepEqual(bench.workers[0].requests, [1, 2, 3, 4, 5]);
  bench.workers[1].ready();
  await turn();
  assert.deepEqual(drained(bench), [0]);
  send(bench.pool);
  await turn();
  assert.deepEqual(bench.workers[1].requests, [1]);
  await end(bench);
});

test("each worker has its own part of the jitter", async () => {
  const bench = await start({ workers: 20, maxRequests: 100, maxRequestsJitter: 1000 });
  const most = bench.pool.workers.map(({ mostRequests }) => mostRequests);
  assert.ok(most.every((count) => count >= 100 && count <= 1100));
  assert.ok(new Set(most).size > 1);
  await end(bench);
});

test("a worker is replaced at the end of its lifetime, and when it uses too much memory", async () => {
  const bench = await start({ lifetimeMs: 60_000, maxRssBytes: 100 * 1024 * 1024 });
  files.set("/proc/1000/status", "Name:\tpython\nVmRSS:\t   90000 kB\n");
  bench.pool.look();
  await turn();
  assert.equal(bench.workers.length, 1);
  files.set("/proc/1000/status", "Name:\tpython\nVmRSS:\t  110000 kB\n");
  bench.pool.look();
  bench.pool.look();
  await turn();
  assert.equal(bench.workers.length, 2);
  assert.deepEqual(bench.log, ["Worker 1000 uses 107.4 MB of memory, more than 100.0 MB, and is replaced."]);
  bench.workers[1].ready();
  await turn();
  assert.deepEqual(drained(bench), [0]);
  putForward(60_000);
  bench.pool.look();
  await turn();
  assert.equal(bench.workers.length, 3);
  files.clear();
  await end(bench);
});

test("an application that is above the memory limit from its start is not replaced without end", async () => {
  const megabytes = (count: number) => files.set("/proc/1000/status", `VmRSS:\t${count * 1024} kB\n`);
  megabytes(200);
  const bench = await start({ maxRssBytes: 100 * 1024 * 1024 });
  megabytes(215);
  bench.pool.look();
  assert.equal(bench.workers.length, 1);
  megabytes(225);
  bench.pool.look();
  assert.equal(bench.workers.length, 2);
  files.clear();
  await end(bench);
});

test("a successor that fails leaves the old one, and is tried again later", async () => {
  const bench = await start({ lifetimeMs: 1_000 });
  putForward(1_000);
  bench.pool.look();
  await turn();
  fail(bench.workers[1]);
  await turn();
  bench.pool.look();
  assert.equal(bench.workers.length, 2, "not at once");
  assert.deepEqual(drained(bench), []);
  while (bench.workers.length < 3) await turn();
  fail(bench.workers[2]);
  await turn();
  const told = bench.log.filter((line) => line.includes("It failed to import"));
  assert.equal(told.length, 1, "the same failure is told once");
  await end(bench);
});

test("a stuck worker is replaced at once, and told of in one line", async () => {
  const bench = await start({ workers: 2, workerTimeoutMs: 60_000 });
  const client = send(bench.pool, "POST");
  await turn();
  for (let second = 1; second <= 61; second++) {
    putForward(1_000);
    beat(bench.workers[0], second * 1_000, 1);
    beat(bench.workers[1], 0, 1);
    bench.pool.look();
  }
  await turn();
  assert.deepEqual(bench.workers[0].killed, ["SIGKILL"]);
  assert.equal(client.status, 502);
  assert.equal(bench.workers.length, 3);
  assert.equal(bench.log.length, 1, bench.log.join("\n"));
  assert.match(bench.log[0], /^Worker 1000 is stuck: .* 60 s .* with 1 request in flight\.$/);
  await end(bench);
});

test("when the front itself was held up, nobody is taken for stuck", async () => {
  const bench = await start({ workerTimeoutMs: 60_000 });
  bench.pool.look();
  putForward(3_600_000);
  bench.pool.look();
  await turn();
  assert.deepEqual(bench.workers[0].killed, []);
  await end(bench);
});

test("what a worker has computed since its last beat counts before it is taken for stuck", async () => {
  const bench = await start({ workerTimeoutMs: 1_000 });
  const ticks = (count: number) => files.set("/proc/1000/stat", `1000 (python) R${" 0".repeat(10)} ${count} 0 0`);
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 200) {
      putForward(200);
      bench.pool.look();
    }
  };
  ticks(0);
  pass(800);
  beat(bench.workers[0], 800, 1);
  // No beat comes any more, since the interpreter's lock is taken: when that is sure, the system is asked.
  ticks(50);
  pass(2_800);
  assert.deepEqual(bench.workers[0].killed, [], "it computes");
  pass(1_200);
  await turn();
  assert.deepEqual(bench.workers[0].killed, ["SIGKILL"], "nothing since then");
  files.delete("/proc/1000/stat");
  await end(bench);
});

test("a busy worker is not ended, and gets what others can't take", async () => {
  const bench = await start({ workers: 2, concurrency: 2 });
  beat(bench.workers[0], 5_000, 5_000);
  for (let i = 0; i < 4; i++) send(bench.pool);
  await turn();
  assert.deepEqual(
    bench.workers.map((worker) => worker.requests.length),
    [2, 2],
  );
  bench.workers[1].respond(1);
  bench.workers[0].respond(1);
  await turn();
  send(bench.pool);
  await turn();
  assert.deepEqual(
    bench.workers.map((worker) => worker.requests.length),
    [2, 3],
    "the other one is preferred",
  );
  beat(bench.workers[0], 0, 5_000);
  send(bench.pool);
  await turn();
  assert.equal(bench.workers[0].requests.length, 3);
  await end(bench);
});

test("a worker that loads for long is no stuck one", async () => {
  const bench = await start({ workers: 1, workerTimeoutMs: 1_000 });
  bench.pool.grow();
  await turn();
  for (let i = 0; i < 300; i++) {
    putForward(250);
    beat(bench.workers[0], 0, 1);
    bench.pool.look();
  }
  assert.deepEqual(bench.workers[1].killed, []);
  assert.deepEqual(bench.log, [
    "Workers: 2.",
    "Worker 1001 has been loading the application for 60 s; it is waited for.",
  ]);
  await end(bench);
});

test("a crash loop is told of a few times and then once, and starts come later and later", async () => {
  const bench = await start();
  const pauses: number[] = [];
  let died = performance.now();
  for (let i = 0; i < 4; i++) {
    bench.workers[i].exit(7);
    while (bench.workers.length === i + 1) await turn();
    pauses.push(performance.now() - died);
    await turn();
    bench.workers[i + 1].ready();
    died = performance.now();
  }
  assert.ok(pauses[3] > pauses[0], "a later one comes later");
  for (const line of bench.log)
    assert.match(line, /^Worker \d+ is gone \(it ended with code 7\); another one starts in/);
  putForward(STEADY_MS);
  bench.pool.look();
  bench.workers[4].exit(7);
  await turn();
  assert.equal(bench.workers.length, 6, "after a while of peace the next one starts at once");
  await end(bench);
});

test("a client that goes while it waits gives its place away", async () => {
  const bench = await start({ concurrency: 1, queueLength: 1 });
  send(bench.pool);
  const waiting = send(bench.pool);
  await turn();
  assert.equal(send(bench.pool).status, 503);
  waiting.refusal = new ClientDisconnected();
  waiting.event({ type: "http.disconnect" });
  await turn();
  assert.deepEqual([bench.pool.waiting, waiting.outcome, waiting.sent.length], [0, "settled", 0]);
  const next = send(bench.pool);
  await turn();
  bench.workers[0].respond(1);
  await turn();
  assert.deepEqual(bench.workers[0].requests, [1, 2]);
  // Its own disconnect is told to the worker, as if it had never waited.
  next.event({ type: "http.disconnect" });
  await turn();
  assert.deepEqual(
    bench.workers[0].of(wire.DISCONNECT).map(({ id }) => id),
    [2],
  );
  await end(bench);
});

test("a client that only ends its half while it waits is answered, and its worker is told", async () => {
  const bench = await start({ concurrency: 1 });
  send(bench.pool);
  const waiting = send(bench.pool);
  await turn();
  waiting.event({ type: "http.disconnect" });
  await turn();
  const [worker] = bench.workers;
  worker.respond(1);
  await turn();
  assert.deepEqual(
    worker.sent.slice(-2).map(({ type, flags, id }) => [type, flags, id]),
    [
      [wire.HEAD, wire.LAST, 2],
      [wire.DISCONNECT, 0, 2],
    ],
  );
  worker.respond(2, "all the same");
  await turn();
  assert.equal(waiting.text, "all the same");
  await end(bench);
});

test("a Python that can't be started: the first time it is an error, later it is tried again", async () => {
  const { spawn, workers } = fakeSpawn();
  let works = false;
  const options = optionsOf(
    (given) => {
      if (!works) throw new PlainError("The program python3 can't be started.");
      return spawn(given);
    },
    { workers: 3 },
  );
  const log: string[] = [];
  const logger = { info: () => {}, error: (text: string) => void log.push(text) };
  await assert.rejects(new WorkerPool(runtime, logger as never, options).start(), /can't be started/);
  assert.deepEqual(log, []);
  works = true;
  const pool = new WorkerPool(runtime, logger as never, options);
  const started = pool.start();
  await turn();
  for (const worker of [...workers]) worker.ready();
  await started;
  works = false;
  pool.resize(5);
  assert.deepEqual([pool.workers.length, log.length], [3, 1]);
  works = true;
  while (workers.length < 5) await turn();
  await end({ pool, workers, log });
});

test("a stopping pool refuses, and lets nobody wait", async () => {
  const bench = await start({ concurrency: 1 });
  const served = send(bench.pool);
  const waiting = send(bench.pool);
  await turn();
  const stopped = bench.pool.stop();
  assert.equal(waiting.status, 503);
  assert.equal(send(bench.pool).status, 503);
  await turn();
  bench.workers[0].respond(1, "last");
  await turn();
  assert.equal(served.text, "last");
  bench.workers[0].exit(0);
  await stopped;
});
