/**
 * A connection from end to end: however its input is cut and however little the socket takes at a time, the bytes out
 * are the same; and deadlines by a clock that the test moves.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Application, HttpScope, Receive, Send } from "../../src/asgi/types.ts";
import { connectionCap } from "../../src/server/server.ts";
import { bytesOf, settle, Wired, type WiredOptions } from "../harness/fake-socket.ts";
import { parseResponse, text } from "../harness/response.ts";

async function body(receive: Receive): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const event = await receive();
    if (event.type !== "http.request") throw new Error("the body was cut short");
    parts.push(event.body.slice());
    if (!event.more_body) return Buffer.concat(parts);
  }
}

/** One way of answering for each path. */
const ROUTES: Readonly<Record<string, (scope: HttpScope, receive: Receive, send: Send) => Promise<void>>> = {
  async "/echo"(_scope, receive, send) {
    const all = await body(receive);
    await send({ type: "http.response.start", status: 200, headers: [["content-length", `${all.length}`]] });
    await send({ type: "http.response.body", body: all });
  },
  async "/stream"(_scope, receive, send) {
    await send({ type: "http.response.start", status: 200, trailers: true });
    const all = await body(receive);
    for (let at = 0; at < all.length; at += 7000) {
      await send({ type: "http.response.body", body: all.subarray(at, at + 7000), more_body: true });
    }
    await send({ type: "http.response.body" });
    await send({ type: "http.response.trailers", headers: [["x-size", `${all.length}`]] });
  },
  async "/large"(_scope, _receive, send) {
    await send({ type: "http.response.start", status: 200 });
    await send({ type: "http.response.body", body: new Uint8Array(90_000).fill(0x4c), more_body: true });
    await send({ type: "http.response.body", body: bytesOf("end") });
  },
  async "/sync"(_scope, _receive, send) {
    void send({ type: "http.response.start", status: 203, headers: [["content-length", "4"]] });
    void send({ type: "http.response.body", body: bytesOf("sync") });
  },
  async "/unread"(_scope, _receive, send) {
    await send({ type: "http.response.start", status: 200 });
    await send({ type: "http.response.body", body: bytesOf("no") });
  },
  async "/fails"() {
    throw new Error("as it should");
  },
};
const app: Application = async (scope, receive, send) => {
  if (scope.type !== "http") return;
  await ROUTES[scope.path](scope, receive, send);
};

function chunked(content: string, size: number): string {
  let framed = "";
  for (let at = 0; at < content.length; at += size) {
    const piece = content.slice(at, at + size);
    framed += `${piece.length.toString(16)}\r\n${piece}\r\n`;
  }
  return `${framed}0\r\n\r\n`;
}

function post(path: string, content: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${content.length}\r\n\r\n${content}`;
}

const SMALL =
  "GET /sync HTTP/1.1\r\nHost: a\r\n\r\n" +
  post("/echo", "hello") +
  `POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunked("chunks and more", 4)}` +
  post("/unread", "nobody reads this") +
  "HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n" +
  "GET /sync HTTP/1.1\r\nHost: a\r\n\r\nGET /fails HTTP/1.1\r\nHost: a\r\n\r\n";
const LARGE =
  "GET /large HTTP/1.1\r\nHost: a\r\n\r\n" +
  post("/echo", "0123456789".repeat(9000)) +
  `POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunked("abc".repeat(20_000), 997)}` +
  "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Both ways in which a runtime may hand over chunks. */
type Take = (offered: number) => number;

async function run(pieces: readonly Uint8Array[], take: Take, options: WiredOptions): Promise<string> {
  const wired = new Wired(app, options);
  const client = wired.connect();
  client.socket.take = take;
  for (const piece of pieces) {
    // A paused socket delivers nothing until it is resumed.
    for (let i = 0; client.socket.paused && i < 1000; i++) await client.socket.drain();
    client.feed(piece);
  }
  for (let i = 0; i < 50; i++) await client.socket.drain(2);
  // Who says that this is its last request is not waited for.
  const isLast = Buffer.concat(pieces).includes("Connection: close");
  assert.equal(client.socket.ending, isLast ? "closed" : "fin");
  client.fin();
  assert.deepEqual([wired.connections.size, wired.context.inFlight, wired.context.pool.lent], [0, 0, 0]);
  return client.socket.text;
}

function cut(input: string, cuts: readonly number[]): Uint8Array[] {
  const edges = [0, ...cuts.map((at) => at % input.length).sort((a, b) => a - b), input.length];
  return edges.slice(1).map((edge, i) => bytesOf(input.slice(edges[i], edge)));
}

const whole = (offered: number) => offered;
const REFERENCES = new Map<string, Promise<string>>();
function reference(input: string): Promise<string> {
  const known = REFERENCES.get(input) ?? run([bytesOf(input)], whole, {});
  REFERENCES.set(input, known);
  return known;
}

test("the reference output is what the requests asked for", async () => {
  const wire = bytesOf(await reference(SMALL));
  const methods = ["GET", "POST", "POST", "POST", "HEAD", "GET", "GET"];
  const answers: string[] = [];
  let at = 0;
  for (const method of methods) {
    const parsed = parseResponse(wire, at, method, true);
    assert.ok(parsed !== undefined);
    at = parsed.end;
    answers.push(`${parsed.response.status} ${text(parsed.response)}`);
  }
  assert.equal(at, wire.length);
  assert.deepEqual(answers, [
    "203 sync",
    "200 hello",
    "200 chunks and more",
    "200 no",
    "200 ",
    "203 sync",
    "500 Internal Server Error\n",
  ]);
});

for (const ownsChunks of [true, false]) {
  test(`cut at any one byte, the output is the same (chunks kept: ${ownsChunks})`, async () => {
    const expected = await reference(SMALL);
    for (let at = 1; at < SMALL.length; at += 3) {
      assert.equal(await run(cut(SMALL, [at]), whole, { ownsChunks }), expected, `cut at ${at}`);
    }
  });

  test(`byte by byte, the output is the same (chunks kept: ${ownsChunks})`, async () => {
    const pieces = cut(
      SMALL,
      Array.from({ length: SMALL.length - 1 }, (_, i) => i + 1),
    );
    assert.equal(await run(pieces, whole, { ownsChunks }), await reference(SMALL));
  });

  test(`a write that is short at any one byte changes nothing (chunks kept: ${ownsChunks})`, async () => {
    const expected = await reference(SMALL);
    for (let at = 0; at < expected.length; at += 5) {
      let sent = 0;
      let stopped = false;
      const take = (offered: number) => {
        const stops = !stopped && sent + offered > at;
        const taken = stops ? at - sent : offered;
        stopped ||= stops;
        sent += taken;
        return taken;
      };
      assert.equal(await run([bytesOf(SMALL)], take, { ownsChunks }), expected, `short at ${at}`);
    }
  });

  for (const [name, input, limits] of [
    ["small", SMALL, {}],
    ["large", LARGE, {}],
    ["large, little held", LARGE, { pipelinedBytes: 500, pipelinedRequests: 1, bodyWatermarkBytes: 1000 }],
  ] as const) {
    test(`any cuts and any short writes give the same bytes: ${name} (chunks kept: ${ownsChunks})`, async () => {
      const expected = await reference(input);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat(input.length), { maxLength: 12 }),
          fc.array(fc.oneof(fc.constant(0), fc.nat(300), fc.nat(40_000)), { minLength: 1, maxLength: 8 }),
          async (cuts, takes) => {
            let turn = 0;
            const take = (offered: number) => {
              const next = takes[turn++ % takes.length];
              return turn > 200 ? offered : Math.min(offered, next);
            };
            assert.equal((await run(cut(input, cuts), take, { ownsChunks, limits })) === expected, true);
          },
        ),
        { numRuns: 25 },
      );
    });
  }
}

test("answers of a burst leave in few writes", async () => {
  const wired = new Wired(app);
  const client = wired.connect();
  await client.send("GET /sync HTTP/1.1\r\nHost: a\r\n\r\n".repeat(16));
  await settle(5);
  assert.equal(client.socket.text.split("203 Non").length, 17);
  assert.ok(client.socket.writes <= 2, `${client.socket.writes} writes`);
});

// ---- deadlines -------------------------------------------------------------------------------------------------

const LIMITS = {
  headerTimeoutMs: 1000,
  keepAliveTimeoutMs: 3000,
  bodyTimeoutMs: 2000,
  writeTimeoutMs: 4000,
  lingerTimeoutMs: 500,
};
const GET = "GET /sync HTTP/1.1\r\nHost: a\r\n\r\n";

interface Case {
  readonly name: string;
  readonly steps: readonly (string | number)[];
  readonly stuck?: boolean;
  /** Still as it was just before the last step. */
  readonly ending: string;
  readonly says: RegExp;
}
const CASES: readonly Case[] = [
  { name: "no byte at all", steps: [999, 1], ending: "closed", says: /^$/ },
  { name: "half a head", steps: ["GET", 999, 1], ending: "fin", says: /^HTTP\/1\.1 408 / },
  { name: "a head that trickles", steps: ["G", 600, "E", 399, "T", 1], ending: "fin", says: /^HTTP\/1\.1 408 / },
  { name: "idle behind an answer", steps: [GET, 2999, 1], ending: "closed", says: /sync$/ },
  { name: "half a second head", steps: [GET, 2000, "GE", 999, 1], ending: "fin", says: /sync.*408 /s },
  {
    name: "a body that stops",
    steps: ["POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", 1999, "d", 1999, 1],
    ending: "fin",
    says: /^HTTP\/1\.1 408 /,
  },
  {
    name: "an unread body that stops",
    steps: ["POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", 1999, 1],
    ending: "fin",
    says: /no\r\n0\r\n\r\n$/,
  },
  { name: "an answer that is not taken", steps: [GET, 3999, 1], stuck: true, ending: "reset", says: /^$/ },
  { name: "a closing client that sends no FIN", steps: ["X\r\n\r\n", 499, 1], ending: "closed", says: /400 Bad/ },
];
for (const { name, steps, stuck, ending, says } of CASES) {
  test(`deadline: ${name}`, async () => {
    const wired = new Wired(app, { limits: LIMITS });
    const client = wired.connect();
    if (stuck) client.socket.take = () => 0;
    for (const [i, step] of steps.entries()) {
      if (i === steps.length - 1) assert.equal(wired.connections.size, 1, "still there before its time");
      const before = client.socket.ending;
      if (typeof step === "string") await client.send(step);
      else wired.pass(step);
      if (i < steps.length - 1 && typeof step === "number") assert.equal(client.socket.ending, before, `step ${i}`);
      await settle(3);
    }
    assert.equal(client.socket.ending, ending);
    assert.match(client.socket.text, says);
    wired.pass(10_000);
    assert.deepEqual([wired.connections.size, wired.context.inFlight, wired.context.pool.lent], [0, 0, 0]);
  });
}

test("a client that waits for 100 is late only when it has been told to go on", async () => {
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const wired = new Wired(
    async (_scope, receive) => {
      await gate;
      await receive();
    },
    { limits: { bodyTimeoutMs: 1000 } },
  );
  const client = wired.connect();
  await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  wired.pass(5000);
  assert.equal(client.socket.text, "");
  open();
  await settle();
  wired.pass(999);
  assert.equal(client.socket.text, "HTTP/1.1 100 Continue\r\n\r\n");
  wired.pass(1);
  assert.match(client.socket.text, /\r\n\r\nHTTP\/1\.1 408 /);
});

test("a client that waits for 100 behind a response's head is waited for as any other", async () => {
  const told: string[] = [];
  const wired = new Wired(
    async (_scope, receive, send) => {
      await send({ type: "http.response.start", status: 200, headers: [] });
      await send({ type: "http.response.body", body: bytesOf("a"), more_body: true });
      told.push((await receive()).type);
      await send({ type: "http.response.body" });
    },
    { limits: { bodyTimeoutMs: 1000 } },
  );
  const client = wired.connect();
  await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  wired.pass(999);
  await settle();
  assert.deepEqual(told, []);
  wired.pass(1);
  await settle();
  assert.deepEqual(told, ["http.disconnect"]);
  assert.match(client.socket.text, /\r\n0\r\n\r\n$/);
  assert.equal(client.socket.ending, "fin");
});

test("an application may think as long as it likes", async () => {
  const wired = new Wired(async () => new Promise<void>(() => {}), { limits: LIMITS });
  const client = wired.connect();
  await client.send(GET);
  wired.pass(1_000_000);
  assert.equal(client.socket.ending, "open");
  client.gone();
});

for (const [asked, limit, cap] of [
  [0, undefined, Number.POSITIVE_INFINITY],
  [10, undefined, 10],
  [0, 1024, 896],
  [10, 1024, 10],
  [5000, 1024, 896],
  [0, 100, 50],
  [0, 200, 100],
  [0, 256, 128],
] as const) {
  test(`connectionCap(${asked}, ${limit}) is ${cap}`, () => assert.equal(connectionCap(asked, limit), cap));
}
