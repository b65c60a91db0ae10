/**
 * The states of a response and the events that move it: ASGI HTTP specification 2.5, sections "Response Start",
 * "Response Body", and the extensions trailers, pathsend, early hints and debug.
 * What is not in the table is a violation.
 */

export const RESPONSE_STATES = ["idle", "started", "body", "trailers", "done"] as const;
export type ResponseState = (typeof RESPONSE_STATES)[number];

export const RESPONSE_EVENTS = [
  "start",
  "body-more",
  "body-last",
  "body-last-trailers",
  "pathsend",
  "pathsend-trailers",
  "trailers-more",
  "trailers-last",
  "early-hint",
  "debug",
] as const;
export type ResponseEvent = (typeof RESPONSE_EVENTS)[number];

type Transitions = Readonly<Partial<Record<ResponseEvent, ResponseState>>>;

export const RESPONSE_TABLE: Readonly<Record<ResponseState, Transitions>> = {
  idle: { start: "started", "early-hint": "idle", debug: "idle" },
  started: {
    "body-more": "body",
    "body-last": "done",
    "body-last-trailers": "trailers",
    pathsend: "done",
    "pathsend-trailers": "trailers",
    debug: "started",
  },
  body: { "body-more": "body", "body-last": "done", "body-last-trailers": "trailers", debug: "body" },
  trailers: { "trailers-more": "trailers", "trailers-last": "done", debug: "trailers" },
  done: {},
};

/** What an application is told when it sends out of order. */
export const RESPONSE_EXPECTATION: Readonly<Record<ResponseState, string>> = {
  idle: "http.response.start must come first",
  started: "http.response.body or http.response.pathsend must follow http.response.start",
  body: "only http.response.body may follow until more_body is false",
  trailers: "http.response.trailers must follow, as http.response.start announced",
  done: "the response is already complete",
};

/** The states as numbers, in the order of RESPONSE_STATES: hot code compares and looks up by them. */
export const IDLE = 0;
export const STARTED = 1;
export const IN_BODY = 2;
export const IN_TRAILERS = 3;
export const DONE = 4;

/** The events as numbers, in the order of RESPONSE_EVENTS. */
export const START = 0;
export const BODY_MORE = 1;
export const BODY_LAST = 2;
export const BODY_LAST_TRAILERS = 3;
export const PATHSEND = 4;
export const PATHSEND_TRAILERS = 5;
export const TRAILERS_MORE = 6;
export const TRAILERS_LAST = 7;
export const EARLY_HINT = 8;
export const DEBUG = 9;

/** No transition: a violation. */
export const VIOLATION = 255;

/** RESPONSE_TABLE, one row of events a state. */
const NEXT = Uint8Array.from(
  RESPONSE_STATES.flatMap((state) =>
    RESPONSE_EVENTS.map((event) => {
      const next = RESPONSE_TABLE[state][event];
      return next === undefined ? VIOLATION : RESPONSE_STATES.indexOf(next);
    }),
  ),
);

/** The state behind an event, VIOLATION when the table has none. */
export function nextState(state: number, event: number): number {
  return NEXT[state * RESPONSE_EVENTS.length + event];
}
