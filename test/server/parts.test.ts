/** The smaller rooms of the server: sweeper, refusals, and the two sides of a busy connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientDisconnected } from "../../src/asgi/errors.ts";
import type { Connection } from "../../src/server/connection.ts";
import { Intake } from "../../src/server/intake.ts";
import { DEFAULT_LIMITS } from "../../src/server/options.ts";
import { Outlet } from "../../src/server/outlet.ts";
import { Refusals } from "../../src/server/refusal.ts";
import { SWEEP_MS, Sweeper, sweepPeriodMs } from "../../src/server/sweeper.ts";
import { bytesOf, FakeSocket, Wired } from "../harness/fake-socket.ts";
import { field, parseResponse, text } from "../harness/response.ts";

// ---- sweeper ---------------------------------------------------------------------------------------------------

for (const [timeouts, period] of [
  [[30_000, 75_000], SWEEP_MS],
  [[1000, 75_000], 200],
  [[0, 1000], 200],
  [[1], 10],
  [[], SWEEP_MS],
  [[0], SWEEP_MS],
] as const) {
  test(`timeouts of ${JSON.stringify(timeouts)} are looked at every ${period} ms`, () => {
    assert.equal(sweepPeriodMs(timeouts), period);
  });
}

class Swept {
  slot = 0;
  seen: number[] = [];
  readonly #sweeper: Sweeper;
  constructor(sweeper: Sweeper) {
    this.#sweeper = sweeper;
    sweeper.add(this.connection);
  }
  get connection(): Connection {
    return this as unknown as Connection;
  }
  sweep(now: number): void {
    this.seen.push(now);
  }
  leave(): void {
    this.#sweeper.remove(this.connection);
  }
}

test("connections that leave while all are visited: everybody else is visited once", () => {
  for (const leaving of [[0], [1], [4], [0, 4], [0, 1, 2, 3, 4], [2, 3]]) {
    const sweeper = new Sweeper(1000, () => 0);
    const all = Array.from({ length: 5 }, () => new Swept(sweeper));
    const visits: number[] = [];
    sweeper.each((connection) => {
      const i = all.findIndex((one) => one.connection === connection);
      visits.push(i);
      if (leaving.includes(i)) all[i].leave();
    });
    assert.deepEqual([...visits].sort(), [0, 1, 2, 3, 4]);
    assert.equal(sweeper.connections.length, 5 - leaving.length);
    for (const [slot, connection] of sweeper.connections.entries()) assert.equal(connection.slot, slot);
    for (const [i, one] of all.entries()) if (!leaving.includes(i)) one.leave();
    assert.equal(sweeper.connections.length, 0, "and no timer is left to keep the process");
  }
});

test("the clock is renewed before each sweep, and when the first connection comes", async () => {
  let ticks = 0;
  const sweeper = new Sweeper(1, () => ++ticks);
  const one = new Swept(sweeper);
  assert.equal(ticks, 1);
  while (one.seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  one.leave();
  assert.deepEqual(one.seen.slice(0, 2), [2, 3]);
});

// ---- refusals --------------------------------------------------------------------------------------------------

test("a refused connection gets a whole 503; a few may linger, the rest is closed at once", () => {
  const refusals = new Refusals();
  const sockets = Array.from({ length: 20 }, () => new FakeSocket());
  const handlers = sockets.map((socket) => refusals.handler(socket, bytesOf("server: x\r\n")));
  const { response, end } = parseResponse(sockets[0].bytes, 0, "GET", true)!;
  assert.equal(end, sockets[0].bytes.length);
  assert.equal(response.status, 503);
  assert.deepEqual([field(response, "connection"), field(response, "retry-after")], ["close", "1"]);
  assert.deepEqual(
    sockets.map(({ ending }) => ending),
    sockets.map((_, i) => (i < 16 ? "fin" : "closed")),
  );
  handlers[0].onEnd();
  assert.equal(sockets[0].ending, "closed");
  for (const handler of handlers) handler.onClose(undefined);
  const later = new FakeSocket();
  refusals.handler(later, new Uint8Array()).onClose(undefined);
  assert.equal(later.ending, "fin", "there is room to linger again");
});

// ---- outlet ----------------------------------------------------------------------------------------------------

function outlet(take: (offered: number) => number): { outlet: Outlet; socket: FakeSocket } {
  const socket = new FakeSocket();
  socket.take = take;
  const made = new Outlet();
  made.attach(socket);
  return { outlet: made, socket };
}

function put({ out }: Outlet, content: string): void {
  out.ensure(content.length);
  out.append(bytesOf(content), 0, content.length);
  out.commit();
}

test("what the socket does not take stays, in order, until it drains", async () => {
  const { outlet: side, socket } = outlet((offered) => Math.min(offered, 3));
  put(side, "abcdefgh");
  side.flush();
  assert.deepEqual([socket.text, side.blocked, side.empty], ["abc", true, false]);
  side.flush();
  assert.equal(socket.text, "abc", "nothing is offered while it is blocked");
  const drained = side.drained();
  assert.equal(side.onDrain(), false);
  assert.equal(side.onDrain(), true);
  await drained;
  assert.deepEqual([socket.text, side.blocked, side.empty], ["abcdefgh", false, true]);
});

test("what the socket borrows blocks the outlet until it drains, whole or in part", async () => {
  const { outlet: side, socket } = outlet((offered) => offered);
  for (const share of [1, 0.5]) {
    socket.borrows = (offered) => offered * share;
    assert.equal(side.writeDirect(bytesOf("abcd"), 0, 4), 4 * share);
    assert.equal(side.blocked, true);
    socket.handler = { onDrain: () => side.onDrain() } as never;
    const drained = side.drained();
    await socket.drain();
    await drained;
    assert.equal(side.blocked, false);
  }
  assert.equal(socket.text, "abcdab");
});

test("writeCopy takes bytes that change at once, whatever the socket would borrow", () => {
  const { outlet: side, socket } = outlet((offered) => offered);
  socket.borrows = (offered) => offered;
  const scratch = bytesOf("first");
  assert.equal(side.writeCopy(scratch, 0, 5), 5);
  scratch.fill(0x58);
  assert.deepEqual([socket.text, side.blocked], ["first", false]);
});

for (const sized of [true, false]) {
  test(`send waits while its array is borrowed, which may change afterwards (sized: ${sized})`, async () => {
    const page = new Uint8Array(200_000).fill(0x61);
    let sends = 0;
    const wired = new Wired(async (_scope, _receive, send) => {
      const headers: [string, string][] = sized ? [["content-length", String(2 * page.length)]] : [];
      await send({ type: "http.response.start", status: 200, headers });
      await send({ type: "http.response.body", body: page, more_body: true });
      sends++;
      page.fill(0x62);
      await send({ type: "http.response.body", body: page });
      sends++;
    });
    const client = wired.connect();
    client.socket.borrows = (offered) => Math.min(offered, 60_000);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(sends, 0);
    await client.socket.drain();
    assert.equal(sends, 2);
    const { response } = parseResponse(client.socket.bytes, 0, "GET", true)!;
    assert.equal(text(response), "a".repeat(200_000) + "b".repeat(200_000));
  });
}

test("a head that is not committed does not leave", () => {
  const { outlet: side, socket } = outlet((offered) => offered);
  put(side, "sent");
  side.out.append(bytesOf("pending"), 0, 7);
  side.flush();
  assert.equal(socket.text, "sent");
  side.out.rollback();
  assert.equal(side.empty, true);
});

test("whoever waits learns that the socket is gone", async () => {
  const { outlet: side } = outlet(() => -1);
  put(side, "x");
  side.flush();
  assert.equal(side.dead, true);
  const waiting = [side.drained(), side.drained()];
  side.detach();
  for (const one of waiting) await assert.rejects(one, ClientDisconnected);
  await assert.rejects(side.drained(), ClientDisconnected);
  assert.deepEqual([side.dead, side.blocked, side.empty], [false, false, true]);
});

// ---- intake ----------------------------------------------------------------------------------------------------

test("holding beyond either limit pauses the socket, until half of it has been parsed", () => {
  for (const [limits, rest] of [
    [{ pipelinedBytes: 10 }, 6],
    [{ pipelinedRequests: 1 }, 1],
  ] as const) {
    const all = { ...DEFAULT_LIMITS, ...limits };
    const socket = new FakeSocket();
    const intake = new Intake(DEFAULT_LIMITS);
    intake.attach(socket);
    intake.hold(bytesOf("G"), 1, all);
    assert.equal(socket.paused, false);
    intake.hold(bytesOf("ET /\r\n\r\n..."), 11, all);
    assert.equal(socket.paused, true);
    intake.resumeIfRoom(all, true);
    assert.equal(socket.paused, true, "too much is still held");
    assert.equal(intake.waitingBytes, 12);
    while (intake.feedHeld()) intake.parser.position = intake.parser.limit;
    intake.hold(bytesOf("......".slice(0, rest)), rest, { ...DEFAULT_LIMITS });
    intake.resumeIfRoom(all, true);
    assert.equal(socket.paused, rest > 5, "by the share that is held");
  }
});

test("reading goes on when the ring has room, or when the body is whole", () => {
  const limits = { ...DEFAULT_LIMITS, bodyWatermarkBytes: 100, pipelinedBytes: 100 };
  const socket = new FakeSocket();
  const intake = new Intake(DEFAULT_LIMITS);
  intake.attach(socket);
  intake.ring.push(new Uint8Array(51), 0, 51);
  intake.pause();
  intake.resumeIfRoom(limits, false);
  assert.equal(socket.paused, true, "the application has to take more first");
  intake.hold(bytesOf("x"), 1, limits);
  intake.resumeIfRoom(limits, true);
  assert.equal(socket.paused, false, "nothing more of the body can come");
  intake.pause();
  intake.ring.take();
  intake.resumeIfRoom(limits, false);
  assert.equal(socket.paused, false, "a little that is held does not matter");
});

test("a detached intake has resumed its socket and refers to nothing", () => {
  const socket = new FakeSocket();
  const intake = new Intake(DEFAULT_LIMITS);
  intake.attach(socket);
  intake.ring.push(new Uint8Array(9), 0, 9);
  intake.feed(bytesOf("GET / HT"), 8);
  intake.pause();
  intake.detach();
  assert.deepEqual([socket.paused, intake.waiting, intake.ring.size, intake.ring.pinnedBytes], [false, false, 0, 0]);
  intake.resume();
});
