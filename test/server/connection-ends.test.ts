/** How requests and connections end: FIN and RST in every state, bodies that nobody reads, Expect, and the counts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CALL, type CallApplication, type HttpCall } from "../../src/asgi/call.ts";
import type { Application, Receive, Scope, Send } from "../../src/asgi/types.ts";
import { bytesOf, settle, Wired } from "../harness/fake-socket.ts";
import { parseResponse, text } from "../harness/response.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async function answer(send: Send, body: string): Promise<void> {
  await send({ type: "http.response.start", status: 200, headers: [["content-length", String(body.length)]] });
  await send({ type: "http.response.body", body: bytesOf(body) });
}

/** Answers with its path, without reading. */
const echoPath: Application = async (scope, _receive, send) => answer(send, scope.type === "http" ? scope.path : "");

async function readAll(receive: Receive): Promise<string> {
  let all = "";
  for (;;) {
    const event = await receive();
    if (event.type !== "http.request") return `${all}!`;
    all += new TextDecoder().decode(event.body);
    if (!event.more_body) return all;
  }
}

const echo: Application = async (_scope, receive, send) => answer(send, await readAll(receive));

/** All responses on the wire, strictly parsed. */
function responses(bytes: Uint8Array, ended: boolean): { status: number; body: string; fields: string }[] {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const parsed = parseResponse(bytes, at, "GET", ended);
    assert.ok(parsed !== undefined, "whole responses only");
    at = parsed.end;
    const fields = parsed.response.fields.map(([name, value]) => `${name}: ${value}`).join("\n");
    found.push({ status: parsed.response.status, body: text(parsed.response), fields });
  }
  return found;
}

test("a FIN while earlier answers are stuck: requests received before it are still answered", async () => {
  const wired = new Wired(echoPath);
  const client = wired.connect();
  client.socket.take = () => 0;
  await client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  client.fin();
  client.socket.take = (offered) => offered;
  await client.socket.drain();
  assert.deepEqual(
    responses(client.socket.bytes, true).map(({ body }) => body),
    ["/1", "/2"],
  );
  assert.equal(client.socket.ending, "closed");
  assert.equal(wired.context.inFlight, 0);
});

test("a FIN behind a burst of requests answers all of them, the last one with Connection: close", async () => {
  const wired = new Wired(async (scope, receive, send) => {
    await settle(1);
    await echoPath(scope, receive, send);
  });
  const client = wired.connect();
  client.feed("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  client.feed("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  client.fin();
  await settle(20);
  const all = responses(client.socket.bytes, true);
  assert.deepEqual(
    all.map(({ body, fields }) => [body, fields.includes("connection: close")]),
    [
      ["/1", false],
      ["/2", false],
      ["/3", true],
    ],
  );
  assert.equal(client.socket.ending, "closed");
});

test("a body stops reading at its watermark, and not once it is whole: the end of the client is seen", async () => {
  const wired = new Wired(() => new Promise(() => {}), { limits: { bodyWatermarkBytes: 100 } });
  const client = wired.connect();
  await client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "x".repeat(500));
  assert.equal(client.socket.paused, true);
  // Runtimes may deliver what they had read already.
  await client.send("x".repeat(500));
  assert.equal(client.socket.paused, false);
  await client.send(GET);
  assert.equal(client.socket.paused, false, "a request that waits behind it changes nothing");
});

for (const [framing, unread, told] of [
  ["Content-Length: 1000", 499, true],
  ["Content-Length: 1000", 500, false],
  // Whether what is unread holds the end can't be known.
  ["Content-Length: 1000", -1, false],
  ["Transfer-Encoding: chunked", 100, false],
] as const) {
  test(`FIN behind ${unread} unread bytes of a held-back body (${framing}): ${told ? "told" : "not told"}`, async () => {
    let isTold = false;
    const app: CallApplication = Object.assign(async () => {}, {
      [CALL]: (call: HttpCall) => call.watch(() => (isTold = true)),
    });
    const wired = new Wired(app, { limits: { bodyWatermarkBytes: 100 } });
    const client = wired.connect();
    const size = framing.startsWith("T") ? "3e8\r\n" : "";
    await client.send(`POST /x HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`, size, "x".repeat(500));
    assert.equal(client.socket.paused, true);
    client.socket.handler.onEndUnread(unread);
    assert.equal(isTold, told);
  });
}

test("FIN behind more pipelined requests than are held: the application at work is told", async () => {
  let told = "";
  const wired = new Wired(
    async (_scope, receive, send) => {
      if (told === "") {
        await receive();
        told = "waits";
        told = (await receive()).type;
      }
      await answer(send, "well");
    },
    { limits: { pipelinedRequests: 2 } },
  );
  const client = wired.connect();
  await client.send(GET, GET + GET + GET);
  assert.deepEqual([client.socket.paused, told], [true, "waits"]);
  client.socket.handler.onEndUnread(GET.length);
  await settle();
  assert.equal(told, "http.disconnect");
  assert.equal(responses(client.socket.bytes, false).length, 4, "what was sent before is answered nevertheless");
});

for (const starts of [false, true]) {
  test(`an application that gives up behind a FIN, its response ${starts ? "begun" : "not begun"}: 500, nothing logged`, async () => {
    const wired = new Wired(async (_scope, receive, send) => {
      if (starts) await send({ type: "http.response.start", status: 200, headers: [] });
      while ((await receive()).type !== "http.disconnect");
    });
    const client = wired.connect();
    await client.send(GET);
    client.fin();
    await settle();
    assert.deepEqual(
      responses(client.socket.bytes, true).map(({ status }) => status),
      [500],
    );
    assert.deepEqual([wired.accessed, wired.logs("error")], [[], []]);
  });
}

for (const [lingerBytes, pieces] of [
  [1024, [512, 512]],
  [1024, [1024]],
  [1024, [1023, 2]],
  [1024, [600, 600]],
  [0, [1]],
] as const) {
  test(`an unread chunked body, linger ${lingerBytes}, pieces ${pieces}: inFlight is counted once`, async () => {
    const wired = new Wired(echoPath, { limits: { lingerBytes } });
    const client = wired.connect();
    await client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert.equal(wired.context.inFlight, 0, "the response is complete");
    for (const piece of pieces) await client.send(`${piece.toString(16)}\r\n${"x".repeat(piece)}\r\n`);
    await client.send(`0\r\n\r\n${GET}`);
    if (client.socket.ending === "fin") client.fin();
    client.gone();
    assert.equal(wired.context.inFlight, 0);
    assert.equal(wired.context.pool.lent, 0, "memory is back in the pool");
    assert.equal(wired.connections.size, 0);
    assert.equal(wired.accessed.filter((line) => line.includes("POST")).length, 1, "logged once");
  });
}

test("an unread body is skipped, and the pipelined request behind it is answered", async () => {
  const wired = new Wired(echoPath);
  const client = wired.connect();
  await client.send(`POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234`);
  await client.send(`56789GET /2 HTTP/1.1\r\nHost: a\r\n\r\n`);
  assert.deepEqual(
    responses(client.socket.bytes, false).map(({ body }) => body),
    ["/1", "/2"],
  );
  assert.equal(wired.context.pool.lent, 0, "an idle connection owns nothing");
});

test("an unread sized body of exactly the linger limit leaves the connection open", async () => {
  const wired = new Wired(echoPath, { limits: { lingerBytes: 100 } });
  const client = wired.connect();
  await client.send(`POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n`);
  await client.send("x".repeat(100), "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.deepEqual(
    responses(client.socket.bytes, false).map(({ body }) => body),
    ["/1", "/2"],
  );
});

test("an unread sized body beyond the linger limit closes the connection, and says so", async () => {
  const wired = new Wired(echoPath, { limits: { lingerBytes: 100 } });
  const client = wired.connect();
  await client.send(`POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n`);
  assert.match(client.socket.text, /connection: close/);
  assert.equal(client.socket.ending, "fin");
});

// ---- Expect: 100-continue -------------------------------------------------------------------------------------

const EXPECT = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

test("100 is sent when the body is asked for, once", async () => {
  const wired = new Wired(echo);
  const client = wired.connect();
  await client.send(EXPECT);
  assert.equal(client.socket.text, "HTTP/1.1 100 Continue\r\n\r\n");
  await client.send("he", "llo");
  assert.equal(client.socket.text.split("100 Continue").length, 2);
  assert.match(client.socket.text, /hello$/);
  assert.doesNotMatch(client.socket.text, /connection: close/);
});

test("an application that starts its response before it reads still gets its body: 100 goes before the head", async () => {
  const wired = new Wired(async (_scope, receive, send) => {
    await send({ type: "http.response.start", status: 200, headers: [["content-length", "5"]] });
    await send({ type: "http.response.body", body: bytesOf(await readAll(receive)) });
  });
  const client = wired.connect();
  await client.send(EXPECT);
  assert.equal(client.socket.text, "HTTP/1.1 100 Continue\r\n\r\n");
  await client.send("hello");
  const parsed = parseResponse(client.socket.bytes, 0, "POST", false);
  assert.equal(parsed?.response.interim[0].status, 100);
  assert.equal(text(parsed!.response), "hello");
});

test("no 100 once the response's head is committed", async () => {
  const wired = new Wired(async (_scope, receive, send) => {
    await send({ type: "http.response.start", status: 200, headers: [] });
    await send({ type: "http.response.body", body: bytesOf("a"), more_body: true });
    await send({ type: "http.response.body", body: bytesOf(await readAll(receive)) });
  });
  const client = wired.connect();
  await client.send(EXPECT);
  assert.doesNotMatch(client.socket.text, /100 Continue/);
  await client.send("hello");
  assert.doesNotMatch(client.socket.text, /100 Continue/);
  assert.match(client.socket.text, /connection: close/);
});

test("an application that answers without reading an expected body closes the connection", async () => {
  const wired = new Wired(echoPath);
  const client = wired.connect();
  await client.send(EXPECT);
  assert.doesNotMatch(client.socket.text, /100 Continue/);
  assert.match(client.socket.text, /connection: close/);
  assert.equal(client.socket.ending, "fin");
});

test("a body that does not wait for 100 gets none, and the connection goes on", async () => {
  const wired = new Wired(echo);
  const client = wired.connect();
  await client.send(`${EXPECT}hello`, GET);
  assert.doesNotMatch(client.socket.text, /100 Continue|connection: close/);
  assert.equal(responses(client.socket.bytes, false).length, 2);
});

test("an expectation without a body needs no 100 and closes nothing", async () => {
  const wired = new Wired(echoPath);
  const client = wired.connect();
  await client.send("GET /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", GET);
  assert.equal(responses(client.socket.bytes, false).length, 2);
  assert.doesNotMatch(client.socket.text, /connection: close/);
});

// ---- FIN and RST in every state -------------------------------------------------------------------------------

const never: Application = async (_scope, receive) => {
  while ((await receive()).type !== "http.disconnect");
  await new Promise(() => {});
};
const inTheMiddle: Application = async (_scope, receive, send) => {
  await send({ type: "http.response.start", status: 200, headers: [] });
  await send({ type: "http.response.body", body: bytesOf("part"), more_body: true });
  await readAll(receive);
  await readAll(receive);
  await send({ type: "http.response.body", body: bytesOf("end") });
};

const STATES: readonly (readonly [name: string, app: Application, input: string, stuck: boolean])[] = [
  ["nothing sent", echo, "", false],
  ["an empty line", echo, "\r\n", false],
  ["inside a head", echo, "GET / HT", false],
  ["behind a request", echo, GET, false],
  ["while the application works", never, GET, false],
  ["with a request held behind it", never, GET + GET, false],
  ["inside a body", echo, `${EXPECT}he`, false],
  ["inside an unread body", echoPath, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n12", false],
  ["in the middle of the response", inTheMiddle, GET, false],
  ["with a stuck response", echoPath, GET, true],
  ["with a stuck part of a response", inTheMiddle, GET, true],
  ["behind a bad request", echo, "GET / HTTP/1.1\r\n\r\n", false],
  ["with a stuck refusal", echo, "GET / HTTP/1.1\r\n\r\n", true],
  ["inside a bad chunk", echo, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!", false],
];

for (const [name, app, input, stuck] of STATES) {
  for (const ending of ["FIN", "RST", "FIN then RST"]) {
    test(`${ending} ${name}: nothing stays behind`, async () => {
      const wired = new Wired(app);
      const client = wired.connect();
      if (stuck) client.socket.take = () => 0;
      if (input !== "") await client.send(input);
      if (ending.startsWith("FIN")) client.fin();
      await settle(5);
      if (ending === "FIN" && client.socket.ending === "open") {
        client.socket.take = (offered) => offered;
        await client.socket.drain();
      }
      await settle(5);
      if (client.socket.ending !== "closed" && client.socket.ending !== "reset") client.gone(new Error("reset"));
      await settle(5);
      assert.equal(wired.connections.size, 0);
      assert.equal(wired.context.inFlight, 0);
      assert.equal(wired.context.pool.lent, 0);
      assert.deepEqual(wired.logs("critical"), []);
    });
  }
}

test("send and receive of a request whose connection is gone touch nobody else's", async () => {
  let late: { receive: Receive; send: Send } | undefined;
  const wired = new Wired(async (scope: Scope, receive, send) => {
    if (scope.type === "http" && scope.path === "/late") {
      late = { receive, send };
      await new Promise(() => {});
    }
    await settle(2);
    await answer(send, "mine");
  });
  const first = wired.connect();
  await first.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
  first.gone();
  const second = wired.connect();
  second.feed(GET);
  await assert.rejects(late!.send({ type: "http.response.start", status: 500 }), /disconnected/);
  await assert.rejects(late!.send({ type: "http.response.body", body: bytesOf("theirs") }), /disconnected/);
  assert.equal((await late!.receive()).type, "http.disconnect");
  await settle(8);
  assert.deepEqual(
    responses(second.socket.bytes, false).map(({ body }) => body),
    ["mine"],
  );
});

test("a socket that says it takes nothing ever again is let go with the next look at the deadlines", async () => {
  for (const app of [echoPath, inTheMiddle]) {
    const wired = new Wired(app);
    const client = wired.connect();
    client.socket.take = () => -1;
    await client.send(GET + GET);
    wired.pass(1);
    await settle(5);
    assert.equal(client.socket.ending, "reset");
    assert.deepEqual([wired.connections.size, wired.context.inFlight, wired.context.pool.lent], [0, 0, 0]);
  }
});

const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n";
const closes: Application = async (_scope, _receive, send) => {
  await send({ type: "http.response.start", status: 200, headers: [["connection", "close"]] });
  await send({ type: "http.response.body" });
};

for (const [what, request, app, ending] of [
  ["asks for the end", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", echoPath, "closed"],
  ["asks for the end by its version", "GET / HTTP/1.0\r\n\r\n", echoPath, "closed"],
  ["asks for the end behind a body, and may yet send a line end", `${POST}Connection: close\r\n\r\nab`, echo, "fin"],
  ["has sent more than it should", `GET / HTTP/1.0\r\n\r\n${GET}`, echoPath, "fin"],
  ["does not know of the end yet", GET, closes, "fin"],
] as const) {
  test(`a client that ${what}: ${ending === "closed" ? "closed behind the answer" : "half-closed, and what comes is read"}`, async () => {
    const wired = new Wired(app);
    const client = wired.connect();
    await client.send(request);
    assert.equal(responses(client.socket.bytes, true).length, 1);
    assert.equal(client.socket.ending, ending);
    assert.equal(wired.connections.size, ending === "closed" ? 0 : 1);
    client.fin();
    assert.deepEqual([wired.connections.size, wired.context.pool.lent], [0, 0]);
  });
}

test("bytes that the socket still has hold the connection until they have left, or the time of a write is up", async () => {
  const wired = new Wired(echoPath, { limits: { writeTimeoutMs: 1000, keepAliveTimeoutMs: 100 } });
  const [left, stuck] = [wired.connect(), wired.connect()];
  await left.send(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  assert.equal(left.socket.ending, "closed", "nothing is held up where nothing is unsent");
  for (const client of [left, stuck]) client.socket.unsent = true;
  assert.equal(wired.connections.size, 1);
  await stuck.send(GET);
  wired.pass(100);
  assert.equal(stuck.socket.ending, "closed");
  wired.pass(999);
  assert.equal(wired.connections.size, 1);
  wired.pass(1);
  assert.equal(stuck.socket.ending, "reset");
  assert.equal(wired.connections.size, 0);
  stuck.gone();

  const waited = wired.connect();
  waited.socket.unsent = true;
  await waited.send(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  waited.connection.stop();
  assert.equal(wired.connections.size, 1);
  waited.gone();
  assert.equal(wired.connections.size, 0);
  assert.equal(waited.socket.ending, "closed");
});

test("an answer that can't be finished, where no reset can be sent: those before it arrive first", async () => {
  const wired = new Wired(
    async (scope, receive, send) => {
      if (scope.type === "http" && scope.path === "/1") return echoPath(scope, receive, send);
      await send({ type: "http.response.start", status: 200, headers: [["content-length", "9"]] });
      await send({ type: "http.response.body", body: bytesOf("half"), more_body: true });
      throw new Error("as it should");
    },
    { canReset: false },
  );
  const client = wired.connect();
  client.socket.take = () => 0;
  await client.send(`${GET.replace("/", "/1")}${GET}`);
  client.socket.take = (offered) => offered;
  await client.socket.drain();
  assert.match(client.socket.text, /\r\n\r\n\/1HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nhalf$/);
  assert.equal(client.socket.ending, "fin");
  assert.equal(wired.context.inFlight, 0);
});
