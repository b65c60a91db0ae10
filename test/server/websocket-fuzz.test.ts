/** A bounded run of the fuzzer of WebSocket connections; test/fuzz/websocket-connection.ts runs longer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Play } from "../fuzz/websocket-connection.ts";

const PLAYS = 40;

for (let part = 0; part < 4; part++) {
  test(`websocket: both sides in any order, seeds from ${part * PLAYS} on`, async () => {
    const sums = { received: 0, sent: 0, compressed: 0 };
    for (let i = 0; i < PLAYS; i++) {
      const play = new Play(part * PLAYS + i);
      await play.run();
      for (const key of ["received", "sent", "compressed"] as const) sums[key] += play.counts[key];
    }
    assert.ok(sums.received > 50 && sums.sent > 50 && sums.compressed > 5, JSON.stringify(sums));
  });
}
