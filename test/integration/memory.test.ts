/**
 * Flat memory: bodies of 300 MB between a server and a peer that is slow at times. The resident memory of the server's
 * process stays within 40 MB of what it was when idle. RINGCORN_TEST_MB makes it larger (the figure is 2048).
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { request } from "../harness/raw.ts";
import { onEach, type Server, testApp, withServer } from "../harness/server.ts";
import { pause, until, within } from "../harness/wait.ts";

const APP = testApp("contract.ts");
const MB = 1 << 20;
const SIZE_MB = Number(process.env.RINGCORN_TEST_MB ?? 300);
const GROWTH_MB = 40;
/** A transfer that moves nothing for this long is blocked: both sides' buffers are full. */
const BLOCKED_MS = 400;
/** Guards only; large transfers on a loaded machine take their time. */
const TRANSFER_GUARD_MS = 55_000;

/** Watches the process's memory while `work` goes on; gives the most above `idle`, in MB. */
async function growth(server: Server, idle: number, work: Promise<void>): Promise<number> {
  let most = 0;
  let done = false;
  const finish = () => {
    done = true;
  };
  work.then(finish, finish);
  while (!done) {
    most = Math.max(most, server.residentBytes() - idle);
    await pause(20);
  }
  await work;
  return Math.max(most, server.residentBytes() - idle) / MB;
}

/** Requests that make the server load what it needs, and its memory then. */
async function idleMemory(server: Server): Promise<number> {
  for (let i = 0; i < 20; i++) await request(server.address, "/echo", { method: "POST", body: "x".repeat(100_000) });
  await request(server.address, "/download?mb=1");
  return server.residentBytes();
}

/** Uploads until the app's refusal to read blocks the client, then opens the app's gate and finishes. */
async function upload(server: Server, gate: string): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port: server.port });
  const piece = Buffer.alloc(256 * 1024, "u");
  const pieces = SIZE_MB * 4;
  let answer = "";
  socket.setEncoding("latin1").on("data", (chunk) => {
    answer += chunk;
  });
  socket.write(
    `POST /sink?t=${gate}&g=${gate} HTTP/1.1\r\nHost: a\r\nContent-Length: ${pieces * piece.length}\r\n\r\n`,
  );
  let sent = 0;
  const feed = () => {
    while (sent < pieces) {
      sent++;
      if (!socket.write(piece)) return;
    }
  };
  socket.on("drain", feed);
  feed();
  await blocked(() => sent);
  assert.ok(sent < pieces, "an app that does not read holds the client back");
  await request(server.address, `/open?g=${gate}`);
  await until(() => answer.includes("\r\n\r\n"), "the upload is answered", TRANSFER_GUARD_MS);
  assert.ok(answer.endsWith(String(pieces * piece.length)), answer);
  socket.destroy();
}

/** Takes nothing of a download until the server is blocked, then everything. */
async function download(server: Server, token: string): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port: server.port });
  let got = 0;
  let headEnd = -1;
  const whole = new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      if (headEnd < 0) headEnd = got + chunk.indexOf("\r\n\r\n") + 4;
      got += chunk.length;
      if (got >= headEnd + SIZE_MB * MB) resolve();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`closed after ${got} bytes`)));
  });
  socket.pause();
  socket.write(`GET /download?mb=${SIZE_MB}&t=${token} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await request(server.address, `/await?of=${token}&what=started`);
  await pause(BLOCKED_MS);
  const notes = await request(server.address, `/seen?of=${token}`);
  assert.ok(!Buffer.from(notes.body).includes("complete"), "a client that does not read holds the app back");
  socket.resume();
  await within(whole, "the whole download", () => ` (${got} bytes)`, TRANSFER_GUARD_MS);
  await request(server.address, `/await?of=${token}&what=complete`);
  socket.destroy();
}

/** Resolves once `progress` stands still. */
async function blocked(progress: () => number): Promise<void> {
  for (let last = -1; last !== progress(); ) {
    last = progress();
    await pause(BLOCKED_MS);
  }
}

onEach((runtime) => {
  test(`${runtime}: ${SIZE_MB} MB up to a slow app and down to a slow client in flat memory`, async () => {
    await withServer(runtime, APP, ["--no-access-log"], async (server) => {
      const idle = await idleMemory(server);
      const up = await growth(server, idle, upload(server, "up"));
      const down = await growth(server, idle, download(server, "down"));
      const told = `up ${up.toFixed(1)} MB, down ${down.toFixed(1)} MB above ${(idle / MB).toFixed(1)} MB idle`;
      console.log(`${runtime}: ${told}`);
      assert.ok(up <= GROWTH_MB && down <= GROWTH_MB, told);
    });
  });
});
