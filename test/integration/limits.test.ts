/** Every limit: at its value a request passes, one beyond it is refused with its own status. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { exchange, RawClient, request } from "../harness/raw.ts";
import { field, parseResponse, type Response, text } from "../harness/response.ts";
import { onEach, type RuntimeName, type Server, sharedServer, testApp, withServer } from "../harness/server.ts";

const APP = testApp("contract.ts");

/** The only answer that arrives, after which the server ends the connection. */
async function refused(server: Server, ...pieces: string[]): Promise<Response> {
  const received = Buffer.from(await exchange(server.address, ...pieces), "latin1");
  const parsed = parseResponse(received, 0, "POST", true);
  assert.ok(parsed !== undefined, "an answer arrives");
  assert.equal(parsed.end, received.length, "one answer only");
  assert.equal(field(parsed.response, "connection")?.toLowerCase(), "close");
  return parsed.response;
}

/** Sends a request with `Connection: close` in it and gives the status of the answer. */
async function statusOf(server: Server, bytes: string): Promise<number> {
  return (await refused(server, bytes)).status;
}

interface Limit {
  readonly name: string;
  readonly args: readonly string[];
  /** The request that holds `size` of what is limited. */
  readonly request: (size: number) => string;
  /** The most that passes. */
  readonly most: number;
  readonly status: number;
}

const CLOSE = "Host: a\r\nConnection: close\r\n";
const CHUNKED = `POST /echo HTTP/1.1\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\n`;
const x = (count: number): string => "x".repeat(count);

/** A head of exactly `bytes`, as its last CRLF counts too. */
function headOf(bytes: number): string {
  const rest = `GET / HTTP/1.1\r\n${CLOSE}X: \r\n\r\n`;
  return `GET / HTTP/1.1\r\n${CLOSE}X: ${x(bytes - rest.length)}\r\n\r\n`;
}

function requestLineOf(bytes: number): string {
  return `GET /?${x(bytes - "GET /? HTTP/1.1".length)} HTTP/1.1\r\n${CLOSE}\r\n`;
}

function fieldsOf(count: number): string {
  return `GET / HTTP/1.1\r\n${CLOSE}${"X: y\r\n".repeat(count - 2)}\r\n`;
}

function trailersOf(count: number): string {
  return `${CHUNKED}0\r\n${"X: y\r\n".repeat(count)}\r\n`;
}

/** `count` chunks, each with an extension of `bytes` (the semicolon is one of them). */
function extensionsOf(bytes: number, count = 1): string {
  return `${CHUNKED}${`1;${x(bytes - 1)}\r\na\r\n`.repeat(count)}0\r\n\r\n`;
}

const LIMITS: readonly Limit[] = [
  { name: "the request line by default", args: [], request: requestLineOf, most: 8192, status: 414 },
  { name: "the head by default", args: [], request: headOf, most: 32_768, status: 431 },
  { name: "field lines by default", args: [], request: fieldsOf, most: 100, status: 431 },
  { name: "trailer fields by default", args: [], request: trailersOf, most: 32, status: 431 },
  { name: "a chunk's extension by default", args: [], request: extensionsOf, most: 256, status: 400 },
  {
    name: "all chunk extensions by default",
    args: [],
    request: (bytes) => extensionsOf(64, bytes / 64),
    most: 4096,
    status: 400,
  },
  {
    name: "--limit-request-line",
    args: ["--limit-request-line", "100"],
    request: requestLineOf,
    most: 100,
    status: 414,
  },
  {
    name: "--limit-head",
    args: ["--limit-head", "300", "--limit-request-line", "200"],
    request: headOf,
    most: 300,
    status: 431,
  },
  { name: "--limit-fields", args: ["--limit-fields", "5"], request: fieldsOf, most: 5, status: 431 },
  {
    name: "--limit-trailers",
    args: ["--limit-trailers", "60"],
    // The field lines with their CRLFs, without the empty line behind them.
    request: (bytes) => `${CHUNKED}0\r\nX: ${x(bytes - 5)}\r\n\r\n`,
    most: 60,
    status: 431,
  },
  {
    name: "--limit-chunk-extensions",
    args: ["--limit-chunk-extensions", "16"],
    request: (bytes) => extensionsOf(8).replace("0\r\n\r\n", `1;${x(bytes - 9)}\r\nb\r\n0\r\n\r\n`),
    most: 16,
    status: 400,
  },
  { name: "--limit-trailer-fields", args: ["--limit-trailer-fields", "2"], request: trailersOf, most: 2, status: 431 },
  {
    name: "--limit-body, sized",
    args: ["--limit-body", "10"],
    request: (size) => `POST /echo HTTP/1.1\r\n${CLOSE}Content-Length: ${size}\r\n\r\n${x(size)}`,
    most: 10,
    status: 413,
  },
  {
    name: "--limit-body, chunked",
    args: ["--limit-body", "10"],
    request: (size) => `${CHUNKED}5\r\nxxxxx\r\n${(size - 5).toString(16)}\r\n${x(size - 5)}\r\n0\r\n\r\n`,
    most: 10,
    status: 413,
  },
  {
    name: "--limit-chunk-extension",
    args: ["--limit-chunk-extension", "8"],
    request: extensionsOf,
    most: 8,
    status: 400,
  },
];

/** How much more than `most` is surely beyond: extensions are counted in steps of 64 there. */
function beyond(limit: Limit): number {
  return limit.name === "all chunk extensions by default" ? limit.most + 64 : limit.most + 1;
}

/** What is one byte beyond arrives in one piece, in two, and byte by byte. */
function registerLimits(runtime: RuntimeName): void {
  for (const args of new Set(LIMITS.map((limit) => limit.args.join(" ")))) {
    const shared = sharedServer(runtime, APP, args === "" ? [] : args.split(" "));
    for (const limit of LIMITS.filter((one) => one.args.join(" ") === args)) {
      test(`${runtime}: ${limit.name}: ${limit.most} passes`, async () => {
        assert.equal(await statusOf(await shared(), limit.request(limit.most)), 200);
      });
      test(`${runtime}: ${limit.name}: ${beyond(limit)} is ${limit.status}`, async () => {
        const server = await shared();
        const bytes = limit.request(beyond(limit));
        assert.equal((await refused(server, bytes)).status, limit.status);
        const half = bytes.length >> 1;
        assert.equal((await refused(server, bytes.slice(0, half), bytes.slice(half))).status, limit.status);
      });
    }
  }
}

function endless(runtime: RuntimeName): void {
  const shared = sharedServer(runtime, APP);
  const ENDLESS: readonly [name: string, start: string, more: string, status: number][] = [
    ["request line", "GET /", x(1000), 414],
    ["field value", `GET / HTTP/1.1\r\n${CLOSE}X: `, x(1000), 431],
    ["field name", `GET / HTTP/1.1\r\n${CLOSE}`, x(1000), 431],
    ["run of field lines", `GET / HTTP/1.1\r\n${CLOSE}`, "X: y\r\n".repeat(50), 431],
    ["chunk extension", `${CHUNKED}5;`, x(1000), 400],
    ["chunk size", CHUNKED, "0".repeat(1000), 400],
    ["trailer section", `${CHUNKED}0\r\n`, `X: ${x(900)}\r\n`, 431],
    ["run of empty lines", "", "\r\n".repeat(100), 400],
  ];
  for (const [name, start, more, status] of ENDLESS) {
    test(`${runtime}: an endless ${name} is ${status} before it ends`, async () => {
      const response = await refused(await shared(), start, ...Array<string>(60).fill(more));
      assert.equal(response.status, status);
    });
  }

  test(`${runtime}: a body beyond the limit by its Content-Length never reaches the app`, async () => {
    await withServer(runtime, APP, ["--limit-body", "10"], async (server) => {
      const head = `POST /sink?t=big HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n`;
      assert.equal((await refused(server, head)).status, 413);
      const expecting = head.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
      assert.equal((await refused(server, expecting)).status, 413);
      assert.equal(text(await request(server.address, "/seen?of=big")), "[]");
    });
  });

  test(`${runtime}: a chunked body beyond the limit ends as a disconnect for the app`, async () => {
    await withServer(runtime, APP, ["--limit-body", "10"], async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send("POST /sink?t=chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
      await request(server.address, "/await?of=chunks&what=first");
      await client.send("6\r\nworld!\r\n");
      assert.equal((await client.response()).status, 413);
      assert.equal(await client.ended(), "fin");
      const notes = text(await request(server.address, "/await?of=chunks&what=disconnect"));
      assert.ok(!notes.includes("complete"), notes);
    });
  });

  test(`${runtime}: the last request that a connection may make is answered with close`, async () => {
    await withServer(runtime, APP, ["--limit-requests-per-connection", "3"], async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5));
      for (const expected of [undefined, undefined, "close"]) {
        assert.equal(field(await client.response(), "connection")?.toLowerCase(), expected);
      }
      assert.equal(await client.ended(), "fin");
      assert.equal(client.unparsed(), "");
    });
  });

  test(`${runtime}: one log line for each refusal, none of the peer's bytes raw in it`, async () => {
    await withServer(runtime, APP, ["--no-access-log"], async (server) => {
      await refused(server, "GET /%1b[31m%0d%0a\r\nHost: a\r\n\r\n");
      await refused(server, "GET /\x1b[31mred HTTP/1.1\r\nHost: a\r\n\r\n");
      await refused(server, `GET / HTTP/1.1\r\n${CLOSE}X: \x1b[31m\r\n\r\n`);
      await server.stop();
      const written = server.stderr + server.stdout;
      assert.ok(!written.includes("\x1b[31m"), JSON.stringify(written));
      const lines = written.split("\n").filter((line) => /\b400\b|bad[- ]/i.test(line));
      assert.equal(lines.length, 3, JSON.stringify(written));
    });
  });

  test(`${runtime}: the access log escapes what a target may hold`, async () => {
    await withServer(runtime, APP, [], async (server) => {
      await request(server.address, "/%1b[31m%0d%0aINJECTED");
      await server.stop();
      const written = server.stderr + server.stdout;
      assert.ok(!written.includes("\x1b[31m"), JSON.stringify(written));
      assert.ok(!/^INJECTED/m.test(written), JSON.stringify(written));
      assert.match(written, /INJECTED/);
    });
  });
}

onEach((runtime) => {
  registerLimits(runtime);
  endless(runtime);
});
