import assert from "node:assert/strict";
import { test } from "node:test";
import {
  nextState,
  VIOLATION,
  WEBSOCKET_EVENTS,
  WEBSOCKET_STATES,
  WEBSOCKET_TABLE,
} from "../../src/asgi/websocket-states.ts";

for (const [from, state] of WEBSOCKET_STATES.entries()) {
  for (const [event, name] of WEBSOCKET_EVENTS.entries()) {
    test(`websocket states: ${name} while ${state}`, () => {
      const next = WEBSOCKET_TABLE[state][name];
      assert.equal(nextState(from, event), next === undefined ? VIOLATION : WEBSOCKET_STATES.indexOf(next));
    });
  }
}

test("websocket states: nothing leads out of closed, and every state is reached", () => {
  const reached = new Set(Object.values(WEBSOCKET_TABLE).flatMap((row) => Object.values(row)));
  assert.deepEqual(new Set(Object.values(WEBSOCKET_TABLE.closed)), new Set(["closed"]));
  assert.deepEqual(
    WEBSOCKET_STATES.filter((state) => !reached.has(state)),
    ["connecting"],
  );
});
