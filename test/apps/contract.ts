/**
 * The app of the contract suite: one route per behaviour. `?t=` names the journal's token under which a route notes
 * what it saw; `/seen`, `/await` and `/open` let a test read the journal and steer the other requests by events.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Receive, Scope, Send } from "../../src/asgi/types.ts";
import { answer, callOf, decode, encoder, type Handler, readBody, untilDisconnect } from "./http.ts";
import { awaitNote, note, noted, openGate, passGate } from "./journal.ts";
import { misbehaviour } from "./misbehave.ts";

const requestId = new AsyncLocalStorage<string>();
let inFlight = 0;
let mostInFlight = 0;
let started = 0;

function number(value: string | null, otherwise: number): number {
  return value === null ? otherwise : Number(value);
}

const routes: Readonly<Record<string, Handler>> = {
  "/": ({ send }) => answer(send, "hello"),
  /** Answers in the same turn, without an await. */
  "/sync": ({ send, query }) => {
    const body = encoder.encode(query.get("body") ?? "sync");
    void send({ type: "http.response.start", status: 200, headers: [["content-length", String(body.length)]] });
    void send({ type: "http.response.body", body });
  },
  /** The journal of `?of=`; unlike all other routes it leaves no note itself. */
  "/seen": ({ send, query }) => answer(send, JSON.stringify(noted(query.get("of") ?? ""))),
  /** The same, once an entry of it starts with `?what=`. */
  "/await": async ({ send, query }) => {
    const of = query.get("of") ?? "";
    await awaitNote(of, query.get("what") ?? "");
    await answer(send, JSON.stringify(noted(of)));
  },
  "/open": ({ send, query }) => {
    openGate(query.get("g") ?? "");
    return answer(send, "open");
  },
  "/echo": async ({ receive, send }) => {
    const body = await readBody(receive);
    if (body !== undefined) await answer(send, body);
  },
  /** Shows the trailer fields of the request. */
  "/request-trailers": async ({ receive, send }) => {
    for (;;) {
      const event = await receive();
      if (event.type !== "http.request") return;
      if (event.more_body) continue;
      const shown = [...(event.trailers ?? [])].map(([name, value]) => [decode(name), decode(value)]);
      return answer(send, JSON.stringify(shown));
    }
  },
  /** Sends each piece on as it comes. */
  "/echo-stream": async ({ receive, send }) => {
    await send({ type: "http.response.start", status: 200 });
    for (;;) {
      const event = await receive();
      if (event.type !== "http.request") return;
      await send({ type: "http.response.body", body: event.body.slice(), more_body: event.more_body });
      if (!event.more_body) return;
    }
  },
  /** Reads the body and notes its size and how it ended. */
  "/sink": async ({ receive, send, token, query }) => {
    if (query.has("g")) await passGate(query.get("g") ?? "");
    let size = 0;
    for (;;) {
      const event = await receive();
      if (event.type !== "http.request") {
        note(token, `disconnect after ${size}`);
        return;
      }
      if (size === 0) note(token, "first piece");
      size += event.body.length;
      if (!event.more_body) break;
    }
    note(token, `complete ${size}`);
    await answer(send, String(size));
  },
  "/scope": async ({ scope, receive, send }) => {
    const event = await receive();
    const body = event.type === "http.request" ? event.body : undefined;
    const shown = {
      ...Object.fromEntries(Object.entries(scope)),
      raw_path: decode(scope.raw_path),
      query_string: decode(scope.query_string),
      headers: [...scope.headers].map(([name, value]) => [decode(name), decode(value)]),
      keys: Object.keys(scope).sort(),
      // A Buffer would be another thing: its `slice` is a view, its text its content.
      bytes: [scope.raw_path, scope.query_string, body, ...[...scope.headers].flat()].every(
        (bytes) => bytes?.constructor === Uint8Array,
      ),
    };
    await answer(send, JSON.stringify(shown), 200, [["content-type", "application/json"]]);
  },
  /** Each request adds to its own copy of the state. */
  "/state": ({ scope, send }) => {
    const before = JSON.stringify(scope.state);
    scope.state.mark = "changed by a request";
    return answer(send, before);
  },
  /** Answers once `/open?g=` was asked for. */
  "/gated": async ({ send, query, token }) => {
    note(token, "gated");
    await passGate(query.get("g") ?? "");
    await answer(send, query.get("body") ?? "gated");
    note(token, "answered");
  },
  /** Answers, and goes on working for `ms`. */
  "/behind": async ({ send, query }) => {
    await answer(send, "answered");
    await new Promise((resolve) => setTimeout(resolve, number(query.get("ms"), 0)));
    console.error("the work behind the answer is done");
  },
  /** `n` pieces of `size` bytes each. */
  "/stream": async ({ send, query }) => {
    const piece = new Uint8Array(number(query.get("size"), 4)).fill(0x61);
    await send({ type: "http.response.start", status: 200, headers: [["content-type", "text/plain"]] });
    for (let n = number(query.get("n"), 3); n > 0; n--) {
      await send({ type: "http.response.body", body: piece, more_body: true });
    }
    await send({ type: "http.response.body" });
  },
  /** First piece, then waits for the gate, then the last piece. */
  "/stream-gated": async ({ send, query, token }) => {
    await send({ type: "http.response.start", status: 200 });
    await send({ type: "http.response.body", body: encoder.encode("first,"), more_body: true });
    note(token, "first sent");
    await passGate(query.get("g") ?? "");
    await send({ type: "http.response.body", body: encoder.encode("last") });
    note(token, "last sent");
  },
  /** Server-sent events until the client goes. */
  "/sse": async ({ receive, send, token }) => {
    await send({ type: "http.response.start", status: 200, headers: [["content-type", "text/event-stream"]] });
    await send({ type: "http.response.body", body: encoder.encode("data: 1\n\n"), more_body: true });
    note(token, "streaming");
    await untilDisconnect(receive);
    note(token, "disconnect");
    await send({ type: "http.response.body", body: encoder.encode("data: bye\n\n") }).then(
      () => note(token, "bye sent"),
      () => note(token, "bye refused"),
    );
  },
  /** Status, body and extra field lines as asked for. */
  "/status": async ({ send, query }) => {
    const headers = query.getAll("h").map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1)];
    });
    await send({ type: "http.response.start", status: number(query.get("s"), 200), headers });
    await send({ type: "http.response.body", body: encoder.encode(query.get("body") ?? "") });
  },
  "/trailers": async ({ send, scope }) => {
    if (scope.extensions["http.response.trailers"] === undefined) return answer(send, "no trailers offered", 501);
    await send({ type: "http.response.start", status: 200, trailers: true, headers: [["trailer", "x-sum"]] });
    await send({ type: "http.response.body", body: encoder.encode("body") });
    await send({ type: "http.response.trailers", headers: [["x-sum", "42"]] });
  },
  "/pathsend": async ({ send, query }) => {
    await send({ type: "http.response.start", status: 200, headers: [["content-type", "text/plain"]] });
    await send({ type: "http.response.pathsend", path: query.get("path") ?? "" });
  },
  "/early": async ({ send }) => {
    await send({
      type: "http.response.early_hint",
      links: ["</a.css>; rel=preload", encoder.encode("</b.js>; rel=x")],
    });
    await answer(send, "after the hint");
  },
  "/debug": async ({ send }) => {
    await send({ type: "http.response.debug", info: { template: "secret" } });
    await answer(send, "debugged");
  },
  /** Reads the body behind the gate, and returns without an answer when its client has gone. */
  "/poll": async ({ receive, query, token }) => {
    if (query.has("g")) await passGate(query.get("g") ?? "");
    if ((await readBody(receive)) === undefined) return;
    note(token, "read");
    await untilDisconnect(receive);
    note(token, "disconnect");
  },
  /** Calls receive() to the end and beyond: it goes on answering. */
  "/receive-on": async ({ receive, send, token }) => {
    await readBody(receive);
    await answer(send, "done");
    const types = [(await receive()).type, (await receive()).type, (await receive()).type];
    note(token, types.join(" "));
  },
  /** Holds each request until the gate opens, and answers how many were in the app at once. */
  "/count": async ({ send, query }) => {
    inFlight++;
    mostInFlight = Math.max(mostInFlight, inFlight);
    await passGate(query.get("g") ?? "");
    inFlight--;
    await answer(send, String(mostInFlight));
  },
  "/started": ({ send }) => answer(send, String(started)),
  /** `mb` megabytes in pieces of 64 KiB; the same piece again and again. */
  "/download": async ({ send, query, token }) => {
    const piece = new Uint8Array(65_536).fill(0x62);
    const pieces = number(query.get("mb"), 1) * 16;
    const length = String(pieces * piece.length);
    await send({ type: "http.response.start", status: 200, headers: [["content-length", length]] });
    note(token, "started");
    try {
      for (let n = 1; n <= pieces; n++) {
        await send({ type: "http.response.body", body: piece, more_body: n < pieces });
      }
      note(token, "complete");
    } catch (error) {
      note(token, `refused ${error instanceof Error ? error.name : error}`);
    }
  },
  /** Work that goes on behind the answer keeps its own request's context. */
  "/context": ({ send, query, token }) =>
    requestId.run(query.get("id") ?? "", async () => {
      const before = requestId.getStore();
      await passGate(query.get("g") ?? "");
      await answer(send, `${before} ${requestId.getStore()}`);
      await passGate(`${query.get("g")}-behind`);
      note(token, `behind: ${requestId.getStore()}`);
    }),
  /** Whether a request starts with a context left over from another. */
  "/leftover": ({ send }) => answer(send, String(requestId.getStore())),
  /** Answers without reading the body. */
  "/unread": ({ send, query }) => answer(send, "not read", number(query.get("s"), 200)),
  /** Reads nothing until the gate opens, then everything. */
  "/late-read": async ({ receive, send, query, token }) => {
    note(token, "called");
    await passGate(query.get("g") ?? "");
    const body = await readBody(receive);
    await answer(send, String(body?.length));
  },
  ...misbehaviour,
};

export default async function app(scope: Scope, receive: Receive, send: Send): Promise<void> {
  if (scope.type === "lifespan") {
    await receive();
    scope.state.mark = "set at startup";
    await send({ type: "lifespan.startup.complete" });
    await receive();
    console.error("the application is shut down");
    await send({ type: "lifespan.shutdown.complete" });
    return;
  }
  if (scope.type !== "http") return;
  started++;
  const call = callOf(scope, receive, send);
  note(call.token, `${scope.method} ${scope.path}`);
  const handler = routes[scope.path];
  if (handler === undefined) await answer(send, `no route ${scope.path}`, 404);
  else await handler(call);
}
