/** How a worker is started from its file, and from texts: those go ahead of everything else that its stream is given. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ahead, workerStart } from "../../src/python/embedded.ts";
import type { SpawnStreamOptions, StreamChild } from "../../src/runtime/stream-child.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A child whose stream takes `room` bytes in all. */
class Narrow implements StreamChild {
  readonly pid = 7;
  room = 0;
  gone = false;
  got = "";
  readonly calls: string[] = [];

  write(from: Uint8Array, start: number, end: number): number {
    if (this.gone) return -1;
    const count = Math.min(end - start, this.room);
    this.room -= count;
    this.got += new TextDecoder().decode(from.subarray(start, start + count));
    return count;
  }

  kill(signal: string): void {
    this.calls.push(signal);
  }

  close(): void {
    this.calls.push("close");
  }
}

function started(room: number): { child: Narrow; front: StreamChild; drain: () => void; drained: () => number } {
  const child = new Narrow();
  child.room = room;
  let drained = 0;
  let own: SpawnStreamOptions | undefined;
  const spawn = ahead(
    (options) => {
      own = options;
      // Bun may open the stream within `spawn`.
      options.onDrain();
      return child;
    },
    () => bytes("first"),
  );
  const nothing = (): void => undefined;
  const front = spawn({
    command: [],
    env: {},
    onData: nothing,
    onDrain: () => void drained++,
    onEnd: nothing,
    onExit: nothing,
  });
  return { child, front, drain: () => own?.onDrain(), drained: () => drained };
}

test("what goes ahead leaves at once, though nothing is written behind it", () => {
  const { child, front, drained } = started(100);
  assert.equal(child.got, "first");
  assert.equal(front.write(bytes("xthen"), 1, 5), 4);
  assert.deepEqual([child.got, drained()], ["firstthen", 0]);
});

test("a stream that takes little gets all of it before anything else", () => {
  const { child, front, drain, drained } = started(2);
  assert.equal(front.write(bytes("then"), 0, 4), 0);
  child.room = 2;
  drain();
  assert.deepEqual([child.got, drained()], ["firs", 0], "the rest is still to leave");
  child.room = 3;
  assert.equal(front.write(bytes("then"), 0, 4), 2);
  assert.equal(child.got, "firstth");
  child.room = 2;
  drain();
  assert.equal(drained(), 1, "now the writer hears of room");
  assert.equal(front.write(bytes("then"), 2, 4), 2);
  assert.equal(child.got, "firstthen");
});

test("a stream that ends meanwhile takes nothing, and the rest reaches the child", () => {
  const { child, front, drain, drained } = started(2);
  child.gone = true;
  drain();
  assert.deepEqual([front.write(bytes("then"), 0, 4), drained(), front.pid], [0, 0, 7]);
  front.kill("SIGKILL");
  front.close();
  assert.deepEqual(child.calls, ["SIGKILL", "close"]);
});

test("from its file a worker is started the usual way", () => {
  const start = workerStart(new URL("file:///a%20b/start.py"), undefined, "/x");
  assert.deepEqual(start, { args: ["/a b/start.py"], spawn: undefined });
});
