/**
 * What one request leaves behind must not reach another: cycles, output buffers and rings are used again, by requests of
 * any connection. Each test serves a request that behaves oddly, then looks at those that come after it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CALL, type CallApplication, type HttpCall } from "../../src/asgi/call.ts";
import type { Application, Receive, Scope, Send, SendEvent, SentHeader } from "../../src/asgi/types.ts";
import { bytesOf, type Client, settle, Wired } from "../harness/fake-socket.ts";
import { parseResponse, text } from "../harness/response.ts";

const START: SendEvent = { type: "http.response.start", status: 200, headers: [] };

function body(content: string, more = false): SendEvent {
  return { type: "http.response.body", body: bytesOf(content), more_body: more };
}

function get(path: string, fields = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
}

/** The texts of all responses that a client has got, which must be all that it has got. */
function texts(client: Client): string[] {
  const { bytes } = client.socket;
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const parsed = parseResponse(bytes, at, "GET", client.socket.ending !== "open");
    assert.ok(parsed !== undefined, `a whole response, not ${JSON.stringify(client.socket.text.slice(at))}`);
    found.push(text(parsed.response));
    at = parsed.end;
  }
  return found;
}

function pathOf(scope: Scope): string {
  return scope.type === "http" ? scope.path : "";
}

async function answer(send: Send, content: string): Promise<void> {
  await send(START);
  await send(body(content));
}

// ---- bytes that no application takes ----------------------------------------------------------------------------

test("an unread body neither stays in memory nor stops reading while the next request runs", async () => {
  let ended = "";
  const wired = new Wired(
    async (scope, receive, send) => {
      if (pathOf(scope) === "/unread") {
        await settle(2);
        return answer(send, "unread");
      }
      await receive();
      ended = (await receive()).type;
    },
    { limits: { bodyWatermarkBytes: 1000 } },
  );
  const client = wired.connect();
  const post = `POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n${"b".repeat(2000)}`;
  await client.send(post + get("/long"));
  await settle(6);
  assert.deepEqual(texts(client), ["unread"]);
  assert.equal(client.connection.ring.pinnedBytes, 0);
  assert.equal(client.socket.paused, false, "else the client's end could not be seen");
  client.fin();
  await settle(2);
  assert.equal(ended, "http.disconnect");
});

test("an unread body does not stop reading in the middle of the next request's head", async () => {
  const wired = new Wired(
    async (_scope, _receive, send) => {
      await settle(2);
      await answer(send, "answered");
    },
    { limits: { bodyWatermarkBytes: 1000 } },
  );
  const client = wired.connect();
  const post = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n${"b".repeat(2000)}`;
  await client.send(`${post}GET / HT`);
  await settle(6);
  assert.equal(client.socket.paused, false, "else the rest of the head would never come");
  await client.send("TP/1.1\r\nHost: a\r\n\r\n");
  await settle(6);
  assert.deepEqual(texts(client), ["answered", "answered"]);
});

// ---- answers that have gathered -----------------------------------------------------------------------------------

test("answers before one that breaks in the middle arrive, although the connection is reset", async () => {
  const wired = new Wired(async (scope, _receive, send) => {
    if (pathOf(scope) !== "/broken") return answer(send, "whole");
    await send(START);
    await send(body("part", true));
    throw new Error("in the middle");
  });
  const client = wired.connect();
  await client.send(get("/") + get("/") + get("/broken"));
  assert.equal(client.socket.ending, "reset");
  const { bytes } = client.socket;
  const first = parseResponse(bytes, 0, "GET", false);
  const second = parseResponse(bytes, first?.end ?? bytes.length, "GET", false);
  assert.deepEqual(
    [first, second].map((parsed) => parsed && text(parsed.response)),
    ["whole", "whole"],
  );
  assert.equal(parseResponse(bytes, second?.end ?? 0, "GET", false), undefined, "the third stays incomplete");
});

// ---- a head that is being written -----------------------------------------------------------------------------------

/** Fills the ring, so that taking from it lets the connection meet the bad chunk behind it. */
const BAD_CHUNK_BEHIND_MANY = `POST /odd HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(100)}zz\r\n`;

test("headers that call receive() while they are read can't put their head into another connection's output", async () => {
  let outcome = "";
  const wired = new Wired(async (scope, receive, send) => {
    if (pathOf(scope) !== "/odd") return answer(send, "other");
    await settle(2);
    function* odd(): Generator<SentHeader> {
      yield ["x-odd", "1"];
      void receive();
      yield ["x-odd", "2"];
    }
    await send({ type: "http.response.start", status: 200, headers: odd() });
    await settle(8);
    outcome = await send(body("odd")).then(
      () => "sent",
      (error: Error) => error.name,
    );
  });
  const client = wired.connect();
  client.feed(BAD_CHUNK_BEHIND_MANY);
  await settle(6);
  const others = [wired.connect(), wired.connect()];
  for (const other of others) await other.send(get("/other"));
  await settle(10);
  for (const other of others) assert.deepEqual(texts(other), ["other"]);
  assert.deepEqual(texts(client), ["Bad Request\n"]);
  assert.equal(outcome, "ClientDisconnected");
  assert.equal(wired.context.inFlight, 0);
});

test("headers may call receive() while they are read, and get the body", async () => {
  let received = "";
  const wired = new Wired(async (_scope, receive, send) => {
    let event: ReturnType<Receive> | undefined;
    function* odd(): Generator<SentHeader> {
      event = receive();
      yield ["x-odd", "1"];
    }
    await send({ type: "http.response.start", status: 200, headers: odd() });
    const first = await event!;
    if (first.type === "http.request") received = Buffer.from(first.body).toString();
    await send(body("answered"));
  });
  const client = wired.connect();
  await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
  assert.deepEqual([received, ...texts(client)], ["body", "answered"]);
});

// ---- what an application keeps --------------------------------------------------------------------------------------

const LATE: Readonly<Record<string, (receive: Receive, send: Send) => Promise<unknown>>> = {
  start: (_receive, send) => send({ type: "http.response.start", status: 500, headers: [["x-late", "1"]] }),
  body: (_receive, send) => send(body("late")),
  "early hint": (_receive, send) => send({ type: "http.response.early_hint", links: ["</late>"] }),
  debug: (_receive, send) => send({ type: "http.response.debug", info: { late: true } }),
  pathsend: (_receive, send) => send({ type: "http.response.pathsend", path: "/late" }),
  receive: (receive) => receive(),
};
for (const [what, act] of Object.entries(LATE)) {
  for (const when of ["before the next has begun its answer", "in the middle of the next's answer"]) {
    test(`${what} of a request that is over, ${when}, is not the next one's`, async () => {
      let kept: { receive: Receive; send: Send } | undefined;
      let outcome = "";
      const wired = new Wired(
        async (scope, receive, send) => {
          if (pathOf(scope) === "/first") {
            kept = { receive, send };
            return answer(send, "first");
          }
          const late = async () => {
            outcome = await act(kept!.receive, kept!.send).then(
              (event) => `got ${(event as { type?: string } | undefined)?.type}`,
              (error: Error) => error.name,
            );
          };
          if (when.startsWith("before")) await late();
          await send(START);
          await send(body("sec", true));
          if (!when.startsWith("before")) await late();
          const event = await receive();
          assert.equal(event.type, "http.request");
          await send(body("ond"));
        },
        { debug: true },
      );
      const client = wired.connect();
      await client.send(get("/first"));
      await client.send("POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
      await settle(4);
      assert.deepEqual(texts(client), ["first", "second"]);
      assert.equal(outcome, what === "receive" ? "got http.disconnect" : "ProtocolViolation");
      assert.deepEqual(wired.logs("error"), []);
      assert.equal(wired.logs("debug").length, 0);
    });
  }
}

/** A call application whose `serve` gets each call. */
function callApplication(serve: (call: HttpCall) => void): CallApplication {
  const unused: Application = () => Promise.reject(new Error("it takes calls"));
  return Object.assign(unused, { [CALL]: serve });
}

test("an application that has a `call` of its own is one like any other", async () => {
  const app: Application = async (_scope, _receive, send) => {
    await send({ type: "http.response.start", status: 200, headers: [["content-length", "2"]] });
    await send({ type: "http.response.body", body: new TextEncoder().encode("ok") });
  };
  const wired = new Wired(Object.assign(app, { call: () => assert.fail("its own business") }));
  const client = wired.connect();
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(client.socket.text, /^HTTP\/1\.1 200 OK[\s\S]*ok$/);
});

test("a watcher is told of its own client's end, and of no later request's", async () => {
  const gone: string[] = [];
  const kept: HttpCall[] = [];
  const wired = new Wired(
    callApplication((call) => {
      const { path } = call.scope;
      if (path !== "/slow") call.watch(() => gone.push(path));
      if (path !== "/quick") {
        kept.push(call);
        return;
      }
      void call.send(START);
      void call.send(body("quick"));
      call.returned();
    }),
  );
  const client = wired.connect();
  await client.send(get("/quick") + get("/quick") + get("/slow"));
  const other = wired.connect();
  await other.send(get("/quick") + get("/other"));
  client.gone();
  await settle(2);
  assert.deepEqual(gone, [], "what watched before it is over");
  other.fin();
  await settle(2);
  assert.deepEqual(gone, ["/other"]);
  for (const call of kept) call.returned();
  assert.equal(wired.context.inFlight, 0);
});

test("of sends that are refused one because of the other, the first one's error is told", async () => {
  const wired = new Wired(
    callApplication((call) => {
      void call.send({ type: "http.response.start", status: 200, headers: [["x", "a\nb"]] });
      void call.send(body("x"));
      call.returned();
    }),
  );
  const client = wired.connect();
  await client.send(get("/"));
  assert.deepEqual(texts(client), ["Internal Server Error\n"]);
  assert.match(wired.logs("error").join(), /a header value has a control character/);
});

test("an error that was refused to one request is not told of a later one", async () => {
  const wired = new Wired(async (scope, _receive, send) => {
    if (pathOf(scope) === "/silent") return;
    void send(body("too early"));
    await answer(send, "well");
  });
  const client = wired.connect();
  await client.send(get("/well"));
  await client.send(get("/silent"));
  assert.deepEqual(texts(client), ["well", "Internal Server Error\n"]);
  assert.match(wired.logs("error").join(), /returned without starting its response to GET \/silent/);
});

for (const [name, app, hinted] of [
  ["without parameters", () => Promise.resolve(), true],
  ["with parameters", async (_scope: unknown) => {}, false],
] as const) {
  test(`an application ${name} that answers nothing: the log ${hinted ? "asks" : "does not ask"} for --factory`, async () => {
    const wired = new Wired(app as Application);
    const client = wired.connect();
    await client.send(get("/"));
    assert.deepEqual(texts(client), ["Internal Server Error\n"]);
    assert.equal(/; if it is a factory, start with --factory$/.test(wired.logs("error").join()), hinted);
  });
}

test("each access log line has its own request's facts, whatever is kept of others", async () => {
  const wired = new Wired(
    async (scope, _receive, send) => {
      const path = pathOf(scope);
      if (path === "/slow") await settle(4);
      const status = Number((scope as { query_string: Uint8Array }).query_string.length) + 200;
      await send({ type: "http.response.start", status, headers: [] });
      await send(body(path));
    },
    { accessLog: true },
  );
  const clients = [wired.connect(), wired.connect()];
  clients[0].feed(get("/a?1") + get("/slow?22") + get("/b?333"));
  clients[1].feed(`HEAD /c?4444 HTTP/1.1\r\nHost: a\r\n\r\n${get("/slow")}${get("/d")}`);
  await settle(20);
  const line = (method: string, target: string, status: number) => `192.0.2.7 ${method} ${target} 1.1 ${status}`;
  assert.deepEqual(
    wired.accessed.toSorted(),
    [
      line("GET", "/a?1", 201),
      line("GET", "/slow?22", 202),
      line("GET", "/b?333", 203),
      line("HEAD", "/c?4444", 204),
      line("GET", "/slow", 200),
      line("GET", "/d", 200),
    ].toSorted(),
  );
});
