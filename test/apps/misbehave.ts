/** Routes that break the rules of ASGI, each in one way, and note what the server told them. */
import type { SendEvent, SentHeader } from "../../src/asgi/types.ts";
import { answer, type Call, encoder, type Handler, untilDisconnect } from "./http.ts";
import { note, passGate } from "./journal.ts";

/** Sends, and notes the error's message or that there was none. */
async function tried(call: Call, event: SendEvent): Promise<void> {
  const type = (event as SendEvent | null)?.type;
  try {
    await call.send(event);
    note(call.token, `sent ${type}`);
  } catch (error) {
    note(call.token, `refused ${type}: ${error instanceof Error ? error.message : String(error)}`);
    throw error;
  }
}

function body(text: string, more_body = false): SendEvent {
  return { type: "http.response.body", body: encoder.encode(text), more_body };
}

function start(headers: SentHeader[] = [], status = 200): SendEvent {
  return { type: "http.response.start", status, headers };
}

/** Sends the events in order, noting each; the first refusal ends it. */
function sending(...events: (SendEvent | unknown)[]): Handler {
  return async (call) => {
    for (const event of events) await tried(call, event as SendEvent);
  };
}

/** Field lines that must never reach the wire, by name. */
const BAD_FIELDS: Readonly<Record<string, SentHeader>> = {
  "crlf-in-value": ["x-bad", "a\r\nInjected: yes"],
  "cr-in-value": ["x-bad", "a\rb"],
  "lf-in-value": ["x-bad", "a\nb"],
  "nul-in-value": ["x-bad", "a\0b"],
  "crlf-in-name": ["x-bad\r\nInjected: yes\r\nx", "a"],
  "space-in-name": ["x bad", "a"],
  "colon-in-name": ["x:bad", "a"],
  "empty-name": ["", "a"],
  "wide-value": ["x-bad", "\u{1D7D9}"],
  "crlf-bytes": ["x-bad", encoder.encode("a\r\nInjected: yes")],
  "two-lengths": ["content-length", "6"],
  "length-sign": ["content-length", "+5"],
};

function badField(name: string): Handler {
  const length: SentHeader[] = name === "two-lengths" ? [["content-length", "5"]] : [];
  return sending(start([...length, BAD_FIELDS[name]]), body("hello"));
}

export const BAD_FIELD_NAMES: readonly string[] = Object.keys(BAD_FIELDS);

export const misbehaviour: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(BAD_FIELD_NAMES.map((name) => [`/bad/${name}`, badField(name)])),
  "/bad/throw-before": () => {
    throw new Error("thrown before the start");
  },
  "/bad/throw-after-start": async ({ send }) => {
    await send(start() as SendEvent);
    throw new Error("thrown after the start");
  },
  "/bad/throw-mid": async ({ send }) => {
    await send(start());
    await send(body("some", true));
    throw new Error("thrown in the middle");
  },
  "/bad/throw-mid-sized": async ({ send }) => {
    await send(start([["content-length", "100"]]));
    await send(body("some", true));
    throw new Error("thrown in the middle");
  },
  "/bad/throw-after": async ({ send }) => {
    await answer(send, "answered");
    throw new Error("thrown after the answer");
  },
  "/bad/throw-nothing": () => Promise.reject(undefined),
  "/bad/never": () => {},
  "/bad/only-start": sending(start()),
  "/bad/unfinished": sending(start(), body("some", true)),
  "/bad/twice": sending(start(), body("first"), start(), body("second")),
  "/bad/body-twice": sending(start(), body("first"), body("second")),
  "/bad/start-twice": sending(start(), start()),
  "/bad/body-first": sending(body("early")),
  "/bad/short": sending(start([["content-length", "10"]]), body("short")),
  "/bad/long": sending(start([["content-length", "5"]]), body("too long")),
  "/bad/long-late": sending(start([["content-length", "5"]]), body("four", true), body("four")),
  "/bad/unknown-event": sending({ type: "http.response.nonsense" }),
  "/bad/no-type": sending({}),
  "/bad/null-event": sending(null),
  "/bad/status-text": sending({ type: "http.response.start", status: "200" }),
  "/bad/status-99": sending(start([], 99)),
  "/bad/status-101": sending(start([], 101)),
  "/bad/status-600": sending(start([], 600)),
  "/bad/body-text": sending(start(), { type: "http.response.body", body: "text" }),
  "/bad/headers-number": sending({ type: "http.response.start", status: 200, headers: 7 }),
  "/bad/websocket-event": sending({ type: "websocket.accept" }),
  "/bad/trailers-unannounced": sending(start(), body("x"), { type: "http.response.trailers", headers: [] }),
  "/bad/hint-late": sending(start(), { type: "http.response.early_hint", links: ["</a>"] }),
  "/bad/hint-crlf": sending({ type: "http.response.early_hint", links: ["</a>\r\nInjected: yes"] }),
  "/bad/pathsend-missing": sending(start(), { type: "http.response.pathsend", path: "/no/such/file" }),
  "/bad/pathsend-relative": sending(start(), { type: "http.response.pathsend", path: "package.json" }),
  /** Goes on sending long after the client went. */
  "/bad/after-disconnect": async (call) => {
    await call.send(start());
    await call.send(body("some", true));
    await untilDisconnect(call.receive);
    note(call.token, "disconnect");
    await passGate(call.query.get("g") ?? "");
    // The kernel may take a few more bytes before the error shows.
    try {
      for (let n = 0; n < 10_000; n++) await call.send(body("more".repeat(1000), true));
      note(call.token, "never refused");
    } catch (error) {
      note(call.token, `refused: ${error instanceof Error ? error.message : String(error)}`);
    }
  },
  /** Sends without awaiting, all in one turn. */
  "/bad/unawaited": (call) => {
    void call.send(start());
    for (let n = 0; n < 100; n++) void call.send(body("piece,", true));
    void call.send(body("end"));
  },
};
