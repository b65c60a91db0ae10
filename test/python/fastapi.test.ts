/** FastAPI and Starlette, unchanged, on both of Python's event loops. Skipped where a package is missing. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checks as checksOf, type Framework, json, leave, pipelined } from "../harness/frameworks.ts";
import { RawClient } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { until } from "../harness/wait.ts";

const checks = (framework: Framework) => checksOf(framework, (name, options, run) => void test(name, options, run));

const folder = mkdtempSync(join(tmpdir(), "ringcorn-static-"));
const big = new Uint8Array(3_000_000).map((_, i) => (i * 31) % 251);
writeFileSync(join(folder, "big.bin"), big);
writeFileSync(join(folder, "page.html"), "<p>hello</p>");
after(() => rmSync(folder, { recursive: true, force: true }));

const JSON_BODY = { "content-type": "application/json" };
const LOOPS = ["asyncio", "uvloop"] as const;

for (const loop of LOOPS) {
  const packages = ["fastapi", "python_multipart"];
  const needs = loop === "uvloop" ? [...packages, "uvloop"] : packages;
  const options = ["--loop", loop];
  const check = checks({ name: `FastAPI, ${loop}`, target: "fastapi_site:app", needs, options });

  check("lifespan state", async (server) => {
    assert.deepEqual(await json(server, "/state"), ["opened"]);
  });

  check("dependencies, and their clean-up in order", async (server) => {
    const refused = await fetch(`${server.url}/private`);
    assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [401, "Bearer"]);
    assert.deepEqual(await refused.json(), { detail: "who are you?" });
    const headers = { authorization: "Bearer secret" };
    assert.deepEqual(await json(server, "/private", { headers }), { user: "alice", db: "connection" });
    await until(async () => String((await json(server, "/seen")).dependencies).endsWith("close"), "the clean-up");
    assert.deepEqual((await json(server, "/seen")).dependencies, ["open", "use", "close"]);
  });

  check("validation", async (server) => {
    const post = (path: string, body: unknown) =>
      fetch(server.url + path, { method: "POST", body: JSON.stringify(body), headers: JSON_BODY });
    const good = await post("/items/5?limit=3", { name: "pen" });
    assert.deepEqual(await good.json(), { number: 5, limit: 3, item: { name: "pen", price: 1 } });
    const bad = await post("/items/five", { name: "x" });
    assert.equal(bad.status, 422);
    const { detail } = (await bad.json()) as { detail: { type: string }[] };
    assert.deepEqual(detail.map(({ type }) => type).sort(), ["int_parsing", "string_too_short"]);
  });

  check("background tasks run behind the answer", async (server) => {
    assert.deepEqual(await json(server, "/background", { method: "POST" }), { before: [] });
    await until(async () => ((await json(server, "/seen")).background as string[]).length === 2, "both tasks");
    assert.deepEqual((await json(server, "/seen")).background, ["async", "sync"]);
  });

  check("streaming", async (server) => {
    assert.equal((await (await fetch(`${server.url}/stream/300`)).arrayBuffer()).byteLength, 3_000_000);
    const lines = Array.from({ length: 100 }, (_, i) => `${i}\n`).join("");
    assert.equal(await (await fetch(`${server.url}/sync-stream`)).text(), lines);
  });

  check("server-sent events arrive one by one, and end when the client leaves", async (server) => {
    const client = await RawClient.connect(server.address);
    await client.send("GET /sse HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.sees("id: 0\ndata: tick\n\n");
    await client.sees("id: 5\n");
    assert.match(client.unparsed(), /content-type: text\/event-stream/);
    client.reset();
    await until(async () => (await json(server, "/seen")).sse === "closed", "the generator was closed");
  });

  check("an upload", async (server) => {
    const form = new FormData();
    form.set("file", new Blob([new Uint8Array(2_000_000)]), "two.bin");
    form.set("note", "grüße");
    const found = await json(server, "/upload", { method: "POST", body: form });
    assert.deepEqual(found, { name: "two.bin", bytes: 2_000_000, note: "grüße" });
  });

  check("a body of several windows is read as it comes", async (server) => {
    const body = new Uint8Array(5_000_000);
    assert.deepEqual(await json(server, "/body", { method: "POST", body }), { bytes: 5_000_000 });
  });

  check("middleware", async (server) => {
    const { headers } = await fetch(`${server.url}/state`, { headers: { "x-tag": "mine" } });
    assert.deepEqual([headers.get("x-tagged"), headers.get("x-timed")], ["mine", "yes"]);
  });

  check("exceptions: handled, and not", async (server) => {
    const handled = await fetch(`${server.url}/teapot`);
    assert.deepEqual([handled.status, await handled.json()], [418, { teapot: "short and stout" }]);
    const crashed = await fetch(`${server.url}/crash`);
    assert.deepEqual([crashed.status, await crashed.text()], [500, "Internal Server Error"]);
    await server.sees(/ZeroDivisionError: by the test/);
    assert.equal((await fetch(`${server.url}/none`)).status, 404);
    assert.equal((await fetch(`${server.url}/items/1`)).status, 405);
  });

  check("context variables are each request's own, pipelined", async (server) => {
    const heads = Array.from(
      { length: 40 },
      (_, i) => `GET /tag${i % 4 === 3 ? "-sync" : ""} HTTP/1.1\r\nX-Tag: t${i}`,
    );
    const answers = await pipelined(server, heads);
    for (const [i, answer] of answers.entries()) {
      const tag = `t${i}`;
      assert.deepEqual(JSON.parse(text(answer)), i % 4 === 3 ? tag : [tag, tag, tag]);
      assert.equal(field(answer, "x-tagged"), tag);
    }
  });

  check("cancel scopes, timeouts and the current task", async (server) => {
    const found = await json(server, "/cancel-scope");
    assert.deepEqual(found, { scope: true, timeout: true, task: true });
  });
}

for (const loop of LOOPS) {
  const check = checks({
    name: `Starlette, ${loop}`,
    target: "starlette_site:app",
    needs: loop === "uvloop" ? ["starlette", "uvloop"] : ["starlette"],
    options: ["--loop", loop],
    env: { STATIC_FOLDER: folder },
  });

  check("a static file goes by pathsend", async (server) => {
    const response = await fetch(`${server.url}/static/big.bin`);
    assert.equal(Buffer.compare(Buffer.from(await response.arrayBuffer()), Buffer.from(big)), 0);
    assert.equal(response.headers.get("content-length"), "3000000");
    assert.deepEqual(await json(server, "/sent"), ["http.response.start", "http.response.pathsend"]);
  });

  check("FileResponse", async (server) => {
    const response = await fetch(`${server.url}/file`);
    assert.match(response.headers.get("content-disposition") ?? "", /a%20name\.bin/);
    assert.equal((await response.arrayBuffer()).byteLength, big.length);
  });

  check("ranges", async (server) => {
    const response = await fetch(`${server.url}/static/big.bin`, { headers: { range: "bytes=1000000-1999999" } });
    assert.equal(response.status, 206);
    const body = Buffer.from(await response.arrayBuffer());
    assert.equal(Buffer.compare(body, Buffer.from(big.subarray(1_000_000, 2_000_000))), 0);
  });

  check("conditional requests, HEAD, what is not there, what is above", async (server) => {
    const first = await fetch(`${server.url}/static/page.html`);
    assert.deepEqual(
      [first.headers.get("content-type"), await first.text()],
      ["text/html; charset=utf-8", "<p>hello</p>"],
    );
    const headers = { "if-none-match": first.headers.get("etag") ?? "" };
    assert.equal((await fetch(`${server.url}/static/page.html`, { headers })).status, 304);
    const head = await fetch(`${server.url}/static/big.bin`, { method: "HEAD" });
    assert.deepEqual([head.headers.get("content-length"), (await head.arrayBuffer()).byteLength], ["3000000", 0]);
    assert.equal((await fetch(`${server.url}/static/none`)).status, 404);
    const [above] = await pipelined(server, ["GET /static/..%2f..%2fetc/passwd HTTP/1.1"]);
    assert.equal(above.status, 404);
  });

  for (const path of ["/echo", "/echo-stream"]) {
    check(`${path} gives a body back`, async (server) => {
      const answer = await fetch(server.url + path, { method: "POST", body: big });
      assert.equal(Buffer.compare(Buffer.from(await answer.arrayBuffer()), Buffer.from(big)), 0);
    });
  }

  check("a download that its client leaves", async (server) => {
    await leave(server, "/static/big.bin");
    assert.equal((await fetch(`${server.url}/static/page.html`)).status, 200);
  });

  check("request.is_disconnected", async (server) => {
    const client = await RawClient.connect(server.address);
    await client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(async () => (await json(server, "/seen")).disconnected === "waits", "the request began");
    client.reset();
    await until(async () => (await json(server, "/seen")).disconnected === "told", "the application was told");
  });
}
