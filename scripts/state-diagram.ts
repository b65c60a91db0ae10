/** Draws docs/http1-states.md from the parser's table of transitions. `bun scripts/state-diagram.ts` */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PHASE_NAMES, PHASES, STEP_NAMES, TRANSITIONS } from "../src/protocol/http1/states.ts";

export const DIAGRAM_PATH = fileURLToPath(new URL("../docs/http1-states.md", import.meta.url));

/** The whole document. */
export function stateDiagram(): string {
  const lines = TRANSITIONS.map(
    ([from, step, to]) => `    ${PHASE_NAMES[from]} --> ${PHASE_NAMES[to]}: ${STEP_NAMES[step]}`,
  );
  return [
    "# The phases of an HTTP/1 request",
    "",
    "Drawn from the table in `src/protocol/http1/states.ts` by `bun scripts/state-diagram.ts`; a test keeps it current.",
    "What is not drawn can't happen: the parser throws before it takes a step that the table does not have.",
    "In brackets stands the event that `next()` returns with that step.",
    "",
    "```mermaid",
    "stateDiagram-v2",
    "    direction TB",
    `    [*] --> ${PHASE_NAMES[PHASES.IDLE]}`,
    ...lines,
    `    ${PHASE_NAMES[PHASES.FAILED]} --> [*]`,
    "```",
    "",
  ].join("\n");
}

if (import.meta.main) writeFileSync(DIAGRAM_PATH, stateDiagram());
