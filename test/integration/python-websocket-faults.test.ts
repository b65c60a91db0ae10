/** What may happen to the WebSockets of Python workers: death, replacement, floods, readers that stall. Both runtimes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { check, type Scene, TWO } from "../harness/scene.ts";
import { gone } from "../harness/site.ts";
import { pause, until } from "../harness/wait.ts";
import { BINARY, CLOSE, closeFrame, closeOf, frame, RawWebSocket, TEXT, textOf } from "../harness/websocket.ts";

const MB = 1 << 20;
/** What a peer that does not keep up may cost: kernel buffers, a window, the front's queue. */
const HELD_MB = 12;
const GROWTH_MB = 40;
/** Longer than anything takes that could still move. */
const STILL_MS = 500;

interface Opened {
  readonly client: RawWebSocket;
  readonly pid: number;
  readonly version: string;
}

async function open(scene: Scene, target = "/"): Promise<Opened> {
  const client = await RawWebSocket.open(scene.server.address, target);
  return { client, ...(JSON.parse(textOf(await client.next())) as { pid: number; version: string }) };
}

async function echoes({ client }: Opened, text = "here"): Promise<void> {
  await client.send(frame(TEXT, text));
  assert.equal(textOf(await client.next()), text);
}

/** Takes the server's close frame, and answers it. */
async function closes({ client }: Opened, expected: string): Promise<void> {
  assert.equal(closeOf(await client.next()), expected);
  await client.send(closeFrame(Number(expected)));
  await client.ended();
}

function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
}

check("kill -9 of a worker: 1012 to its WebSockets, and nothing to the others", TWO, async (scene) => {
  await scene.workers(2);
  const opened = await Promise.all([1, 2, 3, 4].map(() => open(scene)));
  const [{ pid }] = opened;
  const [theirs, others] = [opened.filter((each) => each.pid === pid), opened.filter((each) => each.pid !== pid)];
  assert.deepEqual([theirs.length, others.length], [2, 2], "they are spread evenly");
  process.kill(pid, "SIGKILL");
  for (const each of theirs) await closes(each, "1012");
  await scene.server.sees(/Worker \d+ is gone \(it was ended by SIGKILL\) with 2 WebSockets/);
  for (const each of others) await echoes(each);
  await scene.workers(2, [pid]);
  const fresh = await open(scene);
  assert.ok(fresh.pid !== pid);
  for (const each of [...others, fresh]) {
    await echoes(each, "again");
    each.client.destroy();
  }
});

check("SIGHUP: WebSockets go on at the old worker, which leaves behind the last", [], async (scene) => {
  const old = await open(scene);
  scene.version("v2");
  scene.signal("SIGHUP");
  await scene.server.sees(/The workers have been replaced\./);
  const fresh = await open(scene);
  assert.deepEqual([old.version, fresh.version], ["v1", "v2"]);
  await echoes(old, "still there");
  await old.client.send(closeFrame(1000));
  assert.equal(closeOf(await old.client.next()), "1000");
  await gone(old.pid, "the old worker");
  await echoes(fresh);
  fresh.client.destroy();
});

check("SIGHUP: at the deadline 1012", ["--timeout-graceful-shutdown", "1"], async (scene) => {
  const old = await open(scene);
  const deaf = await open(scene, "/deaf");
  scene.version("v2");
  scene.signal("SIGHUP");
  await closes(old, "1012");
  await closes(deaf, "1012");
  await scene.server.sees(/a WebSocket has ended with 1012/);
  await gone(old.pid, "the old worker");
  const fresh = await open(scene);
  assert.equal(fresh.version, "v2");
  fresh.client.destroy();
});

check("--reload: 1012 at once, and who comes back gets the new code", ["--reload"], async (scene) => {
  const old = await open(scene);
  scene.version("v2");
  await closes(old, "1012");
  const fresh = await open(scene);
  assert.equal(fresh.version, "v2");
  fresh.client.destroy();
});

check("SIGTERM: 1012, and the application is told", [], async (scene) => {
  const opened = await open(scene);
  scene.signal("SIGTERM");
  await closes(opened, "1012");
  await scene.server.sees(/a WebSocket has ended with 1012/);
  await scene.server.ended();
});

check("a client that floods is stopped at its socket, and nobody else is", [], async (scene) => {
  const [flooding, other] = [await open(scene, "/deaf"), await open(scene)];
  await echoes(other);
  const before = [residentMb(scene.server.pid), residentMb(other.pid)];
  const { socket } = flooding.client;
  const message = Buffer.from(frame(BINARY, new Uint8Array(64 * 1024)));
  const most = 256 * MB;
  let offered = 0;
  let moved = -1;
  // Until nothing moves any more.
  while (offered < most) {
    for (; socket.writableLength < 4 * MB && offered < most; offered += message.length) socket.write(message);
    const taken = offered - socket.writableLength;
    if (taken === moved) break;
    moved = taken;
    await pause(STILL_MS);
  }
  assert.ok(moved < HELD_MB * MB, `${moved} bytes were taken`);
  await echoes(other, "not held up");
  const after = [residentMb(scene.server.pid), residentMb(other.pid)];
  assert.ok(
    after[0] - before[0] < GROWTH_MB && after[1] - before[1] < GROWTH_MB,
    `${before} MB before, ${after} after`,
  );
  for (const { client } of [flooding, other]) client.destroy();
});

check("a client that does not read holds up its sender, and nobody else", [], async (scene) => {
  const other = await open(scene);
  const before = [residentMb(scene.server.pid), residentMb(other.pid)];
  const stalled = await open(scene, "/pour");
  stalled.client.socket.pause();
  const poured = async () => Number(await (await fetch(`${scene.server.url}/poured`)).text());
  let count = -1;
  await until(async () => {
    const now = await poured();
    if (now === count) return true;
    count = now;
    await pause(STILL_MS);
    return false;
  }, "the sender waits");
  assert.ok(count * 50_000 < HELD_MB * MB, `${count} messages were sent`);
  await echoes(other, "not held up");
  const after = [residentMb(scene.server.pid), residentMb(other.pid)];
  assert.ok(
    after[0] - before[0] < GROWTH_MB && after[1] - before[1] < GROWTH_MB,
    `${before} MB before, ${after} after`,
  );
  stalled.client.socket.resume();
  for (let i = 0; i < count + 20; i++) {
    const { opcode, payload } = await stalled.client.next();
    assert.deepEqual([opcode, payload.length], [BINARY, 50_000]);
  }
  for (const { client } of [stalled, other]) client.destroy();
});

check(
  "an idle worker full of WebSockets is not stuck, and takes requests",
  ["--timeout-worker", "1"],
  async (scene) => {
    const opened = await Promise.all(Array.from({ length: 50 }, () => open(scene)));
    await pause(2_500);
    assert.doesNotMatch(scene.server.stderr, /is stuck|is gone/);
    await scene.ask();
    for (const each of opened) {
      await echoes(each);
      each.client.destroy();
    }
    await scene.server.sees(/a WebSocket has ended with 1006/);
  },
);

check("a limit of requests is no limit of WebSockets", ["--limit-concurrency", "2"], async (scene) => {
  const opened = await Promise.all([open(scene), open(scene)]);
  opened.push(await open(scene), await open(scene));
  await scene.ask();
  for (const each of opened) {
    await echoes(each);
    await each.client.send(closeFrame(1000));
    assert.equal((await each.client.next()).opcode, CLOSE);
  }
});
