/** Request bodies and disconnects: 100-continue, half-close, FIN and RST, lingering close. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { hasTool, python } from "../harness/clients.ts";
import { RawClient, request } from "../harness/raw.ts";
import { text } from "../harness/response.ts";
import { onEach, ROOT, type RuntimeName, type Server, sharedServer, testApp, withServer } from "../harness/server.ts";

const APP = testApp("contract.ts");
type Shared = () => Promise<Server>;

function expectations(runtime: RuntimeName, shared: Shared): void {
  const head = (target: string, version = "1.1", expect = "100-continue") =>
    `POST ${target} HTTP/${version}\r\nHost: a\r\nContent-Length: 5\r\nExpect: ${expect}\r\n\r\n`;

  for (const expect of ["100-continue", "100-Continue"]) {
    test(`${runtime}: Expect: ${expect}: 100 when the app first asks for the body, not before`, async () => {
      const server = await shared();
      const gate = `${expect}-${runtime}`;
      const client = await RawClient.connect(server.address);
      await client.send(head(`/late-read?g=${gate}&t=${gate}`, "1.1", expect));
      await request(server.address, `/await?of=${gate}&what=called`);
      // Another exchange on the server: a 100 sent too early would have arrived by its end.
      await request(server.address, "/");
      assert.equal(client.unparsed(), "");
      await request(server.address, `/open?g=${gate}`);
      await client.sees("HTTP/1.1 100 Continue\r\n\r\n");
      await client.send("hello");
      const response = await client.response();
      assert.deepEqual(
        response.interim.map(({ status }) => status),
        [100],
      );
      assert.equal(text(response), "5");
      client.close();
    });
  }

  test(`${runtime}: an app that does not read the body causes no 100, and its answer closes`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send(head("/unread?s=401"));
    const response = await client.response();
    assert.equal(response.status, 401);
    assert.deepEqual(response.interim, []);
    assert.equal(await client.ended(), "fin");
  });

  test(`${runtime}: no 100 to HTTP/1.0`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send(head("/echo", "1.0"), "hello");
    const response = await client.response();
    assert.deepEqual(response.interim, []);
    assert.equal(text(response), "hello");
  });

  test(`${runtime}: a body that came along needs no 100 but is served`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send(`${head("/echo")}hello`);
    assert.equal(text(await client.response()), "hello");
    client.close();
  });

  test(`${runtime}: the connection goes on behind a continued request`, async () => {
    const client = await RawClient.connect((await shared()).address);
    for (let i = 0; i < 3; i++) {
      await client.send(head("/echo"));
      await client.sees("100 Continue");
      await client.send("hello");
      assert.equal(text(await client.response()), "hello");
    }
    client.close();
  });
}

function halfClose(runtime: RuntimeName, shared: Shared): void {
  test(`${runtime}: a client that sent FIN reads its whole answer`, async () => {
    const server = await shared();
    const client = await RawClient.connect(server.address);
    await client.send("GET /download?mb=4 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.finish();
    assert.equal((await client.response()).body.length, 4 << 20);
    assert.equal(await client.ended(), "fin");
  });

  test(`${runtime}: an answer that begins after the FIN arrives too`, async () => {
    const server = await shared();
    const gate = `fin-${runtime}`;
    const client = await RawClient.connect(server.address);
    await client.send(`GET /gated?g=${gate}&t=${gate} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`);
    client.finish();
    await request(server.address, `/await?of=${gate}&what=gated`);
    await request(server.address, `/open?g=${gate}`);
    assert.equal(text(await client.response()), "gated");
    assert.equal(text(await client.response()), "hello", "what was complete before the FIN is served");
    assert.equal(await client.ended(), "fin");
  });

  test(`${runtime}: FIN is http.disconnect for receive(), and send() still works`, async () => {
    const server = await shared();
    const token = `half-${runtime}`;
    const client = await RawClient.connect(server.address);
    await client.send(`GET /sse?t=${token} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.sees("data: 1");
    client.finish();
    await request(server.address, `/await?of=${token}&what=bye%20sent`);
    assert.match(await client.all(), /data: bye/);
  });

  for (const [name, how] of [
    ["at once", ""],
    ["late", "&g="],
  ]) {
    test(`${runtime}: FIN behind a body above the watermark that was read ${name} is seen while the app works`, async () => {
      const server = await shared();
      const gate = `poll-${name.replace(" ", "-")}-${runtime}`;
      const size = 600_000;
      const client = await RawClient.connect(server.address);
      const target = `/poll?t=${gate}${how === "" ? "" : how + gate}`;
      await client.send(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
      client.socket.write(Buffer.alloc(size, "x"));
      await request(server.address, `/await?of=${gate}&what=POST`);
      // The whole body is in the server's hands or on its way: it must have stopped reading, and go on again.
      await request(server.address, `/open?g=${gate}`);
      await request(server.address, `/await?of=${gate}&what=read`);
      client.finish();
      await request(server.address, `/await?of=${gate}&what=disconnect`);
      assert.equal((await client.response("POST")).status, 500, "a client that has only half-closed is told, too");
      assert.equal(await client.ended(), "fin");
    });
  }

  for (const target of ["/bad/never", "/poll"]) {
    test(`${runtime}: an app that returns without an answer behind the FIN: 500 (${target})`, async () => {
      const client = await RawClient.connect((await shared()).address);
      client.socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
      client.finish();
      assert.equal((await client.response()).status, 500);
      assert.equal(await client.ended(), "fin");
    });
  }

  test(`${runtime}: FIN behind a bad request still gets its answer`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET / HTTP/3.0\r\n\r\n");
    client.finish();
    assert.equal((await client.response()).status, 505);
    assert.equal(await client.ended(), "fin");
  });

  test(`${runtime}: FIN inside a head ends the connection`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET / HTTP/1.1\r\nHo");
    client.finish();
    assert.equal(await client.ended(), "fin");
    if (client.unparsed() !== "") assert.match(client.unparsed(), /^HTTP\/1\.1 4\d\d /);
  });

  test(`${runtime}: FIN without a byte ends the connection without a word`, async () => {
    const client = await RawClient.connect((await shared()).address);
    client.finish();
    assert.equal(await client.all(), "");
  });

  for (const [name, framing, part] of [
    ["a sized body", "Content-Length: 10", "abc"],
    ["a chunk", "Transfer-Encoding: chunked", "5\r\nab"],
    ["chunks", "Transfer-Encoding: chunked", "2\r\nab\r\n"],
    ["trailers", "Transfer-Encoding: chunked", "2\r\nab\r\n0\r\nX: y\r\n"],
  ]) {
    test(`${runtime}: FIN inside ${name} is a disconnect, never a complete body`, async () => {
      const server = await shared();
      const token = `fin-in-${name.replaceAll(" ", "-")}-${runtime}`;
      const client = await RawClient.connect(server.address);
      await client.send(`POST /sink?t=${token} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${part}`);
      client.finish();
      const notes = text(await request(server.address, `/await?of=${token}&what=disconnect`));
      assert.ok(!notes.includes("complete"), notes);
      await client.ended();
    });

    test(`${runtime}: RST inside ${name} is a disconnect`, async () => {
      const server = await shared();
      const token = `rst-in-${name.replaceAll(" ", "-")}-${runtime}`;
      const client = await RawClient.connect(server.address);
      await client.send(`POST /sink?t=${token} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${part}`);
      await request(server.address, `/await?of=${token}&what=POST`);
      client.reset();
      const notes = text(await request(server.address, `/await?of=${token}&what=disconnect`));
      assert.ok(!notes.includes("complete"), notes);
    });
  }

  test(`${runtime}: RST while the answer is awaited is a disconnect`, async () => {
    const server = await shared();
    const token = `rst-${runtime}`;
    const client = await RawClient.connect(server.address);
    await client.send(`GET /sse?t=${token} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.sees("data: 1");
    client.reset();
    await request(server.address, `/await?of=${token}&what=disconnect`);
    await request(server.address, `/await?of=${token}&what=bye`);
  });

  test(`${runtime}: curl killed during server-sent events is a disconnect`, { skip: !hasTool("curl") }, async () => {
    const server = await shared();
    const token = `curl-${runtime}`;
    const curl = spawn("curl", ["-sN", `${server.url}/sse?t=${token}`], { stdio: ["ignore", "pipe", "ignore"] });
    await new Promise((resolve) => curl.stdout.once("data", resolve));
    curl.kill("SIGKILL");
    await request(server.address, `/await?of=${token}&what=disconnect`);
  });

  test(`${runtime}: receive() behind the whole answer is a disconnect, again and again`, async () => {
    const server = await shared();
    const token = `on-${runtime}`;
    const client = await RawClient.connect(server.address);
    await client.send(`POST /receive-on?t=${token} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`);
    assert.equal(text(await client.response()), "done");
    await request(server.address, `/await?of=${token}&what=http.disconnect%20http.disconnect%20http.disconnect`);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(text(await client.response()), "hello", "and the connection goes on");
    client.close();
  });
}

/** Four megabytes behind (or as) each of these, sent by a client that blocks in send and only then reads. */
const BLOCKING: readonly [name: string, head: string, args: readonly string[], status: number][] = [
  [
    "a body beyond --limit-body",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n",
    ["--limit-body", "1000"],
    413,
  ],
  ["a bad version", "POST / HTTP/3.0\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n", [], 505],
  ["a bad field", "POST / HTTP/1.1\r\nHost: a\r\nX : y\r\nContent-Length: 4194304\r\n\r\n", [], 400],
  ["a bad chunk", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", [], 400],
  [
    "a body that the app does not read",
    "POST /unread?s=403 HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n",
    [],
    403,
  ],
  [
    "an app that closes without reading",
    "POST /unread?s=403 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4194304\r\n\r\n",
    [],
    403,
  ],
];

function lingering(runtime: RuntimeName): void {
  for (const [name, head, args, status] of BLOCKING) {
    test(`${runtime}: 4 MB sent before reading: ${name} is answered ${status}`, {
      skip: !hasTool("python3"),
    }, async () => {
      await withServer(runtime, APP, args, async (server) => {
        const said = await python(join(ROOT, "test/clients/blocking.py"), [String(server.port), head, "4194304"]);
        assert.match(said, new RegExp(`^HTTP/1\\.1 ${status} `), said);
        assert.match(said, /\nend: (eof|open)$/, said);
      });
    });
  }
}

onEach((runtime) => {
  const shared = sharedServer(runtime, APP);
  expectations(runtime, shared);
  halfClose(runtime, shared);
  lingering(runtime);
});
