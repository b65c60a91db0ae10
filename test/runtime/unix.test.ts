/** Unix sockets: their file's mode, and what may be replaced. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PlainError } from "../../src/runtime/types.ts";
import { readAll, startServer, temporaryDirectory } from "./harness.ts";

function unix(name: string, body: (path: string, directory: string) => Promise<void>): void {
  test(name, async () => {
    const directory = temporaryDirectory();
    try {
      await body(join(directory.path, "app.sock"), directory.path);
    } finally {
      directory.remove();
    }
  });
}

async function refused(start: Promise<unknown>, sentence: RegExp): Promise<void> {
  await assert.rejects(start, (error: unknown) => {
    assert.ok(error instanceof PlainError, String(error));
    assert.match(error.message, sentence);
    return true;
  });
}

/** A socket file that nobody listens on. */
function leaveDeadSocket(path: string): void {
  const script = "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])";
  assert.equal(spawnSync("python3", ["-c", script, path]).status, 0);
  assert.ok(lstatSync(path).isSocket());
}

unix("serves, names its addresses, and removes its file", async (path, directory) => {
  const server = await startServer({ path });
  assert.deepEqual(server.listener.address, { host: path, port: 0 });
  assert.deepEqual(readdirSync(directory), ["app.sock"]);
  const { client, server: connection } = await server.connect();
  assert.deepEqual(connection.socket.remote, { host: "", port: 0 });
  assert.deepEqual(connection.socket.local, { host: path, port: 0 });
  connection.react.onEnd = () => {
    connection.socket.write(connection.chunks[0]!, 0, 5);
    connection.socket.close();
  };
  client.end("hello");
  assert.equal((await readAll(client)).toString(), "hello");
  server.close();
  assert.deepEqual(readdirSync(directory), []);
});

for (const mode of [undefined, 0o600, 0o660, 0o777]) {
  unix(`its mode is ${mode === undefined ? "0666 unless told" : mode.toString(8)}`, async (path) => {
    const server = await startServer({ path, pathMode: mode });
    assert.equal((lstatSync(path).mode & 0o777).toString(8), (mode ?? 0o666).toString(8));
    server.close();
  });
}

unix(
  "a path below a file, below a link to itself, or that ends in a slash, is one sentence",
  async (path, directory) => {
    writeFileSync(join(directory, "file"), "");
    await refused(
      startServer({ path: join(directory, "file", "app.sock") }),
      /^The directory of the socket .* create it/,
    );
    symlinkSync("self", join(directory, "self"));
    await refused(
      startServer({ path: join(directory, "self", "app.sock") }),
      /^The directory of the socket .* create it/,
    );
    for (const odd of [`${path}/`, ""]) {
      await refused(startServer({ path: odd }), /^The socket path ".*" has no name at its end; /);
    }
    assert.deepEqual(readdirSync(directory).sort(), ["file", "self"]);
  },
);

unix("a dead socket file is replaced", async (path) => {
  leaveDeadSocket(path);
  const server = await startServer({ path });
  const { client } = await server.connect();
  client.destroy();
  server.close();
  assert.equal(existsSync(path), false);
});

unix("a live server's socket is refused", async (path) => {
  const first = await startServer({ path });
  await refused(startServer({ path }), /^Another server is already listening on .*app\.sock; stop it or choose/);
  const { client } = await first.connect();
  client.destroy();
  first.close();
});

unix("a live server's socket is replaced when asked, and its file outlives the old server", async (path, directory) => {
  const first = await startServer({ path });
  const old = await first.connect();
  const second = await startServer({ path, replaceLive: true });
  const { client, server: connection } = await second.connect();
  assert.equal(first.connections.length, 1);
  first.listener.close();
  assert.ok(existsSync(path));
  connection.socket.close();
  assert.equal((await readAll(client)).length, 0);
  old.server.socket.close();
  assert.equal((await readAll(old.client)).length, 0);
  second.close();
  first.close();
  assert.deepEqual(readdirSync(directory), []);
});

unix("a regular file, a directory or a link is refused and left alone", async (path, directory) => {
  writeFileSync(path, "precious");
  await refused(startServer({ path, replaceLive: true }), /app\.sock exists and is not a socket; remove it or/);
  assert.equal(readFileSync(path, "utf8"), "precious");
  mkdirSync(join(directory, "d"));
  await refused(startServer({ path: join(directory, "d") }), /exists and is not a socket/);
  symlinkSync(path, join(directory, "l"));
  await refused(startServer({ path: join(directory, "l") }), /exists and is not a socket/);
  assert.deepEqual(readdirSync(directory).sort(), ["app.sock", "d", "l"]);
});

unix("a directory that does not exist is one sentence", async (_path, directory) => {
  await refused(startServer({ path: join(directory, "none", "a.sock") }), /^The directory of the socket .* does not/);
});

unix("a path that fits only just works, a longer one is one sentence", async (_path, directory) => {
  const limit = process.platform === "linux" ? 107 : 103;
  const fits = join(directory, "x".repeat(limit - directory.length - 1));
  assert.equal(fits.length, limit);
  const server = await startServer({ path: fits });
  const { client } = await server.connect();
  client.destroy();
  server.close();
  await refused(
    startServer({ path: `${fits}x` }),
    new RegExp(`has ${limit + 1} bytes but the system allows ${limit};`),
  );
  const deep = join(directory, "y".repeat(limit - directory.length - 3));
  mkdirSync(deep);
  const short = await startServer({ path: join(deep, "s") });
  assert.deepEqual(readdirSync(deep), ["s"]);
  short.close();
  assert.deepEqual(readdirSync(directory), [deep.slice(directory.length + 1)]);
});

unix("the accept queue is as long as told", async (path) => {
  const server = await startServer({ path, backlog: 600 });
  const line = spawnSync("ss", ["-lxn"], { encoding: "utf8" })
    .stdout?.split("\n")
    .find((entry) => entry.includes(path.slice(0, path.lastIndexOf("/"))));
  if (line !== undefined) {
    assert.equal(Number(/LISTEN\s+\d+\s+(\d+)/.exec(line)![1]), server.listener.backlogInForce ?? 600);
  }
  server.close();
});

unix("FIN while paused is told on Bun, read on Deno", async (path) => {
  const server = await startServer({ path });
  const { client, server: connection } = await server.connect();
  connection.socket.pause();
  client.end("12345");
  if (process.platform === "linux" && "Bun" in globalThis) {
    while (connection.unreadBytes === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(connection.unreadBytes + connection.receivedBytes, 5);
  }
  connection.socket.resume();
  while (!connection.ended) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(connection.text, "12345");
  server.close();
});
