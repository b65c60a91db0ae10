/** Who may read next, of many: src/runtime/deno-turns.ts, without Deno. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Reader, Turns } from "../../src/runtime/deno-turns.ts";

const FEW = 100;
const AT_ONCE = 48;
const PACE = 16;
const TURNS = 64;
const LEFT_OUT = 16;

/** So many connections that have been accepted long ago, and the turns of an event loop that is told when. */
function loop(connections: number) {
  const tasks: (() => void)[] = [];
  const turns = new Turns((task) => tasks.push(task));
  const read: number[] = [];
  const readers = Array.from({ length: connections }, (_, i): Reader => {
    turns.hasOpened();
    return { askedInTurn: 0, turnCame: () => read.push(i) };
  });
  const turn = (count = 1) => {
    for (let i = 0; i < count; i++) tasks.shift()?.();
  };
  const ask = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (turns.mayRead(readers[i])) read.push(i);
  };
  return { turns, readers, read, turn, ask, waits: () => tasks.length > 0 };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

test("with few connections nobody stands in line", () => {
  const { read, ask, waits } = loop(FEW);
  ask(0, FEW);
  assert.deepEqual(read, numbers(0, FEW));
  assert.equal(waits(), false);
});

test("of many so many read at once, and who has read makes room for the next in line", () => {
  const { turns, readers, read, turn, ask } = loop(200);
  ask(0, 200);
  assert.deepEqual(read, numbers(0, AT_ONCE));
  // Turns that are left out for those that have just been accepted.
  turn(1);
  turn(1);
  assert.equal(read.length, AT_ONCE);
  for (let i = 0; i < 10; i++) turns.hasRead(readers[i]);
  // Those that were ready before come first.
  turn(PACE - 2);
  assert.equal(read.length, AT_ONCE);
  turn(1);
  assert.deepEqual(read, numbers(0, AT_ONCE + 10));
});

test("reads that find nothing count no more after some turns", () => {
  const { read, turn, ask, waits } = loop(200);
  ask(0, 200);
  turn(TURNS);
  assert.equal(read.length, AT_ONCE);
  turn(1);
  assert.deepEqual(read, numbers(0, 2 * AT_ONCE));
  turn(3 * TURNS);
  assert.deepEqual(read, numbers(0, 200));
  assert.equal(waits(), false);
});

test("a read that is answered after it counts no more makes no room", () => {
  const { turns, readers, read, turn, ask } = loop(200);
  ask(0, 200);
  turn(TURNS + 1);
  for (let i = 0; i < AT_ONCE; i++) turns.hasRead(readers[i]);
  turn(1);
  assert.equal(read.length, 2 * AT_ONCE);
});

test("turns without reads follow one another while connections are accepted, but not without end", () => {
  const { turns, readers, read, turn, ask } = loop(200);
  ask(0, 200);
  for (let i = 0; i < 10; i++) turns.hasRead(readers[i]);
  for (let i = 0; i < LEFT_OUT; i++) {
    turns.hasOpened();
    turn(1);
    assert.equal(read.length, AT_ONCE);
  }
  for (let i = 0; i < PACE * (LEFT_OUT + 1); i++) {
    turns.hasOpened();
    turn(1);
  }
  assert.equal(read.length, AT_ONCE + 10);
});

test("when connections have closed nobody stands in line any more", () => {
  const { turns, read, turn, ask } = loop(200);
  ask(0, 60);
  for (let i = 0; i < 100; i++) turns.hasClosed();
  ask(60, 100);
  assert.deepEqual(read, [...numbers(0, AT_ONCE), ...numbers(60, 100)]);
  turn(TURNS + 2);
  assert.deepEqual(read.slice(-12), numbers(AT_ONCE, 60));
});

test("of many so many write at once, and the others in the turns that follow, in their order", () => {
  const { turns, turn, waits } = loop(300);
  const written: number[] = [];
  for (let i = 0; i < 250; i++) if (turns.mayWrite({ writeTurnCame: () => written.push(i) })) written.push(i);
  assert.deepEqual(written, numbers(0, 100));
  turn(1);
  assert.deepEqual(written, numbers(0, 200));
  turn(1);
  assert.deepEqual(written, numbers(0, 250));
  turn(1);
  assert.equal(waits(), false);
});

test("with few connections nobody waits to write", () => {
  const { turns } = loop(FEW);
  for (let i = 0; i < 500; i++) assert.ok(turns.mayWrite({ writeTurnCame: () => assert.fail() }));
});
