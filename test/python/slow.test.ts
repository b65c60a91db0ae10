/** Slow and stalled clients beside fast ones, all of one worker: nobody waits for them, and memory stays flat on both sides. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { json } from "../harness/frameworks.ts";
import { RawClient } from "../harness/raw.ts";
import { text } from "../harness/response.ts";
import { onEach, ROOT, type Server, withServer } from "../harness/server.ts";
import { until, within } from "../harness/wait.ts";

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const CLIENTS = 1000;
const PIECE = "x".repeat(1000);
const PIECES = 4;
const MEGABYTE = 1024 * 1024;
/** Of either process, while a thousand bodies are half sent, or a gigabyte waits. */
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

/** A hundred connections, each asking again when it has its answer. */
async function fastClients(server: Server): Promise<void> {
  const one = async () => {
    const client = await RawClient.connect(server.address);
    for (let i = 0; i < 20; i++) {
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      assert.equal(text(await client.response()), "Hello, world!");
    }
    client.close();
  };
  await within(Promise.all(Array.from({ length: 100 }, one)), "a hundred clients of hello");
}

/** The application sends a gigabyte as fast as it may; nobody reads it. */
async function stalledDownload(server: Server): Promise<void> {
  const { pid } = await json(server, "/seen");
  await fastClients(server);
  const before = [residentBytes(pid), server.residentBytes()];
  const stalled = await RawClient.connect(server.address);
  stalled.socket.pause();
  await stalled.send("GET /stream?1024 HTTP/1.1\r\nHost: a\r\n\r\n");
  for (let round = 0; round < 3; round++) {
    await fastClients(server);
    const grown = [residentBytes(pid) - before[0], server.residentBytes() - before[1]];
    assert.ok(Math.max(...grown) < MOST_GROWTH_BYTES, `the worker and the front have grown by ${grown} bytes`);
  }
  assert.equal((await json(server, "/seen")).oserrors, 0, "it still waits");
  stalled.reset();
  await until(async () => (await json(server, "/seen")).oserrors === 1, "it was given up");
}

onEach((runtime) => {
  test(
    `${runtime}: a stalled download of 1 GB beside a hundred clients of hello`,
    { skip: hasPython ? false : "python3 is not installed" },
    () => withServer(runtime, "contract:app", OPTIONS, stalledDownload),
  );

  test(
    `${runtime}: ${CLIENTS} slow uploads and one worker`,
    { skip: hasPython ? false : "python3 is not installed" },
    () => withServer(runtime, "contract:app", OPTIONS, slowClients),
  );
});
