/** The three programs of examples/from-scratch, each on both runtimes, with real clients. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { after, test } from "node:test";
import { installed, output, Program, runCommand } from "../harness/program.ts";
import { RawClient } from "../harness/raw.ts";
import { parseResponse, text } from "../harness/response.ts";
import { RUNTIMES, type RuntimeName } from "../harness/server.ts";
import { within } from "../harness/wait.ts";

const programs: Program[] = [];
after(() => Promise.all(programs.map((program) => program.stop("SIGKILL"))));

async function start(
  runtime: RuntimeName,
  name: string,
  ...args: string[]
): Promise<{ program: Program; port: number }> {
  const program = new Program([...runCommand(runtime, `examples/from-scratch/${name}`), "0", ...args]);
  programs.push(program);
  const [, port] = await program.sees(/^Listening on .*:(\d+)\n/m);
  return { program, port: Number(port) };
}

/** More than the kernel's buffers of both sides hold, so that writes come up short. */
const LARGE_BYTES = 24 * 1024 * 1024;

function largeBody(): Uint8Array {
  const bytes = new Uint8Array(LARGE_BYTES);
  for (let i = 0; i < bytes.length; i += 4096) bytes[i] = (i / 4096) % 251;
  return bytes;
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Sends everything and FIN, and reads nothing until the socket takes no more; then all that comes back. */
function sendThenRead(port: number, bytes: Uint8Array): Promise<Uint8Array> {
  const reading = new Promise<Uint8Array>((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const parts: Buffer[] = [];
    socket.on("error", reject);
    socket.on("end", () => resolve(Buffer.concat(parts)));
    socket.on("connect", () => {
      assert.equal(socket.write(bytes), false, "the bytes are more than one write takes");
      socket.end();
      // Let the server meet full buffers first.
      setTimeout(() => socket.on("data", (part: Buffer) => parts.push(part)), 50);
    });
  });
  return within(reading, "the echoed bytes");
}

for (const runtime of RUNTIMES) {
  test(`from scratch 1 on ${runtime}: what telnet sends comes back`, async () => {
    const { port } = await start(runtime, "1-echo.ts");
    const client = installed("telnet") ? "telnet" : "nc";
    if (!installed(client)) {
      const raw = await RawClient.connect({ host: "127.0.0.1", port });
      await raw.send("hello\r\n");
      await raw.sees("hello\r\n");
      return raw.close();
    }
    const telnet = new Program([client, "127.0.0.1", String(port)]);
    if (client === "telnet") await telnet.sees(/Connected to 127\.0\.0\.1/);
    telnet.type("hello\n");
    await telnet.sees(/hello/);
    telnet.type("and again\n");
    await telnet.sees(/and again/);
    telnet.finish();
    await telnet.exit();
  });

  test(`from scratch 1 on ${runtime}: a client that reads late gets all of it`, async () => {
    const { program, port } = await start(runtime, "1-echo.ts");
    const sent = largeBody();
    const received = await sendThenRead(port, sent);
    assert.equal(received.length, sent.length);
    assert.equal(digest(received), digest(sent));
    await program.sees(/closed, 0 open/);
  });

  test(`from scratch 2 on ${runtime}: curl's request is printed and answered`, async () => {
    const { program, port } = await start(runtime, "2-requests.ts");
    const url = `http://127.0.0.1:${port}/some/path?q=1`;
    assert.equal(await output(["curl", "-sS", "-d", "hello", "-H", "X-Own: yes", url]), "OK\n");
    await program.sees(/^POST \/some\/path\?q=1$/m);
    await program.sees(/^ {2}X-Own: yes$/m);
    await program.sees(/^ {2}body "hello"$/m);
  });

  test(`from scratch 2 on ${runtime}: curl gets its 100 (Continue)`, async () => {
    const { program, port } = await start(runtime, "2-requests.ts");
    const curl = ["curl", "-sS", "-v", "--expect100-timeout", "30", "-H", "Expect: 100-continue", "-d", "late"];
    const client = new Program([...curl, `http://127.0.0.1:${port}/`]);
    assert.equal(await client.exit(), 0);
    assert.match(client.stderr, /< HTTP\/1\.1 100 Continue/);
    await program.sees(/body "late"/);
  });

  test(`from scratch 2 on ${runtime}: requests in one piece or byte by byte`, async () => {
    const { port } = await start(runtime, "2-requests.ts");
    const client = await RawClient.connect({ host: "127.0.0.1", port });
    const request = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    await client.send(request + request);
    assert.equal((await client.response()).status, 200);
    assert.equal((await client.response()).status, 200);
    await client.send(...request);
    assert.equal(text(await client.response()), "OK\n");
    client.finish();
    assert.equal(await client.ended(), "fin");
    client.close();
  });

  test(`from scratch 2 on ${runtime}: a malformed request is answered 400 and the connection closed`, async () => {
    const { port } = await start(runtime, "2-requests.ts");
    const client = await RawClient.connect({ host: "127.0.0.1", port });
    await client.send("GET / HTTP/1.1\r\nHost : h\r\n\r\n");
    assert.equal((await client.response()).status, 400);
    await client.ended();
    client.close();
  });

  test(`from scratch 3 on ${runtime}: curl -d hello is echoed by the application`, async () => {
    const { port } = await start(runtime, "3-asgi.ts");
    const url = `http://127.0.0.1:${port}/`;
    assert.equal(await output(["curl", "-sS", "-d", "hello", url]), "hello");
    assert.equal(await output(["curl", "-sS", "-H", "Transfer-Encoding: chunked", "-d", "chunked", url]), "chunked");
    assert.equal(await output(["curl", "-sS", url]), "");
  });

  test(`from scratch 3 on ${runtime}: a large body to a client that reads late`, async () => {
    const { port } = await start(runtime, "3-asgi.ts");
    const sent = largeBody();
    const head = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${sent.length}\r\n\r\n`;
    const received = await sendThenRead(port, Buffer.concat([Buffer.from(head), sent]));
    const parsed = parseResponse(received, 0, "POST", true);
    assert.ok(parsed !== undefined);
    assert.equal(digest(parsed.response.body), digest(sent));
  });

  test(`from scratch 3 on ${runtime}: requests queue behind each other, the last one before FIN included`, async () => {
    const { port } = await start(runtime, "3-asgi.ts");
    const client = await RawClient.connect({ host: "127.0.0.1", port });
    const post = (body: string) => `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    await client.send(post("one") + post("two") + post("three"));
    client.finish();
    for (const body of ["one", "two", "three"]) assert.equal(text(await client.response("POST")), body);
    assert.equal(await client.ended(), "fin");
    client.close();
  });

  test(`from scratch 3 on ${runtime}: a malformed request is answered 400 and the connection closed`, async () => {
    const { port } = await start(runtime, "3-asgi.ts");
    const client = await RawClient.connect({ host: "127.0.0.1", port });
    await client.send("GET / HTTP/1.1\r\nHost : h\r\n\r\n");
    assert.equal((await client.response()).status, 400);
    await client.ended();
    client.close();
  });

  test(`from scratch 3 on ${runtime}: it serves other applications, and stops on SIGTERM`, async () => {
    const { program, port } = await start(runtime, "3-asgi.ts", "examples/hello.ts");
    assert.equal(await output(["curl", "-sS", `http://127.0.0.1:${port}/`]), "Hello\n");
    assert.equal(await program.stop(), 0);
  });
}
