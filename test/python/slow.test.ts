/** A thousand slow clients beside fast ones, all of one worker: nobody waits for them, and memory stays flat. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { json } from "../harness/frameworks.ts";
import { RawClient } from "../harness/raw.ts";
import { text } from "../harness/response.ts";
import { onEach, ROOT, type Server, withServer } from "../harness/server.ts";
import { within } from "../harness/wait.ts";

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const CLIENTS = 1000;
const PIECE = "x".repeat(1000);
const PIECES = 4;
const MEGABYTE = 1024 * 1024;
/** Of the worker, while a thousand bodies are half sent. */
const MOST_GROWTH_BYTES = 40 * MEGABYTE;
const OPTIONS = ["--app-dir", join(ROOT, "test", "python", "apps"), "--loop", "asyncio", "--no-access-log"];

function residentBytes(pid: unknown): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  assert.ok(match !== null);
  return Number(match[1]) * 1024;
}

async function hellos(server: Server): Promise<void> {
  const answers = await within(Promise.all(Array.from({ length: 20 }, () => fetch(server.url))), "the fast ones");
  for (const answer of answers) assert.equal(await answer.text(), "Hello, world!");
}

async function slowClients(server: Server): Promise<void> {
  const { pid } = await json(server, "/seen");
  await hellos(server);
  const before = residentBytes(pid);
  const clients: RawClient[] = [];
  for (let i = 0; i < CLIENTS; i++) clients.push(await RawClient.connect(server.address));
  const head = `POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: ${PIECE.length * PIECES}\r\n\r\n`;
  for (const client of clients) await client.send(head);
  for (let piece = 0; piece < PIECES; piece++) {
    await hellos(server);
    const grown = residentBytes(pid) - before;
    assert.ok(grown < MOST_GROWTH_BYTES, `the worker has grown by ${grown} bytes`);
    for (const client of clients) await client.send(PIECE);
  }
  for (const client of clients) assert.equal(text(await client.response()), String(PIECE.length * PIECES));
  await hellos(server);
  assert.equal((await json(server, "/seen")).pid, pid, "it is the same worker");
  for (const client of clients) client.close();
}

onEach((runtime) => {
  test(
    `${runtime}: ${CLIENTS} slow uploads and one worker`,
    { skip: hasPython ? false : "python3 is not installed" },
    () => withServer(runtime, "contract:app", OPTIONS, slowClients),
  );
});
