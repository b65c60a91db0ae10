/** Binding: addresses, the accept queue, and the sentences for what goes wrong. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { listenError, listenSentence } from "../../src/runtime/listen-errors.ts";
import { PlainError } from "../../src/runtime/types.ts";
import { openClient, readAll, runtime, sleep, startServer, until } from "./harness.ts";

const hasSs = process.platform === "linux" && spawnSync("ss", ["--version"]).status === 0;
const hasIpv6 = process.platform !== "linux" || readFileSync("/proc/net/if_inet6", "utf8").length > 0;

/** The accept queue's length of a listening socket, as the kernel tells it. */
function queueOf(place: string, kind: "-t" | "-x"): number {
  const line = spawnSync("ss", ["-ln", kind], { encoding: "utf8" })
    .stdout.split("\n")
    .find((entry) => entry.split(/\s+/).includes(place));
  assert.ok(line !== undefined, `${place} is not in ss's list`);
  return Number(/LISTEN\s+\d+\s+(\d+)/.exec(line)![1]);
}

for (const backlog of [7, 512, 2048]) {
  test(`a backlog of ${backlog} is in force, or the one in force is told`, { skip: !hasSs }, async () => {
    const server = await startServer({ backlog });
    const { host, port } = server.listener.address;
    assert.equal(queueOf(`${host}:${port}`, "-t"), server.listener.backlogInForce ?? backlog);
    assert.equal(server.listener.backlogInForce, undefined);
    server.close();
  });
}

test("a backlog beyond the kernel's cap is told", { skip: !hasSs }, async () => {
  const cap = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
  const server = await startServer({ backlog: cap + 1 });
  const { host, port } = server.listener.address;
  assert.equal(server.listener.backlogInForce, cap);
  assert.equal(queueOf(`${host}:${port}`, "-t"), cap);
  server.close();
});

test("IPv6", { skip: !hasIpv6 }, async () => {
  const server = await startServer({ host: "::1" });
  assert.equal(server.listener.address.host, "::1");
  const { client, server: connection } = await server.connect();
  assert.deepEqual(connection.socket.remote, { host: "::1", port: client.localPort });
  assert.deepEqual(connection.socket.local, server.listener.address);
  connection.socket.close();
  assert.equal((await readAll(client)).length, 0);
  server.close();
});

test("a host name is resolved, IPv4 first", async () => {
  const server = await startServer({ host: "localhost" });
  assert.equal(server.listener.address.host, "127.0.0.1");
  server.close();
});

test("the default host is loopback", async () => {
  const server = await startServer({});
  assert.equal(server.listener.address.host, "127.0.0.1");
  server.close();
});

test("an unknown host name is one sentence", async () => {
  await assert.rejects(startServer({ host: "no-such-host.invalid" }), (error: unknown) => {
    assert.ok(error instanceof PlainError);
    assert.match(error.message, /^The host name "no-such-host\.invalid" is not known on this machine; use /);
    return true;
  });
});

// What looks like an address, or is pasted with more than the address.
for (const [host, sentence] of [
  ["256.1.1.1", /^The host name "256\.1\.1\.1" is not known on this machine; /],
  ["localhost:8000", /^"localhost:8000" is neither an address nor a host name; give one without http:\/\/, .*port/],
  ["127.0.0.1:8000", /^"127\.0\.0\.1:8000" is neither /],
  ["http://127.0.0.1", /^"http:\/\/127\.0\.0\.1" is neither /],
  ["[::1]", /^"\[::1\]" is neither /],
  ["::1]/[", /^"::1\]\/\[" is neither /],
  ["::1%lo", /^"::1%lo" is neither /],
  ["::12345", /^"::12345" is neither /],
  ["*", /^"\*" is neither /],
] as const) {
  test(`--host ${host} is one sentence`, async () => {
    await assert.rejects(startServer({ host }), (error: unknown) => {
      assert.ok(error instanceof PlainError, String(error));
      assert.match(error.message, sentence);
      return true;
    });
  });
}

test("an address that nobody can listen on is one sentence", { skip: !hasIpv6 }, async () => {
  await assert.rejects(startServer({ host: "ff02::1" }), (error: unknown) => {
    assert.ok(error instanceof PlainError, String(error));
    assert.match(error.message, /^No server can listen on ff02::1, /);
    return true;
  });
});

test("a port in use is one sentence, and the port is free again after close", async () => {
  const first = await startServer({});
  const { port } = first.listener.address;
  await assert.rejects(startServer({ port }), (error: unknown) => {
    assert.ok(error instanceof PlainError);
    assert.equal(
      error.message,
      `Another program is already listening on 127.0.0.1:${port}; stop it or choose another port.`,
    );
    return true;
  });
  first.close();
  await sleep(20);
  const second = await startServer({ port });
  assert.equal(second.listener.address.port, port);
  second.close();
});

test("an address of another machine is one sentence", async () => {
  await assert.rejects(startServer({ host: "203.0.113.7" }), (error: unknown) => {
    assert.ok(error instanceof PlainError);
    assert.match(error.message, /^203\.0\.113\.7 is not an address of this machine; /);
    return true;
  });
});

const SENTENCES: [string, object, RegExp][] = [
  ["EACCES", { port: 80 }, /^Ports below 1024 need privileges, so 127\.0\.0\.1:80 was refused; choose /],
  ["EPERM", { host: "::", port: 8000 }, /^The system refused to let this user listen on \[::\]:8000; choose /],
  ["EACCES", { path: "/run/x.sock" }, /^This user may not create a socket at \/run\/x\.sock; choose /],
  ["ENOENT", { path: "/none/x.sock" }, /^The directory of the socket \/none\/x\.sock does not exist; create it/],
  ["ELOOP", { path: "/loop/x.sock" }, /^The directory of the socket \/loop\/x\.sock does not exist; create it/],
  ["EADDRINUSE", { path: "/run/x.sock" }, /^Another program is already using the socket \/run\/x\.sock; stop it/],
  ["EAFNOSUPPORT", { host: "::1" }, /^This machine does not support the kind of address that ::1 is; use /],
  ["EMFILE", { port: 1 }, /^No file descriptor is left to listen on 127\.0\.0\.1:1; raise /],
];
for (const [code, options, sentence] of SENTENCES) {
  test(`${code} for ${JSON.stringify(options)} is one sentence`, () => {
    assert.match(listenSentence(code, { backlog: 1, ...options })!, sentence);
  });
}

test("an error that no user causes keeps its stack", () => {
  const odd = Object.assign(new Error("odd"), { code: "EODD" });
  assert.equal(listenError(odd, { backlog: 1 }), odd);
});

test("two listeners share a port with reusePort, or a sentence says why not", async () => {
  let first: Awaited<ReturnType<typeof startServer>>;
  try {
    first = await startServer({ reusePort: true });
  } catch (error) {
    assert.equal(runtime.name, "deno");
    assert.ok(error instanceof PlainError);
    assert.match(error.message, /--unstable-net/);
    return;
  }
  const second = await startServer({ port: first.listener.address.port, reusePort: true });
  // The kernel spreads connections by their addresses: with many, both get some.
  for (let i = 0; i < 64; i++) (await openClient(first.listener)).destroy();
  await until(() => first.connections.length + second.connections.length === 64, "all connections");
  assert.ok(first.connections.length > 0 && second.connections.length > 0);
  first.close();
  second.close();
});
