/** Applications that do what they should not: each harms its own request at most, and the wire stays well-formed. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import type { Application, HttpReceiveEvent, ReceiveEvent, Send, SendEvent, SentHeader } from "../../src/asgi/types.ts";
import { bytesOf, type Client, settle, Wired } from "../harness/fake-socket.ts";
import { parseResponse, type Response, text } from "../harness/response.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const START: SendEvent = { type: "http.response.start", status: 200, headers: [] };

function body(content: string, more = false): SendEvent {
  return { type: "http.response.body", body: bytesOf(content), more_body: more };
}

function only(client: Client, method = "GET"): Response {
  const { bytes } = client.socket;
  const parsed = parseResponse(bytes, 0, method, client.socket.ending !== "open");
  assert.ok(parsed !== undefined, "a whole response");
  assert.equal(parsed.end, bytes.length, "and nothing behind it");
  return parsed.response;
}

async function serve(app: Application, input = GET): Promise<{ wired: Wired; client: Client }> {
  const wired = new Wired(app);
  const client = wired.connect();
  await client.send(input);
  await settle(5);
  return { wired, client };
}

// ---- headers that are none -------------------------------------------------------------------------------------

const BAD_HEADERS: readonly (readonly [name: string, headers: unknown])[] = [
  ["a number as value", [["x-count", 5]]],
  ["a number as Content-Length", [["content-length", 4]]],
  ["a number as name", [[5, "x"]]],
  ["null as value", [["x", null]]],
  ["undefined as value", [["x", undefined]]],
  ["true as value", [["x", true]]],
  ["a one-element pair", [["x"]]],
  ["a String object", [["x", new String("9")]]],
  ["an array of numbers", [["x", [65, 10, 66]]]],
  ["an object with a length", [["x", { length: 2 }]]],
  ["a DataView", [["x", new DataView(new ArrayBuffer(2))]]],
  ["an ArrayBuffer", [["x", new ArrayBuffer(2)]]],
  ["a Uint16Array", [["x", new Uint16Array([65, 0x0a0d])]]],
  ["a lying byte", [["x", [{ toString: () => "65", valueOf: () => 10 }]]]],
  ["a plain object", { "content-type": "x" }],
  ["a string", "content-type"],
];
for (const [name, headers] of BAD_HEADERS) {
  test(`headers: ${name} is refused, told to the application, and answered 500`, async () => {
    let told: unknown;
    const { wired, client } = await serve(async (_scope, _receive, send) => {
      const start = { type: "http.response.start", status: 200, headers } as unknown as SendEvent;
      await send(start).catch((error: unknown) => {
        told = error;
        throw error;
      });
      await send(body("four"));
    });
    assert.match(String(told), /ProtocolViolation/);
    assert.equal(only(client).status, 500);
    assert.equal(wired.logs("error").length, 1);
  });
}

function* throwsMidway(): Generator<SentHeader> {
  yield ["x-first", "1"];
  throw new Error("midway");
}
const RETRIES: readonly (readonly [name: string, headers: () => Iterable<SentHeader>])[] = [
  ["a generator that throws midway", throwsMidway],
  ["a bad last line", () => [["x-first", "1"] as const, ["bad name", "x"] as const]],
  ["a head beyond 64 KiB", () => [["x-first", "1"] as const, ["x-large", "v".repeat(70_000)] as const]],
  ["two lengths", () => [["content-length", "5"] as const, ["Content-Length", "5"] as const]],
];
for (const [name, headers] of RETRIES) {
  test(`headers: after ${name} nothing of them is left, and a second start is taken`, async () => {
    const { client } = await serve(async (_scope, _receive, send) => {
      await assert.rejects(send({ type: "http.response.start", status: 201, headers: headers() }));
      await send({ type: "http.response.start", status: 202, headers: [["x-second", "2"]] });
      await send(body("ok"));
    });
    const response = only(client);
    assert.equal(response.status, 202);
    assert.deepEqual(
      response.fields.map(([field]) => field),
      ["x-second", "server", "date", "transfer-encoding"],
    );
  });
}

test("headers: a generator that sends while it is read can't split the head", async () => {
  const outcomes: string[] = [];
  const { client } = await serve(async (_scope, _receive, send) => {
    const note = (sent: Promise<void>) =>
      sent.then(
        () => outcomes.push("sent"),
        () => outcomes.push("refused"),
      );
    function* meddling(): Generator<SentHeader> {
      yield ["x-first", "1"];
      note(send({ type: "http.response.start", status: 404, headers: [["x-inner", "1"]] }));
      note(send(body("inner")));
      yield ["x-last", "1"];
    }
    await send({ type: "http.response.start", status: 200, headers: meddling() });
    await settle(1);
  });
  const response = only(client);
  assert.equal(response.status, 200);
  assert.equal(text(response), "inner");
  assert.deepEqual(outcomes, ["refused", "sent"]);
});

test("headers: pairs that change after send has returned change nothing", async () => {
  const { client } = await serve(async (_scope, _receive, send) => {
    const value = bytesOf("before");
    const headers: [string, Uint8Array][] = [["x-value", value]];
    const sent = send({ type: "http.response.start", status: 200, headers });
    value.fill(0x0a);
    headers.push(["x-more", value]);
    await sent;
    await send(body("ok"));
  });
  assert.deepEqual(only(client).fields[0], ["x-value", "before"]);
});

// ---- errors ----------------------------------------------------------------------------------------------------

const unprintable = Object.create(null) as unknown;
const strange = new Error("strange");
Object.defineProperty(strange, "stack", { value: 5 });
const hostile = new Error("hostile");
Object.defineProperty(hostile, "stack", {
  get() {
    throw new Error("no stack for you");
  },
});
const THROWN: readonly (readonly [name: string, error: unknown])[] = [
  ["an Error", new Error("plain")],
  ["null", null],
  ["undefined", undefined],
  ["a string", "text"],
  ["a symbol", Symbol("s")],
  ["an object without a string form", unprintable],
  ["an Error whose stack is a number", strange],
  ["an Error whose stack throws", hostile],
];
for (const [name, error] of THROWN) {
  for (const [when, app] of [
    ["at once", () => Promise.reject(error)],
    [
      "synchronously",
      () => {
        throw error;
      },
    ],
    [
      "behind its response",
      async (_scope: unknown, _receive: unknown, send: Send) => {
        await send(START);
        await send(body("ok"));
        throw error;
      },
    ],
  ] as const) {
    test(`throwing ${name} ${when} ends in one log entry and harms nobody else`, async () => {
      const { wired, client } = await serve(app as Application);
      assert.equal(only(client).status, when === "behind its response" ? 200 : 500);
      assert.ok(wired.logs("error").length >= (error === undefined && when === "behind its response" ? 0 : 1));
      assert.equal(wired.context.inFlight, 0);
    });
  }
}

test("a log line of an application's error holds no control characters of the path", async () => {
  const { wired } = await serve(() => {
    throw "x";
  }, "GET /%1b[31m%0d%0a%C2%9B31m%E2%80%A8x HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(wired.logs("error").length, 1);
  const [line] = wired.logs("error")[0].split("\n");
  assert.match(line, /^[\x20-\x7e]+$/);
});

// biome-ignore lint/suspicious/noThenProperty: no thenable
const ODD_RETURNS: readonly unknown[] = [5, "done", { then: 5 }, Object.create(null), [], null, Symbol("s")];
for (const value of ODD_RETURNS) {
  test(`an application that returns ${String(Object.prototype.toString.call(value))} without answering: 500`, async () => {
    const { client, wired } = await serve((() => value) as unknown as Application);
    assert.equal(only(client).status, 500);
    assert.equal(wired.context.inFlight, 0);
  });
}

test("a thenable that throws from then is a failed application: 500", async () => {
  const thenable = {
    // biome-ignore lint/suspicious/noThenProperty: the point of the test
    get then(): never {
      throw new Error("then");
    },
  };
  const { client, wired } = await serve((() => thenable) as unknown as Application);
  assert.equal(only(client).status, 500);
  assert.equal(wired.context.inFlight, 0);
});

test("an application that answers synchronously without promises is served", async () => {
  const { client } = await serve((_scope, _receive, send) => {
    void send(START);
    void send(body("sync"));
  });
  assert.equal(text(only(client)), "sync");
});

test("sends that are not awaited leave in order; a refused one among them is reported", async () => {
  const { client, wired } = await serve(async (_scope, _receive, send) => {
    void send(START);
    for (const part of ["a", "b", "c"]) void send(body(part, true));
    void send({ type: "http.response.start", status: 200 });
  });
  assert.equal(client.socket.ending, "reset", "the response is incomplete");
  assert.match(wired.logs("error").join(), /only http\.response\.body may follow/);
});

// ---- what an application keeps and sends later -----------------------------------------------------------------

test("a body array that is emptied while send waits never makes a corrupt chunk", async () => {
  const wired = new Wired(async (_scope, _receive, send) => {
    await send(START);
    const large = new Uint8Array(200_000).fill(0x61);
    const sent = send({ type: "http.response.body", body: large });
    structuredClone(large.buffer, { transfer: [large.buffer] });
    await sent;
  });
  const client = wired.connect();
  client.socket.take = (offered) => Math.min(offered, 1000);
  await client.send(GET);
  await client.socket.drain();
  assert.equal(client.socket.ending, "reset");
  assert.match(wired.logs("error").join(), /changed/);
});

for (const size of [1, 100, 16_383, 16_384, 65_535, 65_536, 65_537, 300_000]) {
  test(`a body of ${size} bytes may be overwritten once send has resolved`, async () => {
    const part = new Uint8Array(size);
    const wired = new Wired(async (_scope, _receive, send) => {
      await send(START);
      for (const byte of [0x61, 0x62, 0x63]) {
        part.fill(byte);
        await send({ type: "http.response.body", body: part, more_body: true });
      }
      part.fill(0x64);
      await send({ type: "http.response.body", body: bytesOf("!") });
    });
    const client = wired.connect();
    client.socket.take = (offered) => Math.min(offered, 7001);
    await client.send(GET);
    await client.socket.drain();
    const expected = `${["a", "b", "c"].map((char) => char.repeat(size)).join("")}!`;
    assert.equal(text(only(client)) === expected, true);
  });
}

for (const fill of [60_000, 65_400, 65_520, 65_530]) {
  test(`trailers behind ${fill} bytes that the client does not take yet wait for room`, async () => {
    const wired = new Wired(async (_scope, _receive, send) => {
      await send({ type: "http.response.start", status: 200, trailers: true });
      await send({ type: "http.response.body", body: new Uint8Array(fill).fill(0x61) });
      await send({ type: "http.response.trailers", headers: [["x-sum", "s".repeat(8000)]] });
    });
    const client = wired.connect();
    let open = false;
    client.socket.take = (offered) => (open ? offered : 0);
    await client.send(GET);
    open = true;
    await client.socket.drain();
    const response = only(client);
    assert.equal(response.body.length, fill);
    assert.deepEqual(response.trailers, [["x-sum", "s".repeat(8000)]]);
    assert.deepEqual(wired.logs("error"), []);
  });
}

test("early hints behind a stuck answer wait for room instead of failing", async () => {
  const wired = new Wired(async (_scope, _receive, send) => {
    for (let i = 0; i < 40; i++) {
      await send({ type: "http.response.early_hint", links: [`</${"s".repeat(4000)}>; rel=preload`] });
      await settle(1);
    }
    await send(START);
    await send(body("ok"));
  });
  const client = wired.connect();
  let open = false;
  client.socket.take = (offered) => (open ? offered : 0);
  await client.send(GET);
  await settle(50);
  open = true;
  for (let i = 0; i < 60; i++) await client.socket.drain();
  const response = only(client);
  assert.equal(response.status, 200);
  assert.equal(response.interim.length, 40);
});

test("receive(): an event that is there is returned at once; one that is not is waited for", async () => {
  const seen: string[] = [];
  const look = async (event: Promise<ReceiveEvent>): Promise<ReceiveEvent> => {
    const first = await Promise.race([event, Promise.resolve("waits")]);
    seen.push(typeof first === "string" ? first : first.type);
    return event;
  };
  const wired = new Wired(async (_scope, receive, send) => {
    let event = await look(receive());
    while (event.type === "http.request" && event.more_body) event = await look(receive());
    await send(START);
    await send(body("done"));
  });
  const client = wired.connect();
  await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha", "lf");
  assert.equal(text(only(client)), "done");
  await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhalf`);
  await client.send(GET);
  // "ha", "lf", the end of the body; "half" with its end; no body.
  assert.deepEqual(seen, ["http.request", "waits", "http.request", "http.request", "http.request"]);
});

test("receive() twice at once: each event goes to one of them, in order", async () => {
  const events: ReceiveEvent[][] = [];
  const wired = new Wired(async (_scope, receive, send) => {
    events.push(await Promise.all([receive(), receive(), receive()]));
    await send(START);
    await send(body("ok"));
  });
  const client = wired.connect();
  await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", "a", "b");
  await client.send("cd");
  const bodies = (events[0] as HttpReceiveEvent[]).map((event) =>
    event.type === "http.request" ? `${Buffer.from(event.body)}${event.more_body}` : event.type,
  );
  assert.deepEqual(bodies, ["atrue", "btrue", "cdtrue"]);
});

test("an application may do what it likes with its scope: log and answer go by the request", async () => {
  const { client, wired } = await serve(async (scope, _receive, send) => {
    for (const key of Object.keys(scope)) Reflect.deleteProperty(scope, key);
    await send(START);
    await send(body("ok"));
  }, "HEAD /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(only(client, "HEAD").status, 200);
  assert.deepEqual(wired.accessed, ["192.0.2.7 HEAD /x?y=1 1.1 200"]);
  const failing = await serve(async (scope) => {
    for (const key of Object.keys(scope)) Reflect.deleteProperty(scope, key);
  }, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(parseResponse(failing.client.socket.bytes, 0, "HEAD", true)?.response.status, 500);
});

test("a debug event that JSON can't tell is no error of the application's", async () => {
  const wired = new Wired(
    async (_scope, _receive, send) => {
      const info: Record<string, unknown> = { big: 1n };
      info.self = info;
      await send({ type: "http.response.debug", info });
      await send(START);
      await send(body("ok"));
    },
    { debug: true },
  );
  const client = wired.connect();
  await client.send(GET);
  assert.equal(text(only(client)), "ok");
});

// ---- nobody's context reaches another --------------------------------------------------------------------------

for (const way of ["run", "enterWith"] as const) {
  for (const pace of ["sends without awaiting", "awaits its sends", "suspends"]) {
    test(`AsyncLocalStorage.${way} of a pipelined request that ${pace} is not seen by the next`, async () => {
      const storage = new AsyncLocalStorage<string>();
      const seen: (string | undefined)[] = [];
      const inner: Application = async (_scope, _receive, send) => {
        if (pace === "suspends") await settle(1);
        const started = send(START);
        if (pace !== "sends without awaiting") await started;
        await send(body("ok"));
      };
      const wired = new Wired(async (scope, receive, send) => {
        seen.push(storage.getStore());
        if (way === "run") await storage.run("leak", () => inner(scope, receive, send));
        else {
          storage.enterWith("leak");
          await inner(scope, receive, send);
        }
      });
      const client = wired.connect();
      await client.send(GET + GET + GET);
      await settle(20);
      assert.deepEqual(seen, [undefined, undefined, undefined]);
    });
  }
}
