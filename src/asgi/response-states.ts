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
