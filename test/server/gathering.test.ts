import assert from "node:assert/strict";
import { test } from "node:test";
import { type Gathered, Gathering } from "../../src/server/gathering.ts";

class Fake implements Gathered {
  flushQueued = false;
  wakeQueued = false;
  wakes = 0;
  readonly calls: string[];
  readonly name: string;
  onResume: (() => void) | undefined = undefined;

  constructor(name: string, calls: string[]) {
    this.name = name;
    this.calls = calls;
  }
  flushGathered(): void {
    this.calls.push(`flush ${this.name}`);
  }
  resumePump(): void {
    this.calls.push(`resume ${this.name}`);
    this.onResume?.();
  }
  abort(): void {
    this.calls.push(`abort ${this.name}`);
  }
}

function world() {
  const calls: string[] = [];
  const deferred: (() => void)[] = [];
  const clock = { now: 0 };
  const runtime = { defer: (task: () => void) => void deferred.push(task), now: () => clock.now };
  const gathering = new Gathering(runtime, (connection) => connection.abort());
  return { calls, deferred, clock, gathering, a: new Fake("a", calls), b: new Fake("b", calls) };
}

async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

test("output of several connections leaves together once it is quiet", async () => {
  const { calls, gathering, a, b } = world();
  gathering.flushLater(a);
  await rounds(3);
  gathering.flushLater(b);
  await rounds(4);
  assert.deepEqual(calls, []);
  await rounds(4);
  assert.deepEqual(calls, ["flush a", "flush b"]);
  assert.equal(a.flushQueued, false);
});

test("what one connection writes in many pieces leaves at once", async () => {
  const { calls, gathering, a } = world();
  for (let i = 0; i < 40; i++) {
    gathering.flushLater(a);
    await rounds(3);
  }
  assert.deepEqual(calls, []);
  await rounds(8);
  assert.deepEqual(calls, ["flush a"]);
});

test("who computes between pieces is read meanwhile", async () => {
  const { calls, clock, gathering, a } = world();
  for (let i = 0; i < 40; i++) {
    gathering.flushLater(a);
    clock.now += 10;
    await rounds(3);
  }
  assert.ok(calls.length >= 5, `${calls.length} writes of 40 pieces`);
});

test("who computes long between pieces is read after a few of them", async () => {
  const { calls, clock, gathering, a } = world();
  for (let i = 0; i < 30; i++) {
    gathering.flushLater(a);
    clock.now += 100;
    await rounds(1);
  }
  assert.ok(calls.length >= 2, `${calls.length} writes of 30 pieces`);
});

test("a request that starts puts off the output of its turn", async () => {
  const { calls, gathering, a, b } = world();
  gathering.flushLater(a);
  for (let i = 0; i < 5; i++) {
    gathering.wake(b);
    await rounds(4);
  }
  assert.deepEqual(calls, Array(5).fill("resume b"));
  await rounds(10);
  assert.equal(calls.at(-1), "flush a");
});

test("a connection is woken once however often it asks", async () => {
  const { calls, gathering, a } = world();
  gathering.wake(a);
  gathering.wake(a);
  await rounds(2);
  assert.deepEqual(calls, ["resume a"]);
});

test("a long pipeline waits for the next turn, and the other connections don't", async () => {
  const { calls, deferred, gathering, a, b } = world();
  a.onResume = () => gathering.wake(a);
  gathering.wake(a);
  await rounds(5);
  const before = calls.length;
  assert.ok(before > 10 && before < 1000, `${before} requests in one turn`);
  assert.equal(deferred.length, 1);
  gathering.wake(b);
  await rounds(3);
  assert.deepEqual(calls.slice(before), ["resume b"]);
  a.onResume = undefined;
  deferred.shift()!();
  assert.deepEqual(calls.slice(before), ["resume b", "resume a"]);
});

test("a connection that fails is ended, and those behind it are served", async () => {
  const { calls, gathering, a, b } = world();
  a.onResume = () => {
    throw new Error("broken");
  };
  a.flushGathered = a.onResume;
  gathering.wake(a);
  gathering.wake(b);
  gathering.flushLater(a);
  gathering.flushLater(b);
  await rounds(12);
  assert.deepEqual(calls, ["resume a", "abort a", "resume b", "abort a", "flush b"]);
});

test("however many connections have long pipelines, the event loop gets its turn and what is answered leaves", async () => {
  const { calls, deferred, gathering } = world();
  let budget = 100_000;
  for (let i = 0; i < 100; i++) {
    const each = new Fake(`${i}`, calls);
    each.onResume = () => {
      if (--budget < 0) return;
      gathering.wake(each);
      if (!each.flushQueued) gathering.flushLater(each);
    };
    each.onResume();
  }
  await rounds(2000);
  const resumed = calls.filter((call) => call.startsWith("resume")).length;
  assert.ok(resumed > 1000 && resumed < 5000, `${resumed} requests in one turn`);
  assert.equal(calls.filter((call) => call.startsWith("flush")).length, 100);
  assert.equal(deferred.length, 1);
});
