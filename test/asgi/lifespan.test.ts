/** Lifespan in each mode: startup and shutdown that complete, fail, raise, return early or never answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lifespan, type LifespanMode, type ShutdownOutcome, type StartupOutcome } from "../../src/asgi/lifespan.ts";
import type { Application, Receive, Send, SendEvent } from "../../src/asgi/types.ts";
import { messageOf } from "../../src/observe/error-text.ts";

const APPS: Readonly<Record<string, (receive: Receive, send: Send) => Promise<void> | void>> = {
  async complete(receive, send) {
    await receive();
    await send({ type: "lifespan.startup.complete" });
    await receive();
    await send({ type: "lifespan.shutdown.complete" });
  },
  async failing(_receive, send) {
    await send({ type: "lifespan.startup.failed", message: "no database" });
  },
  async failingSilently(_receive, send) {
    await send({ type: "lifespan.startup.failed" });
    throw new Error("later");
  },
  async raising() {
    throw new Error("not for me");
  },
  raisingAtOnce() {
    throw new Error("not for me");
  },
  async raisingAtStartup(receive) {
    await receive();
    throw new Error("no database");
  },
  async raisingNothing(receive) {
    await receive();
    throw undefined;
  },
  async answering(receive, send) {
    await receive();
    await send({ type: "http.response.start", status: 200 });
  },
  async answeringAmiss(receive, send) {
    await receive();
    await send({ type: "lifespan.shutdown.complete" });
  },
  async raisingWhatHasNoText() {
    throw Object.create(null);
  },
  async returning() {},
  returningNothing() {},
  async badShutdown(receive, send) {
    await receive();
    await send({ type: "lifespan.startup.complete" });
    await receive();
    await send({ type: "lifespan.shutdown.failed", message: "still busy" });
  },
  async raisingShutdown(receive, send) {
    await receive();
    await send({ type: "lifespan.startup.complete" });
    await receive();
    throw new Error("at the end");
  },
  async returningAtShutdown(receive, send) {
    await receive();
    await send({ type: "lifespan.startup.complete" });
    await receive();
  },
  async leavingEarly(receive, send) {
    await receive();
    await send({ type: "lifespan.startup.complete" });
  },
  async raisingLater(receive, send) {
    await receive();
    await send({ type: "lifespan.startup.complete" });
    throw new Error("in between");
  },
};

const OK = { kind: "complete" };
const UNSUPPORTED = { kind: "unsupported" };
const failed = (message: string) => ({ kind: "failed", message });
const raised = (message: string) => ({ kind: "unsupported", message });
const OF_REQUESTS = "http.response.start can't be sent during lifespan startup";
const EARLY = failed("the application returned without completing lifespan startup");

type Row = readonly [app: string, mode: LifespanMode, startup: object, shutdown: object];
const ROWS: readonly Row[] = [
  ["complete", "auto", OK, OK],
  ["complete", "on", OK, OK],
  ["failing", "auto", failed("no database"), OK],
  ["failing", "on", failed("no database"), OK],
  ["failingSilently", "auto", failed(""), OK],
  ["raising", "auto", UNSUPPORTED, OK],
  ["raising", "on", failed("not for me"), OK],
  ["raisingAtOnce", "auto", UNSUPPORTED, OK],
  ["raisingAtOnce", "on", failed("not for me"), OK],
  ["raisingAtStartup", "auto", raised("no database"), OK],
  ["raisingAtStartup", "on", failed("no database"), OK],
  ["raisingNothing", "auto", raised("undefined"), OK],
  ["answering", "auto", UNSUPPORTED, OK],
  ["answering", "on", failed(OF_REQUESTS), OK],
  ["answeringAmiss", "auto", raised("lifespan.shutdown.complete can't be sent during lifespan startup"), OK],
  ["raisingWhatHasNoText", "auto", UNSUPPORTED, OK],
  ["raisingWhatHasNoText", "on", failed("an error that can't be shown as text"), OK],
  ["returning", "auto", UNSUPPORTED, OK],
  ["returning", "on", EARLY, OK],
  ["returningNothing", "auto", UNSUPPORTED, OK],
  ["returningNothing", "on", EARLY, OK],
  ["badShutdown", "auto", OK, failed("still busy")],
  ["badShutdown", "on", OK, failed("still busy")],
  ["raisingShutdown", "auto", OK, failed("at the end")],
  ["returningAtShutdown", "on", OK, OK],
  ["leavingEarly", "on", OK, OK],
  ["raisingLater", "auto", OK, OK],
];

const plain = (outcome: StartupOutcome | ShutdownOutcome) => {
  const { kind } = outcome;
  if (kind === "unsupported") return outcome.raised ? { kind, message: messageOf(outcome.raised.error) } : { kind };
  return kind === "failed" ? { kind, message: outcome.message } : { kind };
};

for (const [name, mode, startup, shutdown] of ROWS) {
  test(`${name}, ${mode}`, async () => {
    const lifespan = new Lifespan((scope, receive, send) => {
      assert.equal(scope.type, "lifespan");
      assert.deepEqual(scope.asgi, { version: "3.0", spec_version: "2.0" });
      return APPS[name](receive, send);
    }, mode);
    assert.deepEqual(plain(await lifespan.startup()), startup);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(plain(await lifespan.shutdown()), shutdown);
    assert.deepEqual(await lifespan.shutdown(), OK, "a second shutdown has nothing to do");
  });
}

test("off: the application is not called", async () => {
  const lifespan = new Lifespan(() => assert.fail("called"), "off");
  assert.deepEqual(await lifespan.startup(), OK);
  assert.deepEqual(await lifespan.shutdown(), OK);
});

test("the state that startup fills is the server's", async () => {
  const app: Application = async (scope, receive, send) => {
    await receive();
    scope.type === "lifespan" && Object.assign(scope.state, { pool: 5 });
    await send({ type: "lifespan.startup.complete" });
    await receive();
  };
  const lifespan = new Lifespan(app, "auto");
  await lifespan.startup();
  assert.deepEqual(lifespan.state, { pool: 5 });
});

test("shutdown is not delivered before it is asked for", async () => {
  const heard: string[] = [];
  const lifespan = new Lifespan(async (_scope, receive, send) => {
    heard.push((await receive()).type);
    await send({ type: "lifespan.startup.complete" });
    heard.push((await receive()).type);
    await send({ type: "lifespan.shutdown.complete" });
  }, "auto");
  await lifespan.startup();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(heard, ["lifespan.startup"]);
  await lifespan.shutdown();
  assert.deepEqual(heard, ["lifespan.startup", "lifespan.shutdown"]);
});

test("events out of order are refused; not awaiting them does not end the process", async () => {
  const refused: string[] = [];
  const lifespan = new Lifespan(async (_scope, receive, send) => {
    const attempt = (event: SendEvent) =>
      send(event).catch((error: unknown) => void refused.push(`${event.type}: ${(error as Error).message}`));
    await attempt({ type: "lifespan.shutdown.complete" });
    await attempt({ type: "http.response.start", status: 200 });
    await receive();
    await send({ type: "lifespan.startup.complete" });
    void send({ type: "lifespan.startup.complete" });
    void send(null as unknown as SendEvent);
    await attempt({ type: "lifespan.startup.failed" });
    await receive();
    await send({ type: "lifespan.shutdown.complete" });
  }, "on");
  assert.deepEqual(await lifespan.startup(), OK);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(await lifespan.shutdown(), OK);
  assert.equal(refused.length, 3);
});

test("what is thrown behind the application's own word of its end is no news", async () => {
  for (const [last, ends] of [
    ["lifespan.startup.failed", failed("no database")],
    ["lifespan.shutdown.failed", failed("no database")],
    ["lifespan.shutdown.complete", OK],
  ] as const) {
    const lifespan = new Lifespan(async (_scope, receive, send) => {
      await receive();
      if (last !== "lifespan.startup.failed") {
        await send({ type: "lifespan.startup.complete" });
        await receive();
      }
      await send({ type: last, message: "no database" });
      throw new Error("no database");
    }, "auto");
    lifespan.onRaised = () => assert.fail("told twice");
    const startup = await lifespan.startup();
    const shutdown = await lifespan.shutdown();
    assert.deepEqual(plain(last === "lifespan.startup.failed" ? startup : shutdown), ends);
    await new Promise((resolve) => setImmediate(resolve));
  }
});
