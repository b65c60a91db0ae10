/** The client of fixed rate, run: what a server that stalls is charged for. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { allowedCpus } from "../../bench/load/machine.ts";
import { type PacedRun, runPaced } from "../../bench/load/paced.ts";

const RUNS = process.platform === "linux" && spawnSync("taskset", ["-V"]).status === 0;
const skip = RUNS ? false : "the suite needs Linux and taskset";
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";

/** Asks a server of `hear`'s at a fixed rate (0: a closed loop) on two connections for `seconds`. */
async function ask(hear: (socket: Socket) => void, rate: number, seconds: number): Promise<PacedRun> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    hear(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const directory = mkdtempSync(join(tmpdir(), "ringcorn-paced-"));
  const file = join(directory, "request");
  writeFileSync(file, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  try {
    const { port } = server.address() as AddressInfo;
    const { signal } = new AbortController();
    const cpus = allowedCpus().slice(0, 2);
    const load = { port, connections: 2, warmupSeconds: 0.1, seconds, rate, cpus, signal, script: [file] };
    return await runPaced(load, () => {});
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

test("a server that never answers is charged with every request that was due, not with one a connection", {
  skip,
}, async () => {
  const { figures } = await ask((socket) => void socket.resume(), 100, 0.3);
  assert.equal(figures.unanswered, 30);
  assert.equal(figures.errors, 30);
  // They count with the time until they were given up: a second after the last was due.
  assert.ok(figures.p50Us >= 1e6);
});

for (const [what, answer] of [
  ["a length", ANSWER],
  ["chunks", CHUNKED],
] as const) {
  test(`every request that was due is answered, with ${what}`, { skip }, async () => {
    const { figures } = await ask((socket) => void socket.on("data", () => void socket.write(answer)), 100, 0.3);
    assert.deepEqual([figures.requests, figures.errors], [30, 0]);
    assert.ok(figures.p50Us > 0);
  });
}

test("an answer in pieces is one, and one of another status is an error", { skip }, async () => {
  const wrong = ANSWER.replace("200 OK", "503 No");
  const hear = (socket: Socket) =>
    void socket.on("data", () => {
      socket.write(wrong.slice(0, 20));
      setImmediate(() => socket.write(wrong.slice(20)));
    });
  const { figures } = await ask(hear, 100, 0.3);
  assert.deepEqual([figures.requests, figures.wrongStatus, figures.errors], [30, 30, 30]);
});

test("without a rate each connection asks again when it is answered", { skip }, async () => {
  const { figures } = await ask((socket) => void socket.on("data", () => void socket.write(ANSWER)), 0, 0.5);
  assert.ok(figures.requests > 2);
  assert.equal(figures.errors, 0);
});
