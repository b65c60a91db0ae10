/**
 * Timeouts. Each is set small by its option; a test waits for what the timeout causes and never measures how long it
 * took. Where nothing may happen, the test lets several times the timeout pass and then shows that all is well.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient, request } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { onEach, sharedServer, testApp } from "../harness/server.ts";
import { pause } from "../harness/wait.ts";

const APP = testApp("contract.ts");
const SHORT_S = "0.3";
/** Several times the timeout under test. */
const LONGER_MS = 1200;
const TRICKLE_MS = 40;

/** Sends one byte again and again until the server answers or ends the connection. */
async function trickle(client: RawClient, byte: string): Promise<void> {
  while (client.unparsed() === "" && client.endedAs === undefined) {
    await client.send(byte);
    await pause(TRICKLE_MS);
  }
}

onEach((runtime) => {
  const header = sharedServer(runtime, APP, ["--timeout-header", SHORT_S]);
  const body = sharedServer(runtime, APP, ["--timeout-body", SHORT_S]);
  const keepAlive = sharedServer(runtime, APP, ["--timeout-keep-alive", SHORT_S]);
  const writes = sharedServer(runtime, APP, ["--timeout-write", SHORT_S]);

  for (const [name, start] of [
    ["in the request line", "GET /"],
    ["in a field line", "GET / HTTP/1.1\r\nHost: a\r\nX: "],
    ["after an empty line", "\r\n"],
  ]) {
    test(`${runtime}: a head that stops ${name} is 408`, async () => {
      const client = await RawClient.connect((await header()).address);
      await client.send(start);
      const response = await client.response();
      assert.equal(response.status, 408);
      assert.equal(field(response, "connection")?.toLowerCase(), "close");
      assert.equal(await client.ended(), "fin");
      assert.equal(client.unparsed(), "");
    });
  }

  test(`${runtime}: each byte of a head does not start the time anew`, async () => {
    const client = await RawClient.connect((await header()).address);
    await client.send("GET /?");
    await trickle(client, "x");
    assert.equal((await client.response()).status, 408);
    assert.equal(await client.ended(), "fin");
  });

  test(`${runtime}: the header time counts for the second request of a connection too`, async () => {
    const client = await RawClient.connect((await header()).address);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT");
    assert.equal(text(await client.response()), "hello");
    assert.equal((await client.response()).status, 408);
    assert.equal(await client.ended(), "fin");
  });

  test(`${runtime}: a slow app is no slow head`, async () => {
    const server = await header();
    const client = await RawClient.connect(server.address);
    await client.send(`GET /gated?g=slow-${runtime} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await pause(LONGER_MS);
    await request(server.address, `/open?g=slow-${runtime}`);
    assert.equal(text(await client.response()), "gated");
    client.close();
  });

  test(`${runtime}: an idle connection outlives the header time`, async () => {
    const client = await RawClient.connect((await header()).address);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.response();
    await pause(LONGER_MS);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(text(await client.response()), "hello");
    client.close();
  });

  test(`${runtime}: a connection that never sends a byte is closed without an answer`, async () => {
    const client = await RawClient.connect((await header()).address);
    assert.equal(await client.ended(), "fin");
    assert.equal(client.unparsed(), "");
  });

  test(`${runtime}: an idle keep-alive is closed without a word`, async () => {
    const client = await RawClient.connect((await keepAlive()).address);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(text(await client.response()), "hello");
    assert.equal(await client.ended(), "fin");
    assert.equal(client.unparsed(), "");
  });

  test(`${runtime}: a connection with a request in the app is not idle`, async () => {
    const server = await keepAlive();
    const client = await RawClient.connect(server.address);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.response();
    await client.send(`GET /stream-gated?g=idle-${runtime} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.sees("first,");
    await pause(LONGER_MS);
    await request(server.address, `/open?g=idle-${runtime}`);
    assert.equal(text(await client.response()), "first,last");
    client.close();
  });

  for (const [name, framing, part] of [
    ["sized", "Content-Length: 10", "abc"],
    ["chunked", "Transfer-Encoding: chunked", "5\r\nab"],
  ]) {
    test(`${runtime}: a ${name} body that stops is a disconnect and 408`, async () => {
      const server = await body();
      const token = `stops-${name}-${runtime}`;
      const client = await RawClient.connect(server.address);
      await client.send(`POST /sink?t=${token} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${part}`);
      const response = await client.response();
      assert.equal(response.status, 408);
      assert.equal(field(response, "connection")?.toLowerCase(), "close");
      assert.equal(await client.ended(), "fin");
      await request(server.address, `/await?of=${token}&what=disconnect`);
    });
  }

  test(`${runtime}: a body that trickles is not inactive`, async () => {
    const client = await RawClient.connect((await body()).address);
    await client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 25\r\n\r\n");
    for (let i = 0; i < 25; i++) {
      await client.send("x");
      await pause(TRICKLE_MS);
    }
    assert.equal(text(await client.response()), "x".repeat(25));
    client.close();
  });

  test(`${runtime}: an app that does not read is no inactive client`, async () => {
    const server = await body();
    const gate = `unread-${runtime}`;
    const size = 3_000_000;
    const client = await RawClient.connect(server.address);
    await client.send(`POST /late-read?g=${gate}&t=${gate} HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    client.socket.write(Buffer.alloc(size, "x"));
    await request(server.address, `/await?of=${gate}&what=called`);
    await pause(LONGER_MS);
    await request(server.address, `/open?g=${gate}`);
    assert.equal(text(await client.response()), String(size));
    client.close();
  });

  test(`${runtime}: a client that takes nothing of its answer is given up`, async () => {
    const server = await writes();
    const token = `stuck-${runtime}`;
    const client = await RawClient.connect(server.address);
    client.socket.pause();
    await client.send(`GET /download?mb=200&t=${token} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await request(server.address, `/await?of=${token}&what=refused`);
    client.close();
  });
});
