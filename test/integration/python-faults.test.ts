/** What may happen to Python workers, mostly under load: death, silence, work, garbage. Real processes, both runtimes. */
import assert from "node:assert/strict";
import { PYTHON } from "../harness/python.ts";
import { RawClient } from "../harness/raw.ts";
import { below, CONNECTIONS, check, TWO } from "../harness/scene.ts";
import { Server } from "../harness/server.ts";
import { gone, runs } from "../harness/site.ts";
import { pause, until } from "../harness/wait.ts";

check("kill -9 of a worker under load loses no connection", TWO, async (scene) => {
  const { server } = scene;
  const pids = await scene.workers(2);
  const load = scene.load();
  await load.more(200);
  process.kill(pids[0], "SIGKILL");
  await server.sees(/Worker \d+ is gone \(it was ended by SIGKILL\).*; another one starts/);
  await load.more(200);
  await scene.workers(2, [pids[0]]);
  await load.stop();
  assert.equal(load.lost, 0);
  assert.deepEqual(
    [...load.answers.keys()].filter((status) => status !== 200 && status !== 502),
    [],
  );
  assert.ok(load.failed <= CONNECTIONS, `${load.failed} were in flight there`);
});

check("a stopped worker is replaced while the others serve", [...TWO, "--timeout-worker", "1"], async (scene) => {
  const pids = await scene.workers(2);
  const load = scene.load();
  await load.more(100);
  process.kill(pids[0], "SIGSTOP");
  await scene.server.sees(/Worker \d+ is stuck: its event loop has not turned for 1 s/);
  await gone(pids[0], "the stopped worker");
  await load.more(100);
  await scene.workers(2, [pids[0]]);
  await load.stop();
  assert.equal(load.lost, 0);
  assert.ok(load.failed <= CONNECTIONS, `${load.failed} were in flight there`);
  assert.equal(scene.server.stderr.match(/is stuck|is gone/g)?.length, 1, "one line");
});

check("a waiting loop is stuck, a computing one is not", [...TWO, "--timeout-worker", "1"], async (scene) => {
  const pids = await scene.workers(2);
  const computed = await scene.ask("/spin?2");
  assert.ok(pids.includes(computed.pid));
  assert.doesNotMatch(scene.server.stderr, /is stuck/);
  const blocked = await fetch(`${scene.server.url}/block?60`);
  assert.equal(blocked.status, 502);
  assert.match(scene.server.stderr, /is stuck/);
});

check("a busy worker gets nothing that another can take", TWO, async (scene) => {
  const pids = await scene.workers(2);
  let over = false;
  const spinning = scene.ask("/spin?4").finally(() => {
    over = true;
  });
  // Until its heartbeat has told.
  await pause(1_500);
  const answers = await Promise.all(Array.from({ length: 8 }, () => scene.ask("/sleep?0.05")));
  assert.equal(over, false, "all were answered meanwhile");
  const others = new Set(answers.map(({ pid }) => pid));
  assert.equal(others.size, 1);
  const { pid } = await spinning;
  assert.deepEqual([...others, pid].sort(), pids.sort());
});

check("a worker that floods is replaced", TWO, async (scene) => {
  const pids = await scene.workers(2);
  const flooded = await fetch(`${scene.server.url}/flood`);
  assert.equal(flooded.status, 502);
  await scene.server.sees(/Worker \d+ is gone \(it sent a record of [^)]*\)/);
  await scene.workers(2);
  assert.equal(pids.filter(runs).length, 1);
});

check("without --reload no traceback is shown to clients", [], async (scene) => {
  scene.write("x = = 1\n");
  const [pid] = await scene.workers(1);
  process.kill(pid, "SIGKILL");
  await scene.server.sees(/SyntaxError/);
  const held = fetch(scene.server.url);
  scene.version("v2");
  const response = await held;
  assert.equal(response.status, 200);
  assert.doesNotMatch(await response.text(), /SyntaxError/);
});

check("a front that is stopped while it starts ends its workers first", [], async (scene, runtime) => {
  scene.write("import os, time\nprint('worker', os.getpid(), flush=True)\ntime.sleep(1000)\n");
  const loading = Server.spawn(runtime, "main:app", ["--app-dir", scene.folder, "--python", PYTHON]);
  const [, pid] = await loading.sees(/worker (\d+)/);
  loading.signal("SIGTERM");
  assert.deepEqual(await loading.ended(), { code: 0, signal: null });
  assert.ok(!runs(Number(pid)));
});

check("when the front is killed, all its processes leave", [...TWO, "--reload"], async (scene) => {
  await scene.workers(2);
  const stuck = await RawClient.connect(scene.server.address);
  await stuck.send("GET /block?100 HTTP/1.1\r\nHost: a\r\n\r\n");
  // Two workers, and the interpreter of the next one.
  const pids = await until(() => {
    const found = below(scene.server.pid);
    return found.length === 3 ? found : undefined;
  }, "three processes run");
  await scene.server.kill();
  for (const pid of pids) await gone(pid);
});
