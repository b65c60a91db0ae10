/** Pipelining: answers in order, in few writes, none held back by a later one. RFC 9112 section 9.3.2. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient, request } from "../harness/raw.ts";
import { text } from "../harness/response.ts";
import { onEach, sharedServer, testApp, withServer } from "../harness/server.ts";

function get(target: string, fields = ""): string {
  return `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
}

/** Sixteen small answers fit into one segment on loopback; a write per answer would show as many reads. */
const MOST_READS = 3;

onEach((runtime) => {
  const shared = sharedServer(runtime, testApp("contract.ts"));

  test(`${runtime}: a hundred requests in one write are answered in order`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send(Array.from({ length: 100 }, (_, i) => get(`/status?body=n${i}`)).join(""));
    for (let i = 0; i < 100; i++) assert.equal(text(await client.response()), `n${i}`);
    client.close();
  });

  test(`${runtime}: requests with bodies of both framings between others`, async () => {
    const client = await RawClient.connect((await shared()).address);
    const sized = (body: string) => `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const chunked = (body: string) =>
      `POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const bytes =
      sized("one") + chunked("two") + get("/") + sized("") + chunked("three") + get("/stream") + sized("four");
    const expected = ["one", "two", "hello", "", "three", "aaaaaaaaaaaa", "four"];
    await client.send(bytes);
    for (const body of expected) assert.equal(text(await client.response()), body);
    await client.send(...bytes);
    for (const body of expected) assert.equal(text(await client.response()), body);
    client.close();
  });

  for (const target of ["/", "/sync"]) {
    test(`${runtime}: sixteen answers of ${target} leave in as few writes as possible`, async () => {
      const client = await RawClient.connect((await shared()).address);
      await client.send(get("/"));
      await client.response();
      let reads = 0;
      client.socket.on("data", () => reads++);
      await client.send(get(target).repeat(16));
      for (let i = 0; i < 16; i++) assert.equal((await client.response()).status, 200);
      assert.ok(reads <= MOST_READS, `${reads} reads`);
      client.close();
    });
  }

  test(`${runtime}: a slow answer does not hold back those finished before it`, async () => {
    const server = await shared();
    const gate = `slow-${runtime}`;
    const client = await RawClient.connect(server.address);
    await client.send(get("/") + get("/sync") + get(`/gated?g=${gate}`) + get("/status?body=behind"));
    assert.equal(text(await client.response()), "hello");
    assert.equal(text(await client.response()), "sync");
    assert.equal(client.unparsed(), "");
    await request(server.address, `/open?g=${gate}`);
    assert.equal(text(await client.response()), "gated");
    assert.equal(text(await client.response()), "behind");
    client.close();
  });

  test(`${runtime}: what a streamed answer has sent leaves while the rest is awaited`, async () => {
    const server = await shared();
    const gate = `streamed-${runtime}`;
    const client = await RawClient.connect(server.address);
    await client.send(get(`/stream-gated?g=${gate}`) + get("/"));
    await client.sees("first,");
    await request(server.address, `/open?g=${gate}`);
    assert.equal(text(await client.response()), "first,last");
    assert.equal(text(await client.response()), "hello");
    client.close();
  });

  test(`${runtime}: a thousand requests queued behind a slow one are all answered`, async () => {
    const server = await shared();
    const gate = `queue-${runtime}`;
    const client = await RawClient.connect(server.address);
    await client.send(get(`/gated?g=${gate}`));
    for (let i = 0; i < 10; i++) {
      await client.send(Array.from({ length: 100 }, (_, j) => get(`/status?body=q${i * 100 + j}`)).join(""));
    }
    await request(server.address, `/open?g=${gate}`);
    assert.equal(text(await client.response()), "gated");
    for (let i = 0; i < 1000; i++) assert.equal(text(await client.response()), `q${i}`);
    client.close();
  });

  test(`${runtime}: a queue limit pauses reading and loses nothing`, async () => {
    const args = ["--limit-pipelined", "2", "--limit-pipelined-bytes", "200"];
    await withServer(runtime, testApp("contract.ts"), args, async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send(get("/gated?g=limited"));
      for (let i = 0; i < 50; i++) await client.send(get(`/status?body=l${i}`));
      await request(server.address, "/open?g=limited");
      assert.equal(text(await client.response()), "gated");
      for (let i = 0; i < 50; i++) assert.equal(text(await client.response()), `l${i}`);
      client.close();
    });
  });

  test(`${runtime}: nothing behind a request with Connection: close is served`, async () => {
    const server = await shared();
    const client = await RawClient.connect(server.address);
    await client.send(get("/", "Connection: close\r\n") + get(`/?t=behind-close-${runtime}`));
    assert.equal(text(await client.response()), "hello");
    assert.equal(await client.ended(), "fin");
    assert.equal(client.unparsed(), "");
    assert.equal(text(await request(server.address, `/seen?of=behind-close-${runtime}`)), "[]");
  });

  test(`${runtime}: good requests before a bad one are answered first, also when they are slow`, async () => {
    const server = await shared();
    const gate = `bad-behind-${runtime}`;
    const client = await RawClient.connect(server.address);
    await client.send(`${get("/")}${get(`/gated?g=${gate}`)}BAD\r\n\r\n${get("/")}`);
    assert.equal(text(await client.response()), "hello");
    await request(server.address, `/open?g=${gate}`);
    assert.equal(text(await client.response()), "gated");
    assert.equal((await client.response()).status, 400);
    assert.equal(await client.ended(), "fin");
    assert.equal(client.unparsed(), "");
  });

  test(`${runtime}: an unread body is skipped, or the connection closed: never parsed as a request`, async () => {
    const server = await shared();
    const client = await RawClient.connect(server.address);
    const body = get(`/?t=in-body-${runtime}`);
    await client.send(`POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}${get("/")}`);
    assert.equal(text(await client.response()), "not read");
    const next = await client.response().catch(() => undefined);
    if (next !== undefined) assert.equal(text(next), "hello");
    assert.equal(text(await request(server.address, `/seen?of=in-body-${runtime}`)), "[]");
    client.close();
  });

  for (const [name, first] of [
    ["no body", get("/")],
    ["a sized body that its app did not read", "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nsecret"],
    [
      "a chunked body that its app did not read",
      "POST /unread HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecret\r\n0\r\n\r\n",
    ],
  ]) {
    test(`${runtime}: behind a request with ${name}, a body in the same read is its own`, async () => {
      const client = await RawClient.connect((await shared()).address);
      for (const body of [
        "Content-Length: 4\r\n\r\nmine",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n",
      ]) {
        await client.send(`${first}POST /echo HTTP/1.1\r\nHost: a\r\n${body}`);
        assert.equal((await client.response()).status, 200);
        assert.equal(text(await client.response()), "mine");
      }
      client.close();
    });
  }

  test(`${runtime}: requests on one connection do not share state or context`, async () => {
    const server = await shared();
    const client = await RawClient.connect(server.address);
    await client.send(get("/state") + get("/state") + get("/state"));
    const marks = [await client.response(), await client.response(), await client.response()].map(text);
    assert.deepEqual(marks, Array(3).fill('{"mark":"set at startup"}'));
    const gate = `context-${runtime}`;
    await client.send(get(`/context?id=A&g=${gate}&t=${gate}`) + get("/leftover") + get("/leftover"));
    const other = await RawClient.connect(server.address);
    await other.send(get(`/context?id=B&g=${gate}&t=${gate}`));
    await request(server.address, `/open?g=${gate}`);
    assert.equal(text(await client.response()), "A A");
    assert.equal(text(await client.response()), "undefined");
    assert.equal(text(await client.response()), "undefined");
    assert.equal(text(await other.response()), "B B");
    await request(server.address, `/open?g=${gate}-behind`);
    const notes = text(await request(server.address, `/await?of=${gate}&what=behind: B`.replace(": ", "%3A%20")));
    assert.ok(notes.includes("behind: A") && notes.includes("behind: B"), notes);
    client.close();
    other.close();
  });
});
