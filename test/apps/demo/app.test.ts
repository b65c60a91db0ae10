/** The demo app called as a plain function: every route, method and way to end, without a server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import demo, { DEFAULT_STREAM_CHUNKS } from "../../../src/apps/demo/app.ts";
import type { HttpScope, LifespanScope, ReceiveEvent, SendEvent, WebSocketScope } from "../../../src/asgi/types.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function scopeOf(
  method: string,
  path: string,
  more: Partial<HttpScope> & { fields?: Record<string, string> } = {},
): HttpScope {
  const { fields = {}, ...rest } = more;
  const query = path.indexOf("?");
  const bare = query < 0 ? path : path.slice(0, query);
  return {
    type: "http",
    asgi: { version: "3.0", spec_version: "2.5" },
    http_version: "1.1",
    method,
    scheme: "http",
    path: bare,
    raw_path: encoder.encode(bare),
    query_string: encoder.encode(query < 0 ? "" : path.slice(query + 1)),
    root_path: "",
    headers: Object.entries(fields).map(([name, value]) => [encoder.encode(name), encoder.encode(value)] as const),
    client: ["127.0.0.1", 50_000],
    server: ["127.0.0.1", 8000],
    state: {},
    extensions: {},
    ...rest,
  };
}

/** Plays the server's part: hands out `incoming`, then waits for `disconnect()`; keeps what the app sends. */
class FakeServer {
  readonly sent: SendEvent[] = [];
  readonly #incoming: ReceiveEvent[];
  #disconnected = false;
  #wake: (() => void) | undefined;
  onSend: ((event: SendEvent) => void) | undefined;

  constructor(incoming: ReceiveEvent[] = [{ type: "http.request", body: new Uint8Array(0), more_body: false }]) {
    this.#incoming = [...incoming];
  }

  readonly receive = async (): Promise<ReceiveEvent> => {
    const next = this.#incoming.shift();
    if (next !== undefined) return next;
    if (!this.#disconnected) await new Promise<void>((resolve) => (this.#wake = resolve));
    return { type: "http.disconnect" };
  };

  readonly send = async (event: SendEvent): Promise<void> => {
    this.sent.push(event);
    this.onSend?.(event);
  };

  disconnect(): void {
    this.#disconnected = true;
    this.#wake?.();
  }

  start(): { status: number; headers: Map<string, string> } {
    const event = this.sent[0];
    assert.equal(event?.type, "http.response.start");
    const headers = new Map<string, string>();
    for (const [name, value] of event.headers ?? []) headers.set(String(name), String(value));
    return { status: event.status, headers };
  }

  bodies(): { text: string; more: boolean }[] {
    return this.sent
      .filter((event) => event.type === "http.response.body")
      .map((event) => ({ text: decoder.decode(event.body), more: event.more_body ?? false }));
  }

  text(): string {
    return this.bodies()
      .map((body) => body.text)
      .join("");
  }
}

async function run(scope: HttpScope, incoming?: ReceiveEvent[]): Promise<FakeServer> {
  const server = new FakeServer(incoming);
  await demo(scope, server.receive, server.send);
  return server;
}

test("demo: / answers one line of text to what is no browser", async () => {
  const server = await run(scopeOf("GET", "/", { fields: { accept: "*/*" } }));
  assert.equal(server.start().status, 200);
  assert.match(server.text(), /^Hello from Ringcorn on (Bun|Deno)\/[\d.]+\..*\n$/);
  assert.equal(server.start().headers.get("content-length"), String(server.text().length));
  assert.equal(server.start().headers.get("vary"), "accept");
});

test("demo: / answers the page to a browser, with a policy that names its style and script", async () => {
  const server = await run(scopeOf("GET", "/", { fields: { accept: "text/html,*/*;q=0.8", host: "localhost:8000" } }));
  const { headers } = server.start();
  const html = server.text();
  assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(headers.get("content-length"), String(encoder.encode(html).length));
  const policy = headers.get("content-security-policy") ?? "";
  for (const element of ["style", "script"]) {
    const inline = new RegExp(`<${element}>([^]*?)</${element}>`).exec(html)?.[1] ?? assert.fail(`no ${element}`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(inline)));
    assert.ok(policy.includes(`${element}-src 'sha256-${btoa(String.fromCharCode(...digest))}'`), policy);
  }
  assert.doesNotMatch(policy, /unsafe/);
});

test("demo: the page loads nothing from elsewhere and carries no inline style or handler", async () => {
  const html = (await run(scopeOf("GET", "/", { fields: { accept: "text/html" } }))).text();
  assert.doesNotMatch(html, /<(?:script|img|iframe)[^>]+src=|<link(?! rel="icon" href="data:)/);
  assert.doesNotMatch(html, /<[^>]+\s(?:style|on[a-z]+)=/);
});

test("demo: the page escapes what the request brings", async () => {
  const evil = `"><script>alert(1)</script>`;
  const fields = { accept: "text/html", host: evil };
  const html = (await run(scopeOf("GET", "/", { fields, root_path: "" }))).text();
  assert.ok(!html.includes(evil));
  assert.equal(html.match(/<script>/g)?.length, 1);
});

test("demo: a mounted page calls its routes below the root path", async () => {
  const mounted = { root_path: "/demo", fields: { accept: "text/html", host: "example.com" } };
  const html = (await run(scopeOf("GET", "/demo/", mounted))).text();
  assert.match(html, /<body data-root="\/demo">/);
  assert.match(html, /curl http:\/\/example\.com\/demo\/json/);
  assert.equal((await run(scopeOf("GET", "/demo", mounted))).start().status, 200);
  assert.equal((await run(scopeOf("GET", "/demo/json", mounted))).start().status, 200);
});

for (const path of ["/", "/stream", "/events", "/json", "/nothing"]) {
  test(`demo: HEAD ${path} answers without a body and at once`, async () => {
    const server = await run(scopeOf("HEAD", path));
    assert.equal(server.text(), "");
    assert.equal(server.bodies().at(-1)?.more, false);
  });
}

test("demo: /echo sends each part on before the next is asked for", async () => {
  const part = (text: string, more_body: boolean): ReceiveEvent => ({
    type: "http.request",
    body: encoder.encode(text),
    more_body,
  });
  const order: string[] = [];
  const server = new FakeServer([part("ab", true), part("", true), part("c", false)]);
  server.onSend = (event) => order.push(event.type === "http.response.body" ? "send" : event.type);
  const receive = async (): Promise<ReceiveEvent> => {
    order.push("receive");
    return server.receive();
  };
  await demo(scopeOf("POST", "/echo", { fields: { "content-type": "text/x-own" } }), receive, server.send);
  assert.deepEqual(order, ["receive", "http.response.start", "send", "receive", "send", "receive", "send"]);
  assert.equal(server.text(), "abc");
  assert.equal(server.start().headers.get("content-type"), "text/x-own");
  assert.equal(server.start().headers.has("content-length"), false);
});

test("demo: /echo keeps the length that the client announced", async () => {
  const body: ReceiveEvent = { type: "http.request", body: encoder.encode("hello"), more_body: false };
  const server = await run(scopeOf("PUT", "/echo", { fields: { "content-length": "5" } }), [body]);
  assert.equal(server.start().headers.get("content-length"), "5");
  assert.equal(server.start().headers.get("content-type"), "application/octet-stream");
});

test("demo: /echo leaves its answer unfinished when the client goes inside the body", async () => {
  const half: ReceiveEvent = { type: "http.request", body: encoder.encode("half"), more_body: true };
  const server = await run(scopeOf("POST", "/echo"), [half, { type: "http.disconnect" }]);
  assert.deepEqual(server.bodies(), [{ text: "half", more: true }]);
});

test("demo: no echoed body can act as a page", async () => {
  const fields = { "content-type": "text/html" };
  const { headers } = (await run(scopeOf("POST", "/echo", { fields }))).start();
  assert.equal(headers.get("content-security-policy"), "sandbox; default-src 'none'");
  assert.equal(headers.get("x-content-type-options"), "nosniff");
});

test("demo: /stream sends as many chunks as the query asks for", async () => {
  const server = await run(scopeOf("GET", "/stream?chunks=3&delay_ms=0"));
  assert.deepEqual(server.bodies(), [
    { text: "chunk 1 of 3\n", more: true },
    { text: "chunk 2 of 3\n", more: true },
    { text: "chunk 3 of 3\n", more: false },
  ]);
});

test("demo: /stream has a count of its own", async () => {
  const server = await run(scopeOf("GET", "/stream?delay_ms=0"));
  assert.equal(server.bodies().length, DEFAULT_STREAM_CHUNKS);
});

for (const query of [
  "chunks=0",
  "chunks=10001",
  "chunks=x",
  "chunks=",
  "delay_ms=-1",
  "delay_ms=10001",
  "delay_ms=1e3",
]) {
  test(`demo: /stream?${query} is 400`, async () => {
    const server = await run(scopeOf("GET", `/stream?${query}`));
    assert.equal(server.start().status, 400);
  });
}

test("demo: /stream sends the rest without pauses once it is told to hurry", async () => {
  const server = new FakeServer();
  // Pauses of ten seconds: only the disconnect can end this in time.
  const done = demo(scopeOf("GET", "/stream?chunks=5&delay_ms=10000"), server.receive, server.send);
  server.onSend = (event) => event.type === "http.response.body" && server.disconnect();
  await done;
  assert.equal(server.bodies().length, 5);
  assert.equal(server.bodies()[4].more, false);
});

test("demo: /stream ends with the error that a gone client makes of sending", async () => {
  const server = new FakeServer();
  let bodies = 0;
  const send = async (event: SendEvent): Promise<void> => {
    if (event.type !== "http.response.body") return;
    if (++bodies === 2) throw new Error("gone");
    server.disconnect();
  };
  const scope = scopeOf("GET", "/stream?chunks=5&delay_ms=10000");
  await assert.rejects(async () => demo(scope, server.receive, send), /gone/);
  assert.equal(bodies, 2);
});

test("demo: /events sends an event at once, and ends at once on disconnect", async () => {
  const server = new FakeServer();
  server.onSend = (event) => event.type === "http.response.body" && server.disconnect();
  await demo(scopeOf("GET", "/events"), server.receive, server.send);
  assert.equal(server.start().headers.get("content-type"), "text/event-stream");
  assert.match(server.bodies()[0].text, /^retry: 2000\nid: 1\ndata: \{"time":"[^\n]+\n\n$/);
  assert.deepEqual(server.bodies()[1], { text: "", more: false });
});

test("demo: /events ends quietly when sending fails after the client has gone", async () => {
  const server = new FakeServer();
  const send = async (event: SendEvent): Promise<void> => {
    if (event.type === "http.response.body" && !event.more_body) throw new Error("gone");
    server.disconnect();
  };
  await demo(scopeOf("GET", "/events"), server.receive, send);
});

test("demo: /json tells the request", async () => {
  const scope = scopeOf("GET", "/json?a=1", { fields: { "x-one": "caf\u00e9" } });
  const server = await run(scope);
  const facts = JSON.parse(server.text());
  assert.equal(facts.method, "GET");
  assert.equal(facts.query_string, "a=1");
  assert.deepEqual(facts.client, ["127.0.0.1", 50_000]);
  assert.equal(facts.headers[0][0], "x-one");
  assert.equal(server.start().headers.get("content-type"), "application/json");
});

test("demo: an unknown path is 404", async () => {
  assert.equal((await run(scopeOf("GET", "/chat"))).start().status, 404);
});

for (const [method, path, allow] of [
  ["POST", "/", "GET, HEAD"],
  ["GET", "/echo", "POST, PUT, PATCH"],
  ["DELETE", "/stream", "GET, HEAD"],
  ["POST", "/events", "GET, HEAD"],
  ["OPTIONS", "/json", "GET, HEAD"],
]) {
  test(`demo: ${method} ${path} is 405 with Allow`, async () => {
    const { status, headers } = (await run(scopeOf(method, path))).start();
    assert.equal(status, 405);
    assert.equal(headers.get("allow"), allow);
  });
}

test("demo: lifespan starts, counts requests in its state, and stops", async () => {
  const scope: LifespanScope = { type: "lifespan", asgi: { version: "3.0", spec_version: "2.0" }, state: {} };
  const events: ReceiveEvent[] = [{ type: "lifespan.startup" }, { type: "lifespan.shutdown" }];
  const sent: string[] = [];
  const receive = async (): Promise<ReceiveEvent> => events.shift() ?? assert.fail("asked too often");
  await demo(scope, receive, async (event) => void sent.push(event.type));
  assert.deepEqual(sent, ["lifespan.startup.complete", "lifespan.shutdown.complete"]);
  // Each request gets a shallow copy, as the specification says: the count is shared all the same.
  await run(scopeOf("GET", "/json", { state: { ...scope.state } }));
  const server = await run(scopeOf("GET", "/json", { state: { ...scope.state } }));
  assert.equal(JSON.parse(server.text()).requests, 2);
});

test("demo: a WebSocket elsewhere is refused", async () => {
  const { method: _, type: __, ...rest } = scopeOf("GET", "/elsewhere");
  const scope: WebSocketScope = { ...rest, type: "websocket", scheme: "ws", http_version: "1.1", subprotocols: [] };
  const sent: SendEvent[] = [];
  await demo(
    scope,
    async () => ({ type: "websocket.connect" }),
    async (event) => void sent.push(event),
  );
  assert.deepEqual(sent, [{ type: "websocket.close", code: 1000 }]);
});

test("demo: what one says in the chat, all hear", async () => {
  const { method: _, type: __, ...rest } = scopeOf("GET", "/chat");
  const scope: WebSocketScope = { ...rest, type: "websocket", scheme: "ws", http_version: "1.1", subprotocols: [] };
  const enter = () => {
    const heard: string[] = [];
    const events: ReceiveEvent[] = [{ type: "websocket.connect" }];
    let wake = () => {};
    const receive = async (): Promise<ReceiveEvent> => {
      while (events.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return events.shift() as ReceiveEvent;
    };
    const left = demo(scope, receive, async (event) => {
      heard.push(event.type === "websocket.send" ? String(event.text) : event.type);
    });
    const gets = (event: ReceiveEvent) => {
      events.push(event);
      wake();
    };
    return { heard, gets, left };
  };
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  const first = enter();
  await turn();
  const second = enter();
  await turn();
  second.gets({ type: "websocket.receive", text: "hello", bytes: null });
  await turn();
  second.gets({ type: "websocket.disconnect", code: 1000, reason: "" });
  await second.left;
  first.gets({ type: "websocket.disconnect", code: 1000, reason: "" });
  await first.left;
  const came = "(someone came; 2 are here)";
  assert.deepEqual(second.heard, ["websocket.accept", came, "hello"]);
  assert.deepEqual(first.heard, [
    "websocket.accept",
    "(someone came; 1 is here)",
    came,
    "hello",
    "(someone left; 1 is here)",
  ]);
});
