/** Django, Quart, Litestar and Flask, unchanged, under ASGI and WSGI. Skipped where a package is missing. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Check, checks as checksOf, type Framework, json, leave, pipelined } from "../harness/frameworks.ts";
import { RawClient } from "../harness/raw.ts";
import { text } from "../harness/response.ts";
import { ROOT, type Server } from "../harness/server.ts";
import { until } from "../harness/wait.ts";

const checks = (framework: Framework) => checksOf(framework, (name, options, run) => void test(name, options, run));

const LOOPS = ["asyncio", "uvloop"] as const;
const LINES = Array.from({ length: 100 }, (_, i) => `${i}\n`).join("");
const APPS = join(ROOT, "test", "python", "apps");

const source = (name: string) => readFileSync(join(APPS, name), "utf8");

function form(): FormData {
  const data = new FormData();
  data.set("file", new Blob([new Uint8Array(1_500_000)]), "some.bin");
  data.set("note", "grüße");
  return data;
}

async function waits(server: Server, key: string, value: unknown): Promise<void> {
  await until(async () => (await json(server, "/seen"))[key] === value, `${key} is ${value}`);
}

function crashes(check: Check): void {
  check("an exception is a 500, and the next request is answered", async (server) => {
    assert.equal((await fetch(`${server.url}/crash`)).status, 500);
    assert.equal((await fetch(`${server.url}/seen`)).status, 200);
  });
}

/** `body` for paths that count what they get. */
function counts(check: Check): void {
  check("a body of several windows", async (server) => {
    const body = new Uint8Array(3_000_000);
    assert.deepEqual(await json(server, "/size", { method: "POST", body }), { bytes: 3_000_000 });
  });
}

function streams(check: Check, paths: readonly string[]): void {
  for (const path of paths) {
    check(`${path} is streamed`, async (server) => {
      assert.equal(await (await fetch(server.url + path)).text(), LINES);
    });
  }
}

function endless(check: Check): void {
  check("an endless answer is closed when its client leaves", async (server) => {
    await leave(server, "/endless");
    await waits(server, "closed", "yes");
  });
}

/** Each pipelined request sees its own field. */
function tags(check: Check, path: string, expected: (tag: string) => unknown): void {
  check(`${path}: what is one request's stays so, pipelined and side by side`, async (server) => {
    const heads = Array.from({ length: 20 }, (_, i) => `GET ${path} HTTP/1.1\r\nX-Tag: t${i}`);
    const rounds = await Promise.all([0, 1, 2].map(() => pipelined(server, heads)));
    for (const answers of rounds) {
      assert.deepEqual(
        answers.map((answer) => JSON.parse(text(answer))),
        heads.map((_, i) => expected(`t${i}`)),
      );
    }
  });
}

function django(check: Check, underAsgi: boolean): void {
  tags(check, "/sync", (tag) => ({ tag, main: false }));
  tags(check, "/async", (tag) => ({ tag: [tag, tag], task: true }));
  streams(check, ["/sync-stream", "/async-stream"]);
  counts(check);
  crashes(check);

  check("an upload", async (server) => {
    const found = await json(server, "/upload", { method: "POST", body: form() });
    assert.deepEqual(found, { files: { file: ["some.bin", 1_500_000] }, post: { note: "grüße" } });
  });

  check("FileResponse", async (server) => {
    assert.equal(await (await fetch(`${server.url}/file`)).text(), source("django_site.py"));
  });

  check("middleware, HEAD, what is not there", async (server) => {
    const response = await fetch(`${server.url}/seen`, { method: "HEAD", headers: { "x-tag": "mine" } });
    assert.equal(response.headers.get("x-tagged"), "mine");
    assert.ok(Number(response.headers.get("content-length")) > 0);
    assert.equal((await fetch(`${server.url}/none`)).status, 404);
  });

  if (!underAsgi) {
    endless(check);
    return;
  }
  check("a view is cancelled when its client leaves", async (server) => {
    const client = await RawClient.connect(server.address);
    await client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    await waits(server, "cancelled", "waits");
    client.reset();
    await waits(server, "cancelled", "yes");
  });
}

for (const loop of LOOPS) {
  const more = loop === "uvloop" ? ["uvloop"] : [];
  const options = ["--loop", loop];
  django(
    checks({ name: `Django, ${loop}`, target: "django_site:application", needs: ["django", ...more], options }),
    true,
  );

  const quart = checks({ name: `Quart, ${loop}`, target: "quart_site:app", needs: ["quart", ...more], options });
  tags(quart, "/tag", (tag) => [tag, tag]);
  streams(quart, ["/stream"]);
  counts(quart);
  crashes(quart);
  endless(quart);
  quart("lifespan, a form, and a background task", async (server) => {
    await waits(server, "started", true);
    const body = new URLSearchParams({ note: "grüße" });
    assert.deepEqual(await json(server, "/form", { method: "POST", body }), { note: "grüße" });
    assert.equal((await fetch(`${server.url}/background`, { method: "POST" })).status, 202);
    await waits(server, "background", true);
  });

  const litestar = checks({
    name: `Litestar, ${loop}`,
    target: "litestar_site:app",
    needs: ["litestar", ...more],
    options,
  });
  streams(litestar, ["/stream"]);
  counts(litestar);
  crashes(litestar);
  litestar("startup, dependencies and refusals", async (server) => {
    await waits(server, "started", true);
    const headers = { authorization: "Bearer secret" };
    assert.deepEqual(await json(server, "/private", { headers }), { user: "alice", greeting: "hello" });
    assert.equal((await fetch(`${server.url}/private`)).status, 401);
  });
  litestar("validation, and a background task", async (server) => {
    const post = (item: unknown) => fetch(`${server.url}/items`, { method: "POST", body: JSON.stringify(item) });
    const good = await post({ name: "pen", price: 2 });
    assert.deepEqual([good.status, await good.json()], [201, { name: "pen", price: 2 }]);
    assert.equal((await post({ name: "pen" })).status, 400);
    assert.equal((await fetch(`${server.url}/background`, { method: "POST" })).status, 201);
    await waits(server, "background", true);
  });
}

django(checks({ name: "Django, WSGI", target: "django_site:wsgi", needs: ["django"] }), false);

const flask = checks({ name: "Flask", target: "flask_site:app", needs: ["flask"] });
tags(flask, "/tag", (tag) => [tag, tag]);
streams(flask, ["/stream"]);
counts(flask);
crashes(flask);
endless(flask);

flask("an upload, and a file", async (server) => {
  const found = await json(server, "/upload", { method: "POST", body: form() });
  assert.deepEqual(found, { name: "some.bin", bytes: 1_500_000, note: "grüße" });
  assert.equal(await (await fetch(`${server.url}/file`)).text(), source("flask_site.py"));
});

flask("an upload that its client breaks off leaves no thread waiting", async (server) => {
  const client = await RawClient.connect(server.address);
  await client.send("POST /broken-upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf");
  await waits(server, "upload", "waits");
  client.reset();
  await until(async () => (await json(server, "/seen")).upload !== "waits", "reading ended");
  assert.match(String((await json(server, "/seen")).upload), /ClientDisconnected/);
});
