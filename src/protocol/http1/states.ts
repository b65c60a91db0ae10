/**
 * The phases of an HTTP/1 request on the wire and the only steps between them (RFC 9112 sections 2.1, 2.2, 6 and 7.1).
 * A step that is missing here can't be taken: `step` throws. docs/http1-states.md is drawn from this table.
 */

/** Phases and steps are objects: who uses them makes constants of its own of them, which V8 compiles in (see runs.ts). */
export const PHASES = {
  /** Between messages. */
  IDLE: 0,
  /** The CR of an empty line before a request. */
  EMPTY_LINE: 1,
  /** Between messages, and the one empty line that is tolerated is spent. */
  PRIMED: 2,
  /** In a request line or its field lines. */
  IN_HEAD: 3,
  /** In content of a known length. */
  SIZED_BODY: 4,
  CHUNK_SIZE: 5,
  CHUNK_DATA: 6,
  CHUNK_CR: 7,
  CHUNK_LF: 8,
  TRAILERS: 9,
  /** All is read, END is due. */
  COMPLETE: 10,
  /** Refused; nothing more is read. */
  FAILED: 11,
} as const;

export const PHASE_NAMES: readonly string[] = Object.keys(PHASES);

export const STEPS = {
  SAW_CR: 0,
  SAW_LF: 1,
  SAW_REQUEST: 2,
  HEAD_WITHOUT_CONTENT: 3,
  HEAD_WITH_LENGTH: 4,
  HEAD_CHUNKED: 5,
  LENGTH_REACHED: 6,
  SAW_CHUNK_SIZE: 7,
  SAW_LAST_CHUNK: 8,
  TRAILERS_READ: 9,
  END_REPORTED: 10,
  VIOLATION: 11,
} as const;

export const STEP_NAMES: readonly string[] = [
  "CR",
  "LF",
  "first byte of a request",
  "head without content (HEAD)",
  "head with Content-Length (HEAD)",
  "head with chunked (HEAD)",
  "all its bytes (BODY)",
  "chunk size",
  "chunk size 0",
  "empty line (END)",
  "END",
  "violation or limit (ERROR)",
];

const { IDLE, EMPTY_LINE, PRIMED, IN_HEAD, SIZED_BODY, COMPLETE, FAILED, TRAILERS } = PHASES;
const { CHUNK_SIZE, CHUNK_DATA, CHUNK_CR, CHUNK_LF } = PHASES;
const { SAW_CR, SAW_LF, SAW_REQUEST, LENGTH_REACHED, END_REPORTED, VIOLATION } = STEPS;
const { HEAD_WITHOUT_CONTENT, HEAD_WITH_LENGTH, HEAD_CHUNKED } = STEPS;
const { SAW_CHUNK_SIZE, SAW_LAST_CHUNK, TRAILERS_READ } = STEPS;

/** `[phase, step, next phase]`: everything that may happen. */
export const TRANSITIONS: readonly (readonly [from: number, step: number, to: number])[] = [
  [IDLE, SAW_CR, EMPTY_LINE],
  [IDLE, SAW_REQUEST, IN_HEAD],
  [EMPTY_LINE, SAW_LF, PRIMED],
  [PRIMED, SAW_REQUEST, IN_HEAD],
  [IN_HEAD, HEAD_WITHOUT_CONTENT, COMPLETE],
  [IN_HEAD, HEAD_WITH_LENGTH, SIZED_BODY],
  [IN_HEAD, HEAD_CHUNKED, CHUNK_SIZE],
  [SIZED_BODY, LENGTH_REACHED, COMPLETE],
  [CHUNK_SIZE, SAW_CHUNK_SIZE, CHUNK_DATA],
  [CHUNK_SIZE, SAW_LAST_CHUNK, TRAILERS],
  [CHUNK_DATA, LENGTH_REACHED, CHUNK_CR],
  [CHUNK_CR, SAW_CR, CHUNK_LF],
  [CHUNK_LF, SAW_LF, CHUNK_SIZE],
  [TRAILERS, TRAILERS_READ, IDLE],
  [COMPLETE, END_REPORTED, IDLE],
  [IDLE, VIOLATION, FAILED],
  [EMPTY_LINE, VIOLATION, FAILED],
  [PRIMED, VIOLATION, FAILED],
  [IN_HEAD, VIOLATION, FAILED],
  [CHUNK_SIZE, VIOLATION, FAILED],
  [CHUNK_CR, VIOLATION, FAILED],
  [CHUNK_LF, VIOLATION, FAILED],
  [TRAILERS, VIOLATION, FAILED],
];

const ILLEGAL = 255;
const STEP_COUNT = STEP_NAMES.length;
const table = new Uint8Array(PHASE_NAMES.length * STEP_COUNT).fill(ILLEGAL);
for (const [from, step, to] of TRANSITIONS) table[from * STEP_COUNT + step] = to;

/** The phase that `stepTaken` leads to from `phase`. @throws Error when the table has no such step: a defect of the parser. */
export function step(phase: number, stepTaken: number): number {
  const next = table[phase * STEP_COUNT + stepTaken];
  if (next === ILLEGAL) throw new Error(`No step "${STEP_NAMES[stepTaken]}" leads out of ${PHASE_NAMES[phase]}.`);
  return next;
}
