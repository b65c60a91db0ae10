import assert from "node:assert/strict";
import { test } from "node:test";
import { CRASH_LOOP_DEATHS } from "../../src/observe/crashes.ts";
import { FIRST_BACKOFF_MS, KILL_MARGIN_MS, LONGEST_BACKOFF_MS, SERVED_WELL_MS } from "../../src/supervise/fleet.ts";
import { GRACEFUL_MS, World } from "./world.ts";

test("the first worker starts alone, the others on its port when it serves", () => {
  const world = new World({ workers: 3 });
  world.fleet.start();
  assert.deepEqual(world.look(), ["spawn 1"]);
  world.ready(1);
  assert.deepEqual(world.look(), ["spawn 2 :4711", "spawn 3 :4711", "serving :4711"]);
  world.ready(2, 3);
  assert.deepEqual(world.look(), []);
  assert.equal(world.fleet.size, 3);
});

test("the first worker's failure ends it all, with the application's message and code", () => {
  const world = new World({ workers: 3 });
  world.fleet.start();
  world.fleet.failed(1, "No database.", 7);
  assert.equal(world.exitCode, undefined);
  world.exit(1, 7);
  assert.equal(world.exitCode, 7);
  assert.deepEqual(world.log, ["CRITICAL: No database.\n"]);
  assert.deepEqual(world.look(), ["spawn 1"]);
});

test("so does its crash", () => {
  const world = new World();
  world.fleet.start();
  world.exit(1, null, "SIGSEGV");
  assert.equal(world.exitCode, 1);
  assert.equal(world.logged(/could not start: its process was ended by SIGSEGV/), 1);
});

test("with --reload the first failure waits for a change", () => {
  const world = new World({ waitsForChange: true });
  world.fleet.start();
  world.fail(1);
  assert.equal(world.exitCode, undefined);
  assert.equal(world.logged(/Waiting for a file to change/), 1);
  world.pass(3_600_000);
  assert.deepEqual(world.look(), ["spawn 1"]);
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 2"]);
  world.ready(2);
  assert.deepEqual(world.look(), ["serving :4711"]);
});

test("a change during the first start begins it anew: it may never end", () => {
  for (const end of ["exit", "fail", "ready"] as const) {
    const world = new World({ waitsForChange: true, workers: 2 });
    world.fleet.start();
    world.fleet.replaceAll();
    assert.deepEqual(world.look(), ["spawn 1", "hand over 1", "spawn 2"]);
    world[end](1);
    assert.deepEqual(world.look(), []);
    world.ready(2);
    assert.deepEqual(world.look(), ["spawn 3 :4711", "serving :4711"]);
    assert.deepEqual(world.log, []);
  }
});

test("a change or a signal before the first start", () => {
  const changed = new World({ waitsForChange: true });
  changed.fleet.replaceAll();
  changed.fleet.start();
  assert.deepEqual(changed.look(), ["spawn 1"]);
  const stopped = new World({ waitsForChange: true });
  stopped.fleet.stop();
  stopped.fleet.start();
  assert.deepEqual(stopped.look(), []);
  assert.equal(stopped.exitCode, 0);
});

test("a worker that dies is replaced after the first backoff", () => {
  const world = World.serving({ workers: 2 });
  world.exit(1, null, "SIGKILL");
  assert.deepEqual(world.look(), []);
  world.pass(FIRST_BACKOFF_MS - 1);
  assert.deepEqual(world.look(), []);
  world.pass(1);
  assert.deepEqual(world.look(), ["spawn 3 :4711"]);
  assert.equal(world.logged(/^ERROR: {4}Worker 1001 was ended by SIGKILL; another one starts in 100 ms\.$/m), 1);
  assert.equal(world.exitCode, undefined);
});

test("the backoff doubles to its longest, and each step is taken", () => {
  const world = World.serving();
  let id = 1;
  const waits: number[] = [];
  for (let i = 0; i < 10; i++) {
    world.exit(id, 1);
    let waited = 0;
    while (world.look().length === 0) {
      world.pass(50);
      waited += 50;
    }
    waits.push(waited);
    id += 1;
    world.ready(id);
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  assert.equal(LONGEST_BACKOFF_MS, 10_000);
});

test("a worker that served well makes the next crash a first one", () => {
  const world = World.serving();
  for (const id of [1, 2, 3]) {
    world.exit(id, 1);
    world.pass(1000);
    world.ready(id + 1);
  }
  world.pass(SERVED_WELL_MS);
  world.look();
  world.exit(4, 1);
  world.pass(FIRST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 5 :4711"]);
});

test("a crash loop is reported once, and its end", () => {
  const world = World.serving();
  let id = 1;
  for (let i = 0; i < 30; i++) {
    if (i > 0) world.fail(id);
    else world.exit(id, 1);
    world.pass(LONGEST_BACKOFF_MS);
    id += 1;
  }
  assert.equal(world.logged(/keep dying \(5 times/), 1);
  assert.equal(world.logged(/another one starts in/), CRASH_LOOP_DEATHS - 1);
  assert.equal(world.logged(/No database/), 1);
  world.ready(id);
  world.pass(SERVED_WELL_MS);
  assert.equal(world.logged(/The workers serve again/), 1);
  world.exit(id, 1);
  assert.equal(world.logged(/another one starts in 100 ms/), 2);
});

test("one slot's loop is reported though another slot serves well", () => {
  const world = World.serving({ workers: 2 });
  world.pass(SERVED_WELL_MS);
  let id = 2;
  for (let i = 0; i < CRASH_LOOP_DEATHS; i++) {
    world.exit(id, 1);
    world.pass(LONGEST_BACKOFF_MS);
    id = 3 + i;
  }
  assert.equal(world.logged(/keep dying/), 1);
});

test("workers are added and removed; the last one stays", () => {
  const world = World.serving();
  world.fleet.grow();
  assert.deepEqual(world.look(), ["spawn 2 :4711"]);
  world.ready(2);
  world.fleet.shrink();
  assert.deepEqual(world.look(), ["hand over 2"]);
  world.exit(2);
  world.fleet.shrink();
  world.pass(3_600_000);
  assert.deepEqual(world.look(), []);
  assert.equal(world.fleet.size, 1);
  assert.equal(world.logged(/The last worker stays/), 1);
});

test("a Unix socket keeps one worker", () => {
  const world = World.serving({ single: true });
  world.fleet.grow();
  assert.deepEqual(world.look(), []);
  assert.equal(world.fleet.size, 1);
});

test("stop: every worker gracefully, then exit code 0", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.retiring(1);
  world.look();
  world.fleet.stop();
  assert.deepEqual(world.look().sort(), ["stop 1", "stop 2", "stop 3"]);
  world.exit(3);
  world.exit(1);
  assert.equal(world.exitCode, undefined);
  world.exit(2);
  assert.equal(world.exitCode, 0);
  world.pass(3_600_000);
  assert.deepEqual(world.look(), []);
});

test("a worker that does not stop is killed after its own deadline", () => {
  const world = World.serving();
  world.fleet.stop();
  world.look();
  // Its requests may take so long, and then its shutdown.
  world.pass(2 * GRACEFUL_MS + KILL_MARGIN_MS - 1);
  assert.deepEqual(world.look(), []);
  world.pass(1);
  assert.deepEqual(world.look(), ["kill 1"]);
  world.exit(1, null, "SIGKILL");
  assert.equal(world.exitCode, 0);
});

test("stop at once kills, and ends with 1", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.stop();
  world.look();
  world.fleet.stopNow();
  assert.deepEqual(world.look().sort(), ["kill 1", "kill 2"]);
  world.exit(1, null, "SIGKILL");
  world.exit(2, null, "SIGKILL");
  assert.equal(world.exitCode, 1);
});

test("stop during the backoff of the only worker ends at once", () => {
  const world = World.serving();
  world.exit(1, 1);
  world.fleet.stop();
  assert.equal(world.exitCode, 0);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), []);
});

test("stop while the first worker starts, and while waiting for a change", () => {
  const starting = new World();
  starting.fleet.start();
  starting.fleet.stop();
  assert.deepEqual(starting.look(), ["spawn 1", "stop 1"]);
  starting.exit(1);
  assert.equal(starting.exitCode, 0);
  const waiting = new World({ waitsForChange: true });
  waiting.fleet.start();
  waiting.fail(1);
  waiting.fleet.stop();
  assert.equal(waiting.exitCode, 0);
});

test("messages that come late or from nowhere change nothing", () => {
  const world = World.serving();
  world.ready(1, 99);
  world.fleet.failed(1, "late", 1);
  world.fleet.failed(99, "nobody", 1);
  world.fleet.retiring(99);
  world.exit(99);
  assert.deepEqual(world.look(), []);
  world.fleet.stop();
  world.fleet.retiring(1);
  world.ready(1);
  world.fleet.grow();
  world.fleet.shrink();
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["stop 1"]);
  world.exit(1);
  assert.equal(world.exitCode, 0);
  assert.deepEqual(world.log, []);
});
