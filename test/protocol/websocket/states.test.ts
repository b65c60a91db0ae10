/** The table of frames: complete, without dead ends. docs/websocket.md shows it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  BETWEEN,
  CLOSED,
  FAILED,
  FRAGMENT_LAST,
  follow,
  ILLEGAL,
  IN_TEXT,
  KIND_NAMES,
  KIND_OF,
  STATE_NAMES,
  TEXT_FIRST,
  TRANSITIONS,
} from "../../../src/protocol/websocket/states.ts";

test("each state can be reached, and all but the last two lead back to the beginning", () => {
  const reach = (start: number, forward: boolean) => {
    const seen = new Set([start]);
    for (const state of seen) {
      for (const [from, , to] of TRANSITIONS) if ((forward ? from : to) === state) seen.add(forward ? to : from);
    }
    return seen;
  };
  assert.equal(reach(BETWEEN, true).size, STATE_NAMES.length);
  assert.equal(reach(BETWEEN, false).size, STATE_NAMES.length - 2);
});

test("no state has two ways for one kind of frame, and each kind is used", () => {
  const keys = TRANSITIONS.map(([from, kind]) => `${from} ${kind}`);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(new Set(TRANSITIONS.map(([, kind]) => kind)).size, KIND_NAMES.length);
});

test("follow is the table, and nothing leads out of the end", () => {
  for (const [from, kind, to] of TRANSITIONS) assert.equal(follow(from, kind), to);
  assert.equal(follow(BETWEEN, FRAGMENT_LAST), ILLEGAL);
  assert.equal(follow(IN_TEXT, TEXT_FIRST), ILLEGAL);
  for (const state of [CLOSED, FAILED])
    KIND_NAMES.forEach((_, kind) => {
      assert.equal(follow(state, kind), ILLEGAL);
    });
});

test("nine first bytes are frames", () => {
  const known = [...KIND_OF.entries()].filter(([, kind]) => kind !== ILLEGAL).map(([byte]) => byte);
  assert.deepEqual(known, [0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a]);
});

test("the diagram in docs is the table", () => {
  const labels = new Map<string, string[]>();
  for (const [from, kind, to] of TRANSITIONS) {
    const arrow = `${STATE_NAMES[from]} --> ${STATE_NAMES[to]}`;
    labels.set(arrow, [...(labels.get(arrow) ?? []), KIND_NAMES[kind]]);
  }
  const lines = [...labels].map(([arrow, kinds]) => `  ${arrow}: ${kinds.join(", ")}\n`);
  const diagram = `stateDiagram-v2\n  [*] --> between\n${lines.join("")}`;
  const page = readFileSync(new URL("../../../docs/websocket.md", import.meta.url), "utf8");
  assert.ok(page.includes(diagram), diagram);
});
