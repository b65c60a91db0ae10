/** The sending half of a cycle: every event in every state, framing, and files that are not what they were. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  IDLE,
  nextState,
  RESPONSE_EVENTS,
  RESPONSE_STATES,
  RESPONSE_TABLE,
  type ResponseEvent,
  type ResponseState,
  VIOLATION,
} from "../../src/asgi/response-states.ts";
import type { Application, Send, SendEvent } from "../../src/asgi/types.ts";
import { bytesOf, type Client, settle, Wired, type WiredOptions } from "../harness/fake-socket.ts";
import { type Parsed, parseResponse, text } from "../harness/response.ts";

const FILE = {
  sizeBytes: 4,
  readNow(into: Uint8Array, start: number) {
    into.set(bytesOf("file"), start);
    return 4;
  },
  async read(into: Uint8Array) {
    into.set(bytesOf("file"));
    return 4;
  },
  close() {},
};

async function serve(app: Application, request = "GET / HTTP/1.1", options: WiredOptions = {}) {
  const wired = new Wired(app, options);
  wired.files = async () => FILE;
  const client = wired.connect();
  await client.send(`${request}\r\nHost: a\r\n\r\n`);
  await settle(6);
  return { wired, client };
}

function parsed(client: Client, method = "GET"): Parsed {
  const found = parseResponse(client.socket.bytes, 0, method, client.socket.ending !== "open");
  assert.ok(found !== undefined);
  assert.equal(found.end, client.socket.bytes.length);
  return found;
}

const start = (fields: [string, string][] = [], trailers = false, status = 200): SendEvent => ({
  type: "http.response.start",
  status,
  headers: fields,
  trailers,
});
const part = (content: string, more = false): SendEvent => ({
  type: "http.response.body",
  body: bytesOf(content),
  more_body: more,
});

// ---- the table -------------------------------------------------------------------------------------------------

const EVENTS: Readonly<Record<ResponseEvent, SendEvent>> = {
  start: start(),
  "body-more": part("x", true),
  "body-last": part("x"),
  "body-last-trailers": part("x"),
  pathsend: { type: "http.response.pathsend", path: "/f" },
  "pathsend-trailers": { type: "http.response.pathsend", path: "/f" },
  "trailers-more": { type: "http.response.trailers", headers: [["x-t", "1"]], more_trailers: true },
  "trailers-last": { type: "http.response.trailers", headers: [["x-t", "1"]] },
  "early-hint": { type: "http.response.early_hint", links: ["</s>; rel=preload"] },
  debug: { type: "http.response.debug", info: {} },
};
/** Events that lead to each state. */
function way(state: ResponseState, trailers: boolean): SendEvent[] {
  if (state === "idle") return [];
  if (state === "started") return [start([], trailers)];
  if (state === "body") return [start([], trailers), part("x", true)];
  return [start([], state === "trailers"), part("x")];
}

for (const state of RESPONSE_STATES) {
  for (const event of RESPONSE_EVENTS) {
    const next = RESPONSE_TABLE[state][event];
    test(`${event} when ${state}: ${next ?? "a violation, and the answer goes on"}`, async () => {
      const number = nextState(RESPONSE_STATES.indexOf(state), RESPONSE_EVENTS.indexOf(event));
      assert.equal(number === VIOLATION ? undefined : RESPONSE_STATES[number], next);
      // Which of two events a body is depends on what the start has announced.
      const trailers = event.endsWith("-trailers");
      if (state === "trailers" && !trailers && (event === "body-last" || event === "pathsend")) return;
      let outcome = "";
      const { client } = await serve(async (_scope, _receive, send) => {
        for (const before of way(state, trailers)) await send(before);
        outcome = await send(EVENTS[event]).then(
          () => "taken",
          (error: Error) => error.name,
        );
        // Whatever is missing, so that the answer is whole.
        for (const rest of [start(), part("end"), EVENTS["trailers-last"]]) await send(rest).catch(() => {});
      });
      assert.equal(outcome, next === undefined ? "ProtocolViolation" : "taken");
      assert.equal(parsed(client).response.status, 200);
    });
  }
}

test("states and their numbers agree", () => {
  assert.equal(RESPONSE_STATES[IDLE], "idle");
  for (const state of RESPONSE_STATES) assert.ok(state in RESPONSE_TABLE);
});

// ---- framing ---------------------------------------------------------------------------------------------------

interface Framing {
  readonly name: string;
  readonly request: string;
  readonly status?: number;
  readonly fields?: [string, string][];
  readonly body: string;
  readonly framing: string;
  readonly has: RegExp;
  readonly hasNot: RegExp;
}
const LENGTH_5: [string, string][] = [["content-length", "5"]];
const FRAMINGS: readonly Framing[] = [
  {
    name: "sized",
    request: "GET / HTTP/1.1",
    fields: LENGTH_5,
    body: "hello",
    framing: "length",
    has: /content-length: 5\r\n/,
    hasNot: /transfer|connection/,
  },
  {
    name: "not sized",
    request: "GET / HTTP/1.1",
    body: "hello",
    framing: "chunked",
    has: /transfer-encoding: chunked/,
    hasNot: /content-length|connection/,
  },
  {
    name: "HEAD, sized",
    request: "HEAD / HTTP/1.1",
    fields: LENGTH_5,
    body: "hello",
    framing: "none",
    has: /content-length: 5\r\n/,
    hasNot: /hello|transfer/,
  },
  {
    name: "HEAD, body of another size",
    request: "HEAD / HTTP/1.1",
    fields: LENGTH_5,
    body: "",
    framing: "none",
    has: /content-length: 5\r\n/,
    hasNot: /transfer/,
  },
  {
    name: "HEAD, not sized",
    request: "HEAD / HTTP/1.1",
    body: "hello",
    framing: "none",
    has: /200 OK/,
    hasNot: /hello|content-length|transfer/,
  },
  {
    name: "204 with a length",
    request: "GET / HTTP/1.1",
    status: 204,
    fields: LENGTH_5,
    body: "hello",
    framing: "none",
    has: /204 No/,
    hasNot: /hello|content-length|transfer/,
  },
  {
    name: "304 with a length",
    request: "GET / HTTP/1.1",
    status: 304,
    fields: LENGTH_5,
    body: "",
    framing: "none",
    has: /content-length: 5/,
    hasNot: /transfer/,
  },
  {
    name: "304 with a body",
    request: "GET / HTTP/1.1",
    status: 304,
    body: "hello",
    framing: "none",
    has: /304 Not/,
    hasNot: /hello|content-length|transfer/,
  },
  {
    name: "1.0, sized",
    request: "GET / HTTP/1.0",
    fields: LENGTH_5,
    body: "hello",
    framing: "length",
    has: /connection: close/,
    hasNot: /transfer/,
  },
  {
    name: "1.0, not sized",
    request: "GET / HTTP/1.0",
    body: "hello",
    framing: "close",
    has: /connection: close/,
    hasNot: /transfer|content-length/,
  },
  {
    name: "1.0 keep-alive, sized",
    request: "GET / HTTP/1.0\r\nConnection: keep-alive",
    fields: LENGTH_5,
    body: "hello",
    framing: "length",
    has: /connection: keep-alive/,
    hasNot: /close/,
  },
  {
    name: "1.0 keep-alive, not sized",
    request: "GET / HTTP/1.0\r\nConnection: keep-alive",
    body: "hello",
    framing: "close",
    has: /connection: close/,
    hasNot: /keep-alive/,
  },
  {
    name: "the client closes",
    request: "GET / HTTP/1.1\r\nConnection: close",
    body: "hello",
    framing: "chunked",
    has: /connection: close/,
    hasNot: /keep-alive/,
  },
  {
    name: "the application closes",
    request: "GET / HTTP/1.1",
    fields: [["Connection", "close"]],
    body: "",
    framing: "chunked",
    has: /connection: close/,
    hasNot: /keep-alive/,
  },
];
for (const { name, request, status = 200, fields = [], body, framing, has, hasNot } of FRAMINGS) {
  test(`framing: ${name}`, async () => {
    const { client, wired } = await serve(async (_scope, _receive, send) => {
      await send(start(fields, false, status));
      await send(part(body));
    }, request);
    const { response } = parsed(client, request.split(" ")[0]);
    assert.equal(response.framing, framing);
    assert.equal(text(response), framing === "none" ? "" : body);
    assert.match(client.socket.text, has);
    assert.doesNotMatch(client.socket.text, hasNot);
    assert.equal(client.socket.ending !== "open", /connection: close/.test(client.socket.text));
    assert.deepEqual(wired.logs("error"), []);
  });
}

for (const request of ["HEAD / HTTP/1.1", "GET / HTTP/1.0"]) {
  test(`trailers announced on ${request} are taken and not sent`, async () => {
    const { client, wired } = await serve(async (_scope, _receive, send) => {
      for (const event of [start([], true), part("x"), EVENTS["trailers-last"]]) await send(event);
    }, request);
    assert.doesNotMatch(client.socket.text, /x-t/);
    assert.deepEqual(wired.logs("error"), []);
  });
}

for (const name of ["content-length", "Transfer-Encoding", "Connection", "date", "server", "bad name", ""]) {
  test(`a trailer named ${JSON.stringify(name)} is refused, and nothing of it is sent`, async () => {
    const { client } = await serve(async (_scope, _receive, send) => {
      await send(start([], true));
      await send(part("x"));
      const trailers: SendEvent = {
        type: "http.response.trailers",
        headers: [
          ["x-a", "1"],
          [name, "2"],
        ],
      };
      await assert.rejects(send(trailers), /ProtocolViolation/);
      await send({ type: "http.response.trailers", headers: [["x-b", "3"]] });
    });
    assert.deepEqual(parsed(client).response.trailers, [["x-b", "3"]]);
  });
}

// ---- files -----------------------------------------------------------------------------------------------------

/** A file of `size` bytes as it was opened, of which `there` can be read. */
function file(size: number, there: number, closed: { count: number }) {
  const content = Uint8Array.from({ length: there }, (_, i) => 97 + (i % 26));
  return {
    sizeBytes: size,
    // Less than asked for, as a file system may.
    readNow(into: Uint8Array, start: number, length: number, position: number) {
      const piece = content.subarray(position, position + Math.min(length, 20_001));
      into.set(piece, start);
      return piece.length;
    },
    async read(into: Uint8Array, position: number) {
      const piece = content.subarray(position, position + Math.min(into.length, 50_001));
      into.set(piece);
      return piece.length;
    },
    close: () => void closed.count++,
  };
}

const pathsend: Application = async (_scope, _receive, send) => {
  await send(start());
  await send({ type: "http.response.pathsend", path: "/f" });
};

for (const [size, there] of [
  [0, 0],
  [1, 1],
  [50_000, 50_000],
  [65_536, 65_536],
  [200_000, 200_000],
  [50_000, 30_000],
  [100, 200_000],
  [200_000, 100],
  [10, 0],
] as const) {
  for (const step of [Number.POSITIVE_INFINITY, 9000]) {
    test(`pathsend of a file of ${size} bytes that has ${there}, taken ${step} at a time`, async () => {
      const closed = { count: 0 };
      const wired = new Wired(pathsend);
      wired.files = async () => file(size, there, closed);
      const client = wired.connect();
      client.socket.take = (offered) => Math.min(offered, step);
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      for (let i = 0; i < 20; i++) await client.socket.drain(2);
      assert.equal(closed.count, 1, "the file is closed, once");
      if (there < size) assert.equal(client.socket.ending, "reset");
      else {
        assert.match(client.socket.text, new RegExp(`content-length: ${size}\r\n`));
        assert.equal(parsed(client).response.body.length, size);
      }
    });
  }
}

test("pathsend to a client that goes away closes the file", async () => {
  const closed = { count: 0 };
  const wired = new Wired(pathsend);
  wired.files = async () => file(500_000, 500_000, closed);
  const client = wired.connect();
  client.socket.take = () => 0;
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.gone();
  await settle(5);
  assert.equal(closed.count, 1);
});

test("a file that can't be opened is the application's to handle", async () => {
  const wired = new Wired(async (_scope, _receive, send: Send) => {
    await send(start());
    await assert.rejects(send({ type: "http.response.pathsend", path: "/none" }), /no such file/);
    await assert.rejects(send({ type: "http.response.pathsend", path: "relative" }), /absolute/);
    await send(part("instead"));
  });
  const client = wired.connect();
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(text(parsed(client).response), "instead");
});
