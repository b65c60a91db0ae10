/**
 * Applications that break ASGI's rules: each harms only its own request, is told what it did, and never puts a corrupt
 * or split message on the wire: 500 when nothing has been sent, else the message is visibly cut short.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BAD_FIELD_NAMES } from "../apps/misbehave.ts";
import { RawClient, request } from "../harness/raw.ts";
import { field, parseResponse, text } from "../harness/response.ts";
import { onEach, type RuntimeName, type Server, sharedServer, testApp } from "../harness/server.ts";

const GET = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Nothing is sent of these: the answer is 500. */
const BEFORE_THE_WIRE = [
  ...BAD_FIELD_NAMES,
  "throw-before",
  "throw-after-start",
  "throw-nothing",
  "never",
  "only-start",
  "start-twice",
  "body-first",
  "long",
  "unknown-event",
  "no-type",
  "null-event",
  "status-text",
  "status-99",
  "status-101",
  "status-600",
  "body-text",
  "headers-number",
  "websocket-event",
  "hint-crlf",
  "pathsend-missing",
  "pathsend-relative",
];
/** These return or throw without a refused event. */
const WITHOUT_REFUSAL = new Set(["throw-before", "throw-after-start", "throw-nothing", "never", "only-start"]);
/** Complete answers whose app goes wrong behind them. */
const BEHIND_THE_ANSWER: readonly [name: string, body: string][] = [
  ["throw-after", "answered"],
  ["twice", "first"],
  ["body-twice", "first"],
  ["trailers-unannounced", "x"],
];
/** A part is on the wire already: the message must not look whole. */
const IN_THE_MIDDLE = ["throw-mid", "throw-mid-sized", "unfinished", "long-late"];

function wellAfterwards(server: Server): Promise<void> {
  return request(server.address, "/").then((response) => assert.equal(text(response), "hello"));
}

function register(runtime: RuntimeName, shared: () => Promise<Server>): void {
  for (const name of BEFORE_THE_WIRE) {
    test(`${runtime}: ${name}: 500, nothing injected, the error told to the app`, async () => {
      const server = await shared();
      const token = `${name}-${runtime}`;
      const client = await RawClient.connect(server.address);
      await client.send(GET(`/bad/${name}?t=${token}`));
      const response = await client.response();
      assert.equal(response.status, 500);
      assert.equal(field(response, "injected"), undefined);
      assert.equal(field(response, "x-bad"), undefined);
      assert.ok(!/at .*\.ts:\d+/.test(text(response)), "no stack trace for the peer");
      if (!WITHOUT_REFUSAL.has(name)) {
        const notes = text(await request(server.address, `/seen?of=${token}`));
        assert.match(notes, /refused [^:"]*: [^"]{8,}/, "a clear error to the app");
      }
      client.close();
      await wellAfterwards(server);
    });
  }

  for (const [name, body] of BEHIND_THE_ANSWER) {
    test(`${runtime}: ${name}: the answer is whole, the rest refused, the connection unharmed`, async () => {
      const server = await shared();
      const client = await RawClient.connect(server.address);
      await client.send(GET(`/bad/${name}?t=${name}-${runtime}`));
      assert.equal(text(await client.response()), body);
      if (name !== "throw-after") await request(server.address, `/await?of=${name}-${runtime}&what=refused`);
      await client.send(GET("/"));
      const next = await client.response().catch(() => undefined);
      if (next !== undefined) assert.equal(text(next), "hello");
      client.close();
      await wellAfterwards(server);
    });
  }

  for (const name of IN_THE_MIDDLE) {
    test(`${runtime}: ${name}: the message is cut short, never made to look whole`, async () => {
      const server = await shared();
      const client = await RawClient.connect(server.address);
      await client.send(GET(`/bad/${name}?t=${name}-${runtime}`) + GET("/"));
      const ending = await client.ended();
      const wire = Buffer.from(await client.all(), "latin1");
      assert.ok(!wire.includes("hello"), "nothing follows on this connection");
      if (wire.length > 0) assert.throws(() => parseResponse(wire, 0, "GET", true), /cut short/);
      if (runtime === "bun") assert.equal(ending, "reset");
      await wellAfterwards(server);
    });
  }

  test(`${runtime}: a body shorter than its Content-Length never looks whole`, async () => {
    const server = await shared();
    const client = await RawClient.connect(server.address);
    await client.send(GET(`/bad/short?t=short-${runtime}`));
    await client.ended().catch(() => undefined);
    const wire = Buffer.from(await client.all(), "latin1");
    if (wire.length > 0) {
      const parsed = (() => {
        try {
          return parseResponse(wire, 0, "GET", true);
        } catch {
          return undefined;
        }
      })();
      if (parsed !== undefined) assert.equal(parsed.response.status, 500);
    }
    await wellAfterwards(server);
  });

  test(`${runtime}: an HTTP/1.0 answer that fails in the middle is reset where the runtime can`, async () => {
    const server = await shared();
    const client = await RawClient.connect(server.address);
    await client.send("GET /bad/throw-mid HTTP/1.0\r\n\r\n");
    const ending = await client.ended();
    if (runtime === "bun") assert.equal(ending, "reset");
    await wellAfterwards(server);
  });

  test(`${runtime}: hint-late is refused and the answer unharmed or 500`, async () => {
    const server = await shared();
    const response = await request(server.address, `/bad/hint-late?t=hint-late-${runtime}`);
    assert.equal(response.status, 500);
    assert.deepEqual(response.interim, []);
  });

  test(`${runtime}: an app that goes on after the disconnect is refused, alone`, async () => {
    const server = await shared();
    const token = `after-${runtime}`;
    const client = await RawClient.connect(server.address);
    await client.send(GET(`/bad/after-disconnect?t=${token}&g=${token}`));
    await client.sees("some");
    client.reset();
    await request(server.address, `/await?of=${token}&what=disconnect`);
    await request(server.address, `/open?g=${token}`);
    const notes = text(await request(server.address, `/await?of=${token}&what=refused`));
    assert.match(notes, /disconnect/i);
    await wellAfterwards(server);
  });

  test(`${runtime}: events sent without awaiting arrive in order`, async () => {
    const server = await shared();
    const response = await request(server.address, "/bad/unawaited");
    assert.equal(text(response), `${"piece,".repeat(100)}end`);
  });

  test(`${runtime}: one request that fails leaves others in flight alone`, async () => {
    const server = await shared();
    const gate = `alone-${runtime}`;
    const waiting = await RawClient.connect(server.address);
    await waiting.send(GET(`/stream-gated?g=${gate}`));
    await waiting.sees("first,");
    for (const name of ["throw-before", "throw-mid", "never", "short", "crlf-in-value"]) {
      const client = await RawClient.connect(server.address);
      await client.send(GET(`/bad/${name}`));
      await Promise.race([client.response().catch(() => undefined), client.ended()]);
      client.close();
    }
    await request(server.address, `/open?g=${gate}`);
    assert.equal(text(await waiting.response()), "first,last");
    waiting.close();
  });

  test(`${runtime}: the log tells what the app threw`, async () => {
    const server = await shared();
    await request(server.address, "/bad/throw-before");
    await server.sees(/thrown before the start/);
  });
}

onEach((runtime) => {
  register(runtime, sharedServer(runtime, testApp("contract.ts"), ["--no-access-log"]));
});
