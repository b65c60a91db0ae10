/** Open WebSockets while worker processes are replaced: they stay until the deadline, and nobody waits for them longer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RUNTIMES, type Server, withServer } from "../harness/server.ts";
import { fresh } from "../harness/site.ts";
import { until } from "../harness/wait.ts";
import { CLOSE, closeFrame, closeOf, frame, RawWebSocket, TEXT, textOf } from "../harness/websocket.ts";

const APP = "test/apps/websocket.ts";
const WORKERS = 2;

/** Replaces the workers, and waits until none of the old ones answers any more. */
async function roll(server: Server): Promise<void> {
  const old = new Set<string>();
  await until(async () => old.add(await whoAnswers(server)).size === WORKERS, "all workers answer");
  server.signal("SIGHUP");
  const young = new Set<string>();
  await until(async () => {
    const pid = await whoAnswers(server);
    if (!old.has(pid)) young.add(pid);
    return young.size === WORKERS;
  }, "new workers answer");
}

/** The process that a new connection gets to. */
function whoAnswers(server: Server): Promise<string> {
  return until(() => fresh(server, "/pid"), "a worker answers");
}

async function echoes(client: RawWebSocket, text: string): Promise<void> {
  await client.send(frame(TEXT, text));
  assert.equal(textOf(await client.next()), text);
}

for (const runtime of RUNTIMES) {
  test(`${runtime}: a WebSocket outlives the roll that replaces its worker, and ends when it likes`, () =>
    withServer(runtime, APP, [`--workers=${WORKERS}`, "--no-access-log"], async (server) => {
      const client = await RawWebSocket.open(server.address, "/echo");
      await roll(server);
      await echoes(client, "still here");
      await client.send(closeFrame(4000));
      assert.equal(closeOf(await client.next()), "4000");
      assert.equal(await client.ended(), "fin");
    }));

  test(`${runtime}: shortly before the deadline a WebSocket of a replaced worker is told 1012`, () =>
    withServer(
      runtime,
      APP,
      [`--workers=${WORKERS}`, "--no-access-log", "--timeout-graceful-shutdown=3", "--timeout-graceful-notice=1"],
      async (server) => {
        const client = await RawWebSocket.open(server.address, "/echo");
        await roll(server);
        const told = await client.next();
        assert.equal(closeOf(told), "1012");
        await client.send(frame(CLOSE, told.payload));
        assert.equal(await client.ended(), "fin");
      },
    ));

  test(`${runtime}: when the whole server stops, a worker that waits for its WebSockets waits no longer`, () =>
    withServer(
      runtime,
      APP,
      [`--workers=${WORKERS}`, "--no-access-log", "--timeout-graceful-shutdown=600"],
      async (server) => {
        const client = await RawWebSocket.open(server.address, "/echo");
        await roll(server);
        await echoes(client, "still here");
        server.signal("SIGTERM");
        const told = await client.next();
        assert.equal(closeOf(told), "1012");
        await client.send(frame(CLOSE, told.payload));
        assert.equal(await client.ended(), "fin");
        await server.ended();
      },
    ));
}
