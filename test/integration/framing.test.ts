/**
 * How answers are framed and when connections persist. RFC 9112 sections 6 and 9.3, RFC 9110 sections 6.4 and 6.6.1.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient, request } from "../harness/raw.ts";
import { field, type Response, text } from "../harness/response.ts";
import { onEach, type RuntimeName, type Server, sharedServer, testApp, withServer } from "../harness/server.ts";

type Shared = () => Promise<Server>;
const IMF_DATE =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/;

function connectionOptions(response: Response): string[] {
  return (field(response, "connection") ?? "")
    .toLowerCase()
    .split(",")
    .map((option) => option.trim())
    .filter((option) => option !== "");
}

/** `version` and Connection field of a request, and whether the connection persists behind the answer. */
const PERSISTENCE: readonly [version: string, fields: string, target: string, persists: boolean][] = [
  ["1.1", "", "/", true],
  ["1.1", "Connection: keep-alive\r\n", "/", true],
  ["1.1", "Connection: close\r\n", "/", false],
  ["1.1", "Connection: CLOSE\r\n", "/", false],
  ["1.1", "Connection: x, close\r\n", "/", false],
  ["1.1", "Connection: x\r\nConnection: close\r\n", "/", false],
  ["1.1", "Connection: close, keep-alive\r\n", "/", false],
  ["1.1", "Connection: closed\r\n", "/", true],
  ["1.1", "", "/stream", true],
  ["1.1", "", "/status?h=connection:close&h=content-length:0", false],
  ["1.9", "", "/", true],
  ["1.0", "", "/", false],
  ["1.0", "Connection: close\r\n", "/", false],
  ["1.0", "Connection: keep-alive\r\n", "/", true],
  ["1.0", "Connection: Keep-Alive\r\n", "/", true],
  ["1.0", "Connection: keep-alive, close\r\n", "/", false],
  ["1.0", "Connection: keep-alive\r\n", "/stream", false],
  ["1.0", "", "/stream", false],
];

function persistence(runtime: RuntimeName, shared: Shared): void {
  for (const [version, fields, target, persists] of PERSISTENCE) {
    const asked = fields.trim().replaceAll("\r\n", "; ") || "no Connection";
    test(`${runtime}: HTTP/${version}, ${asked}, ${target}: ${persists ? "stays open" : "closes"}`, async () => {
      const client = await RawClient.connect((await shared()).address);
      const bytes = `GET ${target} HTTP/${version}\r\nHost: a\r\n${fields}\r\n`;
      await client.send(bytes);
      const first = await client.response();
      assert.equal(first.status, 200);
      if (!persists) {
        assert.equal(await client.ended(), "fin");
        assert.equal(client.unparsed(), "");
        if (version !== "1.0") assert.deepEqual(connectionOptions(first), ["close"]);
        else assert.ok(!connectionOptions(first).includes("keep-alive"));
        return;
      }
      if (version === "1.0") assert.deepEqual(connectionOptions(first), ["keep-alive"]);
      else assert.ok(!connectionOptions(first).includes("close"));
      await client.send(bytes);
      assert.equal(text(await client.response()), text(first));
      client.close();
    });
  }
}

function lengths(runtime: RuntimeName, shared: Shared): void {
  test(`${runtime}: the app's Content-Length is kept`, async () => {
    const response = await request((await shared()).address, "/");
    assert.equal(response.framing, "length");
    assert.equal(field(response, "content-length"), "5");
    assert.equal(text(response), "hello");
  });

  test(`${runtime}: chunked is added when the length is unknown`, async () => {
    const response = await request((await shared()).address, "/stream?n=3&size=10");
    assert.equal(response.framing, "chunked");
    assert.equal(text(response), "a".repeat(30));
    assert.deepEqual(response.chunks, [10, 10, 10]);
  });

  test(`${runtime}: empty pieces do not end a chunked body`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET /stream?n=3&size=0 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(text(await client.response()), "");
    assert.equal(text(await client.response()), "hello");
    client.close();
  });

  test(`${runtime}: a whole body in one event has a frame even without Content-Length`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET /status?body=hey HTTP/1.1\r\nHost: a\r\n\r\n");
    const response = await client.response();
    assert.ok(["length", "chunked"].includes(response.framing));
    assert.equal(text(response), "hey");
    client.close();
  });

  test(`${runtime}: a body of unknown length to 1.0 ends with the connection`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET /stream?n=3&size=10 HTTP/1.0\r\n\r\n");
    const response = await client.response();
    assert.equal(response.framing, "close");
    assert.equal(text(response), "a".repeat(30));
    assert.equal(await client.ended(), "fin");
  });

  test(`${runtime}: 1.0 needs no Host`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET / HTTP/1.0\r\n\r\n");
    assert.equal(text(await client.response()), "hello");
  });

  test(`${runtime}: the app's own Transfer-Encoding is not doubled`, async () => {
    const response = await request((await shared()).address, "/status?h=transfer-encoding:chunked&body=hey");
    assert.equal(text(response), "hey");
  });

  test(`${runtime}: one empty line before a request is tolerated`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(text(await client.response()), "hello");
    assert.equal(text(await client.response()), "hello");
    client.close();
  });

  for (const size of [0, 1, 65_535, 65_536, 1_000_000]) {
    test(`${runtime}: echoes ${size} bytes, sized and chunked`, async () => {
      const server = await shared();
      const body = Buffer.alloc(size, "0123456789abcdef");
      const client = await RawClient.connect(server.address);
      await client.send(`POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`, body);
      assert.ok(body.equals((await client.response()).body));
      await client.send("POST /echo-stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
      const half = size >> 1;
      for (const part of [body.subarray(0, half), body.subarray(half)]) {
        if (part.length > 0) await client.send(`${part.length.toString(16)}\r\n`, part, "\r\n");
      }
      await client.send("0\r\n\r\n");
      assert.ok(body.equals((await client.response()).body));
      client.close();
    });
  }

  test(`${runtime}: chunk extensions and trailers are taken`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
      '5;name=value;q="x;y"\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert.equal(text(await client.response()), "hello0123456789");
    assert.equal(text(await client.response()), "hello");
    client.close();
  });

  test(`${runtime}: a request sent byte by byte is understood`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send(
      ..."POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e\r\nhello\r\n0\r\nX: y\r\n\r\n",
    );
    assert.equal(text(await client.response()), "hello");
    client.close();
  });
}

function bodiless(runtime: RuntimeName, shared: Shared): void {
  for (const target of ["/", "/stream", "/status?body=hey", "/download?mb=1"]) {
    test(`${runtime}: HEAD ${target} has no body and the connection goes on`, async () => {
      const client = await RawClient.connect((await shared()).address);
      await client.send(`HEAD ${target} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`);
      const head = await client.response("HEAD");
      assert.equal(head.status, 200);
      if (target === "/") assert.equal(field(head, "content-length"), "5");
      assert.equal(text(await client.response()), "hello");
      client.close();
    });
  }

  for (const [status, extra] of [
    [204, ""],
    [204, "&h=content-length:0"],
    [204, "&h=content-length:3&body=hey"],
    [204, "&body=hey"],
    [304, ""],
    [304, "&h=content-length:3"],
    [304, "&h=content-length:3&body=hey"],
    [304, "&body=hey"],
  ]) {
    test(`${runtime}: ${status} with "${extra}" has no body and the connection goes on`, async () => {
      const client = await RawClient.connect((await shared()).address);
      await client.send(`GET /status?s=${status}${extra} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.equal((await client.response()).status, status);
      assert.equal(text(await client.response()), "hello");
      client.close();
    });
  }

  for (const status of [200, 201, 404, 418, 500, 503, 599]) {
    test(`${runtime}: status ${status} goes out as it is`, async () => {
      const response = await request((await shared()).address, `/status?s=${status}&body=x`);
      assert.equal(response.status, status);
      assert.equal(text(response), "x");
    });
  }
}

function defaultFields(runtime: RuntimeName, shared: Shared): void {
  test(`${runtime}: Date and Server are sent once`, async () => {
    const response = await request((await shared()).address, "/");
    assert.match(field(response, "date") ?? "", IMF_DATE);
    assert.equal(field(response, "server"), "ringcorn");
  });

  test(`${runtime}: the app's Date and Server win, in any case of letters`, async () => {
    const response = await request((await shared()).address, "/status?h=Date:then&h=SERVER:mine&body=x");
    assert.equal(field(response, "date"), "then");
    assert.equal(field(response, "server"), "mine");
  });

  test(`${runtime}: repeated field lines of the app stay apart and in order`, async () => {
    const response = await request(
      (await shared()).address,
      "/status?h=set-cookie:a%3D1&h=x:y&h=set-cookie:b%3D2&body=x",
    );
    const cookies = response.fields.filter(([name]) => name === "set-cookie").map(([, value]) => value);
    assert.deepEqual(cookies, ["a=1", "b=2"]);
  });

  test(`${runtime}: Date and Server can be turned off, other fields added`, async () => {
    const args = ["--no-server-header", "--no-date-header", "--header", "X-One: 1", "--header", "X-Two: a: b"];
    await withServer(runtime, testApp("contract.ts"), args, async (server) => {
      const response = await request(server.address, "/");
      assert.equal(field(response, "date"), undefined);
      assert.equal(field(response, "server"), undefined);
      assert.equal(field(response, "x-one"), "1");
      assert.equal(field(response, "x-two"), "a: b");
      const own = await request(server.address, "/status?h=x-one:app&body=x");
      assert.equal(field(own, "x-one"), "app");
    });
  });

  test(`${runtime}: a --header named Server replaces the default`, async () => {
    await withServer(runtime, testApp("contract.ts"), ["--header", "Server: other"], async (server) => {
      assert.equal(field(await request(server.address, "/"), "server"), "other");
    });
  });
}

onEach((runtime) => {
  const shared = sharedServer(runtime, testApp("contract.ts"));
  persistence(runtime, shared);
  lengths(runtime, shared);
  bodiless(runtime, shared);
  defaultFields(runtime, shared);
});
