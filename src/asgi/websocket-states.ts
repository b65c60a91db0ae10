/**
 * The states of a WebSocket as its application sees it, and the events of both sides that move it: ASGI WebSocket
 * specification 2.5, extension `websocket.http.response`. What is not in the table is a violation.
 */

export const WEBSOCKET_STATES = ["connecting", "denying", "open", "closing", "closed"] as const;
export type WebSocketState = (typeof WEBSOCKET_STATES)[number];

export const WEBSOCKET_EVENTS = [
  // Of the application.
  "accept",
  "send",
  "close",
  "denial-start",
  "denial-body",
  "returns",
  "raises",
  // Of the server: it begins the closing handshake, because of a violation, a limit, silence or its own end.
  "end",
  // Of the peer: its close frame; or nothing more can come from it.
  "peer-close",
  "gone",
] as const;
export type WebSocketEvent = (typeof WEBSOCKET_EVENTS)[number];

type Transitions = Readonly<Partial<Record<WebSocketEvent, WebSocketState>>>;

export const WEBSOCKET_TABLE: Readonly<Record<WebSocketState, Transitions>> = {
  connecting: {
    accept: "open",
    close: "closed",
    "denial-start": "denying",
    returns: "closed",
    raises: "closed",
    gone: "closed",
  },
  denying: { "denial-body": "denying", returns: "closed", raises: "closed", gone: "closed" },
  open: {
    send: "open",
    close: "closing",
    returns: "closing",
    raises: "closing",
    end: "closing",
    "peer-close": "closed",
    gone: "closed",
  },
  closing: { close: "closing", returns: "closing", raises: "closing", "peer-close": "closed", gone: "closed" },
  closed: { close: "closed", returns: "closed", raises: "closed", gone: "closed" },
};

/** What an application is told when it sends out of order. */
export const WEBSOCKET_EXPECTATION: Readonly<Record<WebSocketState, string>> = {
  connecting: "websocket.accept, websocket.close or websocket.http.response.start must come first",
  denying: "only websocket.http.response.body may follow until more_body is false",
  open: "only websocket.send or websocket.close may follow websocket.accept",
  closing: "the connection is being closed",
  closed: "the connection is closed",
};

/** The states as numbers, in the order of WEBSOCKET_STATES. */
export const CONNECTING = 0;
export const DENYING = 1;
export const OPEN = 2;
export const CLOSING = 3;
export const CLOSED = 4;

/** The events as numbers, in the order of WEBSOCKET_EVENTS. */
export const ACCEPT = 0;
export const SEND = 1;
export const CLOSE = 2;
export const DENIAL_START = 3;
export const DENIAL_BODY = 4;
export const RETURNS = 5;
export const RAISES = 6;
export const END = 7;
export const PEER_CLOSE = 8;
export const GONE = 9;

/** No transition: a violation. */
export const VIOLATION = 255;

const NEXT = Uint8Array.from(
  WEBSOCKET_STATES.flatMap((state) =>
    WEBSOCKET_EVENTS.map((event) => {
      const next = WEBSOCKET_TABLE[state][event];
      return next === undefined ? VIOLATION : WEBSOCKET_STATES.indexOf(next);
    }),
  ),
);

/** The state behind an event, VIOLATION when the table has none. */
export function nextState(state: number, event: number): number {
  return NEXT[state * WEBSOCKET_EVENTS.length + event];
}
