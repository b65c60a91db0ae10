/** Replacing workers: those that retire, all of them one by one, and replacements that fail. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS } from "../../src/supervise/fleet.ts";
import { World } from "./world.ts";

test("a retiring worker is replaced before it stops", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  assert.deepEqual(world.look(), ["spawn 2 over :4711"]);
  world.fleet.retiring(1);
  assert.deepEqual(world.look(), []);
  world.ready(2);
  assert.deepEqual(world.look(), ["hand over 1 to 1"]);
  world.exit(1);
  assert.deepEqual(world.look(), []);
  assert.deepEqual(world.log, []);
});

test("a replacement that fails leaves the old one, and is tried again", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  world.fail(2);
  assert.equal(world.logged(/No database\.\n {10}The old process goes on serving/), 1);
  assert.deepEqual(world.look(), ["spawn 2 over :4711"]);
  world.pass(FIRST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 3 over :4711"]);
  world.ready(3);
  assert.deepEqual(world.look(), ["hand over 1 to 1"]);
});

test("a retiring worker that dies first: its replacement takes the place", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  world.exit(1, 1);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 2 over :4711"]);
  world.ready(2);
  assert.deepEqual(world.look(), []);
  world.exit(2, 1);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 3 :4711"]);
});

test("both die: one is started again", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  world.look();
  world.exit(1, 1);
  world.exit(2, 1);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 3 :4711"]);
});

test("dies while waiting to try its replacement again: one is started, not two", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  world.fail(2);
  world.exit(1, 1);
  world.look();
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 3 :4711"]);
});

test("a rolling replacement goes one by one", () => {
  const world = World.serving({ workers: 3 });
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 4 over :4711"]);
  world.ready(4);
  assert.deepEqual(world.look(), ["hand over 1 to 3"]);
  world.fleet.closed(1);
  assert.deepEqual(world.look(), ["spawn 5 over :4711"]);
  world.ready(5);
  assert.deepEqual(world.look(), ["hand over 2 to 3"]);
  // It died before it could say that it has left the address.
  world.exit(2, 1);
  assert.deepEqual(world.look(), ["spawn 6 over :4711"]);
  world.exit(1);
  world.ready(6);
  world.fleet.closed(3);
  world.exit(3);
  assert.deepEqual(world.look(), ["hand over 3 to 3"]);
});

test("a worker that has handed over is told when the whole server stops", () => {
  const world = World.serving({ workers: 1 });
  world.fleet.replaceAll();
  world.ready(2);
  world.fleet.closed(1);
  world.look();
  world.fleet.stop();
  assert.deepEqual(world.look(), ["stop 1", "stop 2"]);
});

test("a stop in the middle of a roll ends the roll: no worker is started any more", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.replaceAll();
  world.ready(3);
  world.look();
  world.fleet.stop();
  assert.deepEqual(world.look(), ["stop 1", "stop 2", "stop 3"]);
  world.fleet.closed(1);
  assert.deepEqual(world.look(), []);
});

test("new code that fails to load ends the roll with one error, and the old goes on", () => {
  const world = World.serving({ workers: 3 });
  world.fleet.replaceAll();
  world.fail(4, "Syntax error.");
  world.pass(3_600_000);
  assert.deepEqual(world.look(), ["spawn 4 over :4711"]);
  assert.equal(world.logged(/Syntax error/), 1);
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 5 over :4711"]);
});

test("a change during a roll replaces the worker that is starting, and begins the roll anew", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.replaceAll();
  world.ready(3);
  world.fleet.closed(1);
  assert.deepEqual(world.look(), ["spawn 3 over :4711", "hand over 1 to 2", "spawn 4 over :4711"]);
  // Its start may never end.
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["hand over 4", "spawn 5 over :4711"]);
  world.ready(4);
  world.exit(4);
  assert.deepEqual(world.look(), []);
  world.ready(5);
  world.fleet.closed(2);
  assert.deepEqual(world.look(), ["hand over 2 to 2", "spawn 6 over :4711"]);
  world.ready(6);
  world.fleet.closed(3);
  assert.deepEqual(world.look(), ["hand over 3 to 2"]);
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 7 over :4711"]);
});

test("changes while an old worker leaves the address wait for that, and are one more roll", () => {
  const world = World.serving();
  world.fleet.replaceAll();
  world.ready(2);
  world.fleet.replaceAll();
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 2 over :4711", "hand over 1 to 1"]);
  world.fleet.closed(1);
  assert.deepEqual(world.look(), ["spawn 3 over :4711"]);
  world.ready(3);
  world.fleet.closed(2);
  assert.deepEqual(world.look(), ["hand over 2 to 1"]);
});

test("what is outdated while it fails is no failure of what took its place", () => {
  const world = World.serving();
  world.fleet.replaceAll();
  world.fleet.failed(2, "No database.", 1);
  world.fleet.replaceAll();
  world.exit(2, 1);
  world.ready(3);
  assert.deepEqual(world.look(), ["spawn 2 over :4711", "spawn 3 over :4711", "hand over 1 to 1"]);
  assert.deepEqual(world.log, []);
});

test("a worker that fails, and is replaced before its end, does not hold the roll up", () => {
  const world = World.serving({ workers: 2 });
  world.exit(1, 1);
  world.pass(FIRST_BACKOFF_MS);
  world.fleet.failed(3, "No database.", 1);
  world.fleet.replaceAll();
  world.ready(4);
  assert.deepEqual(world.look(), ["spawn 3 :4711", "spawn 4 over :4711"]);
  world.exit(3, 1);
  assert.deepEqual(world.look(), ["spawn 5 over :4711"]);
});

test("on a Unix socket a worker that is starting is killed for its successor: it could take the path from it", () => {
  const world = World.serving({ single: true });
  world.fleet.replaceAll();
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 2 over :4711", "hand over 2", "kill 2", "spawn 3 over :4711"]);
});

test("a roll that meets a replacement under way replaces that one too", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.retiring(1);
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 3 over :4711", "hand over 3", "spawn 4 over :4711"]);
  world.exit(3);
  world.ready(4);
  world.fleet.closed(1);
  assert.deepEqual(world.look(), ["hand over 1 to 2", "spawn 5 over :4711"]);
  world.ready(5);
  assert.deepEqual(world.look(), ["hand over 2 to 2"]);
});

test("a worker that reaches its limit while a roll replaces it is replaced once", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.replaceAll();
  world.fleet.retiring(1);
  assert.deepEqual(world.look(), ["spawn 3 over :4711"]);
  world.ready(3);
  world.fleet.closed(1);
  assert.deepEqual(world.look(), ["hand over 1 to 2", "spawn 4 over :4711"]);
});

test("a worker that has reached its limit is replaced though a roll has failed meanwhile", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  world.fleet.replaceAll();
  world.fail(3, "Syntax error.");
  assert.deepEqual(world.look(), ["spawn 2 over :4711", "hand over 2", "spawn 3 over :4711"]);
  world.pass(FIRST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 4 over :4711"]);
  world.ready(4);
  assert.deepEqual(world.look(), ["hand over 1 to 1"]);
});

test("a roll starts dead workers at once", () => {
  const world = World.serving();
  for (const id of [1, 2, 3, 4]) {
    world.exit(id, 1);
    if (id < 4) world.pass(LONGEST_BACKOFF_MS);
  }
  world.look();
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 5 :4711"]);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), []);
});

test("a removed worker that the roll waited for does not hold it up", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.replaceAll();
  world.ready(3);
  world.fleet.closed(1);
  world.look();
  world.fleet.shrink();
  assert.deepEqual(world.look(), ["hand over 2", "hand over 4"]);
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 5 over :4711"]);
});

test("a worker that is removed while it fails is not started again", () => {
  const world = World.serving({ workers: 2 });
  world.exit(2, 1);
  world.pass(FIRST_BACKOFF_MS);
  world.fleet.failed(3, "No database.", 1);
  world.look();
  world.fleet.shrink();
  world.exit(3, 1);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), []);
});
