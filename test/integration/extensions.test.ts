/** ASGI's HTTP extensions on the wire: trailers, pathsend, early hints, debug. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { RawClient, request } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { onEach, sharedServer, testApp } from "../harness/server.ts";

const folder = mkdtempSync(join(tmpdir(), "ringcorn-pathsend-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const small = join(folder, "small.txt");
const large = join(folder, "large.bin");
const empty = join(folder, "empty");
writeFileSync(small, "from a file");
writeFileSync(large, Buffer.alloc(5_000_000, "0123456789"));
writeFileSync(empty, "");

onEach((runtime) => {
  const shared = sharedServer(runtime, testApp("contract.ts"));

  test(`${runtime}: trailers follow the body`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const response = await client.response();
    assert.equal(text(response), "body");
    assert.deepEqual(response.trailers, [["x-sum", "42"]]);
    assert.equal(text(await client.response()), "hello");
    client.close();
  });

  test(`${runtime}: the request's trailers are kept for the app`, async () => {
    const client = await RawClient.connect((await shared()).address);
    const head = "POST /request-trailers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    await client.send(`${head}2\r\nhi\r\n0\r\nX-Sum: 1\r\nx-b:  two \r\n\r\n`);
    assert.equal(text(await client.response()), '[["x-sum","1"],["x-b","two"]]');
    await client.send(`${head}2\r\nhi\r\n0\r\n\r\n`);
    assert.equal(text(await client.response()), "[]", "none are left over from the request before");
    client.close();
  });

  test(`${runtime}: trailers are dropped for a client that did not ask for them`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET /trailers HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(text(await client.response()), "body");
    assert.equal(text(await client.response()), "hello");
    client.close();
  });

  test(`${runtime}: HEAD with trailers has neither body nor trailers`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("HEAD /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await client.response("HEAD")).status, 200);
    assert.equal(text(await client.response()), "hello");
    client.close();
  });

  for (const [name, path, size] of [
    ["small", small, 11],
    ["large", large, 5_000_000],
    ["empty", empty, 0],
  ] as const) {
    test(`${runtime}: pathsend of a ${name} file`, async () => {
      const client = await RawClient.connect((await shared()).address);
      await client.send(`GET /pathsend?path=${path} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`);
      const response = await client.response();
      assert.equal(response.status, 200);
      assert.equal(response.body.length, size);
      if (name === "small") assert.equal(text(response), "from a file");
      if (name === "large") assert.ok(Buffer.alloc(size, "0123456789").equals(response.body));
      assert.equal(text(await client.response()), "hello");
      client.close();
    });
  }

  test(`${runtime}: pathsend to HEAD and to HTTP/1.0`, async () => {
    const server = await shared();
    const client = await RawClient.connect(server.address);
    await client.send(`HEAD /pathsend?path=${small} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.equal((await client.response("HEAD")).status, 200);
    assert.equal(text(await client.response()), "hello");
    client.close();
    const old = await RawClient.connect(server.address);
    await old.send(`GET /pathsend?path=${small} HTTP/1.0\r\n\r\n`);
    assert.equal(text(await old.response()), "from a file");
  });

  for (const [name, path] of [
    ["a directory", folder],
    ["a missing file", join(folder, "missing")],
  ]) {
    test(`${runtime}: pathsend of ${name} is 500`, async () => {
      assert.equal((await request((await shared()).address, `/pathsend?path=${path}`)).status, 500);
    });
  }

  test(`${runtime}: an early hint is a 103 with Link fields before the answer`, async () => {
    const response = await request((await shared()).address, "/early");
    assert.equal(text(response), "after the hint");
    assert.deepEqual(
      response.interim.map(({ status }) => status),
      [103],
    );
    assert.equal(field(response.interim[0], "link"), "</a.css>; rel=preload, </b.js>; rel=x");
  });

  test(`${runtime}: HTTP/1.0 gets no early hint and no trailers`, async () => {
    const server = await shared();
    const client = await RawClient.connect(server.address);
    await client.send("GET /early HTTP/1.0\r\n\r\n");
    const wire = await client.all();
    assert.ok(!wire.includes("HTTP/1.1 103"), wire);
    const other = await RawClient.connect(server.address);
    await other.send("GET /trailers HTTP/1.0\r\n\r\n");
    assert.equal((await other.response()).status, 501, "not offered in the scope");
  });

  test(`${runtime}: debug events leave no trace on the wire`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET /debug HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const wire = await client.all();
    assert.match(wire, /debugged$/);
    assert.ok(!wire.includes("secret"), wire);
  });
});
