/** The table of phases: complete, without dead ends, and drawn in the docs as it is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DIAGRAM_PATH, stateDiagram } from "../../../scripts/state-diagram.ts";
import { PHASE_NAMES, PHASES, STEP_NAMES, STEPS, step, TRANSITIONS } from "../../../src/protocol/http1/states.ts";

const { COMPLETE, FAILED, IDLE } = PHASES;
const { END_REPORTED, SAW_LF, VIOLATION } = STEPS;

test("the diagram in docs is current", () => assert.equal(readFileSync(DIAGRAM_PATH, "utf8"), stateDiagram()));

test("each phase can be reached from IDLE, and all but FAILED lead back to it", () => {
  const reach = (start: number, forward: boolean) => {
    const seen = new Set([start]);
    for (const phase of seen) {
      for (const [from, , to] of TRANSITIONS) {
        if ((forward ? from : to) === phase) seen.add(forward ? to : from);
      }
    }
    return seen;
  };
  assert.equal(reach(IDLE, true).size, PHASE_NAMES.length);
  assert.equal(reach(IDLE, false).size, PHASE_NAMES.length - 1);
});

test("no phase has two ways for one step, and each step is used", () => {
  const keys = TRANSITIONS.map(([from, taken]) => `${from} ${taken}`);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(new Set(TRANSITIONS.map(([, taken]) => taken)).size, STEP_NAMES.length);
});

test("step follows the table, and throws where it has nothing", () => {
  for (const [from, taken, to] of TRANSITIONS) assert.equal(step(from, taken), to);
  assert.throws(() => step(IDLE, END_REPORTED), /No step "END" leads out of IDLE/);
  assert.throws(() => step(COMPLETE, SAW_LF), /leads out of COMPLETE/);
  assert.throws(() => step(FAILED, VIOLATION), /leads out of FAILED/);
});
