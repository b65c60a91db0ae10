/** A pool as an ordinary ASGI application, for WebSockets: what middleware in front of it sees. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientDisconnected } from "../../src/asgi/errors.ts";
import type { SendEvent, WebSocketReceivedEvent } from "../../src/asgi/types.ts";
import { poolApplication } from "../../src/python/app.ts";
import * as wire from "../../src/python/wire.ts";
import { type Bench, end, start } from "./bench.ts";
import { type FakeWorker, turn } from "./fake.ts";
import { SCOPE } from "./fake-socket.ts";

interface Mounted extends Bench {
  readonly worker: FakeWorker;
  readonly sent: SendEvent[];
  readonly done: Promise<void>;
  /** Lets `receive` give an event. */
  event(event: WebSocketReceivedEvent): void;
  /** From now on the peer is gone. */
  leave(): void;
}

async function mount(): Promise<Mounted> {
  const bench = await start();
  const sent: SendEvent[] = [];
  const events: WebSocketReceivedEvent[] = [{ type: "websocket.connect" }];
  const waiting: ((event: WebSocketReceivedEvent) => void)[] = [];
  let gone = false;
  const done = Promise.resolve(
    poolApplication(bench.pool)(
      SCOPE,
      () => {
        const event = events.shift();
        return event === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(event);
      },
      (event) => {
        if (gone) return Promise.reject(new ClientDisconnected());
        sent.push(event);
        return Promise.resolve();
      },
    ),
  );
  await turn();
  const event = (each: WebSocketReceivedEvent) => {
    const wake = waiting.shift();
    if (wake === undefined) events.push(each);
    else wake(each);
  };
  return { ...bench, worker: bench.workers[0], sent, done, event, leave: () => void (gone = true) };
}

test("a pool called as an application: messages both ways, and its end", async () => {
  const mounted = await mount();
  const { worker, sent } = mounted;
  assert.equal(worker.of(wire.WS_CONNECT).length, 1);
  worker.say(wire.WS_ACCEPT, 0, 1, "\0\0\0\0");
  mounted.event({ type: "websocket.receive", text: "grüße", bytes: null });
  mounted.event({ type: "websocket.receive", text: null, bytes: Uint8Array.of(1) });
  await turn();
  assert.deepEqual(
    worker.of(wire.WS_MESSAGE).map(({ flags, payload }) => [flags, payload.length]),
    [
      [wire.TEXT, 7],
      [0, 1],
    ],
  );
  worker.say(wire.WS_SEND, wire.TEXT, 1, "hi");
  worker.say(wire.WS_SEND, 0, 1, "\xff");
  // U+FEFF is a character like any other.
  worker.say(wire.WS_SEND, wire.TEXT, 1, "\xef\xbb\xbfhi");
  worker.say(wire.WS_CLOSE, 0, 1, "\xa1\x0f\xef\xbb\xbftold");
  worker.say(wire.DONE, 0, 1);
  await mounted.done;
  assert.deepEqual(sent.slice(1), [
    { type: "websocket.send", text: "hi" },
    { type: "websocket.send", bytes: Uint8Array.of(255) },
    { type: "websocket.send", text: "\ufeffhi" },
    { type: "websocket.close", code: 4001, reason: "\ufefftold" },
  ]);
  await end(mounted);
});

test("a pool called as an application: the peer's end, and what is sent behind it", async () => {
  const mounted = await mount();
  const { worker } = mounted;
  worker.say(wire.WS_ACCEPT, 0, 1, "\0\0\0\0");
  mounted.leave();
  worker.say(wire.WS_SEND, wire.TEXT, 1, "late");
  mounted.event({ type: "websocket.disconnect", code: 4001, reason: "bye" });
  await turn();
  assert.equal(new TextDecoder().decode(worker.of(wire.WS_CLOSED)[0].payload.subarray(2)), "bye");
  worker.say(wire.DONE, 0, 1);
  await mounted.done;
  assert.deepEqual(worker.killed, []);
  await end(mounted);
});

test("a pool called as an application: what is not received waits in front of it", async () => {
  const mounted = await mount();
  mounted.worker.say(wire.WS_ACCEPT, 0, 1, "\0\0\0\0");
  for (let i = 0; i < 100; i++) {
    mounted.event({ type: "websocket.receive", text: null, bytes: new Uint8Array(60_000) });
  }
  await turn();
  await turn();
  const count = mounted.worker.of(wire.WS_MESSAGE).length;
  assert.ok(count < 10, `${count} messages for a window`);
  await end(mounted);
});

test("a pool called as an application: a failure rejects", async () => {
  const mounted = await mount();
  mounted.worker.say(wire.DONE, wire.RAISED, 1, "ValueError: no");
  await assert.rejects(mounted.done, /ValueError: no/);
  await end(mounted);
});
