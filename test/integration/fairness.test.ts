/** Many connections that are never at rest: each has its share, whoever was answered last. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { installed, Program } from "../harness/program.ts";
import { onEach, ROOT, testApp, withServer } from "../harness/server.ts";

const CONNECTIONS = 700;
/** Answers that each is to have had ... */
const ENOUGH = 12;
/** ... when all together have had five times as many. */
const MOST = CONNECTIONS * ENOUGH * 5;

onEach((runtime) => {
  test(`${runtime}: of ${CONNECTIONS} busy connections none starves`, { skip: !installed("node") }, async () => {
    await withServer(runtime, testApp("contract.ts"), [], async (server) => {
      const port = new URL(server.url).port;
      const client = new Program(
        ["node", join(ROOT, "test/harness/busy-crowd.mjs"), port, CONNECTIONS, ENOUGH, MOST].map(String),
      );
      const said = await client.sees(/^(\d+) least, (\d+) most$|^lost.*$/m);
      await client.exit();
      assert.ok(Number(said[1]) >= ENOUGH, said[0]);
    });
  });
});
