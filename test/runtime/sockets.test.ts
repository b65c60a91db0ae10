/** The contract of `Socket` and `SocketHandler`: the same on every runtime. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, openClient, pattern, type Recorder, readAll, runtime, sleep, startServer, until } from "./harness.ts";

const MEGABYTE = 1024 * 1024;

/** Runs one case against a fresh server and leaves nothing open behind it. */
function contract(
  name: string,
  body: (server: Awaited<ReturnType<typeof startServer>>) => Promise<void>,
  shape?: (recorder: Recorder) => void,
): void {
  test(name, async () => {
    const server = await startServer({}, shape);
    try {
      await body(server);
      assert.deepEqual(server.errors, []);
    } finally {
      server.close();
    }
  });
}

function echo(recorder: Recorder): void {
  recorder.react.onData = (chunk, length) => {
    recorder.socket.write(chunk, 0, length);
  };
  recorder.react.onEnd = () => recorder.socket.close();
}

contract(
  "echoes, answers a FIN and closes once",
  async (server) => {
    const { client, server: connection } = await server.connect();
    client.write("hello ");
    await until(() => connection.receivedBytes === 6, "the first bytes");
    client.end("world");
    assert.equal((await readAll(client)).toString(), "hello world");
    await until(() => connection.closes === 1, "close");
    assert.deepEqual(connection.events, ["end", "close"]);
    assert.equal(connection.closeError, undefined);
  },
  echo,
);

contract("write takes a part of an array", async (server) => {
  const { client, server: connection } = await server.connect();
  const whole = bytes("0123456789");
  assert.equal(connection.socket.write(whole, 2, 5), 3);
  assert.equal(connection.socket.write(whole.subarray(5), 1, 3), 2);
  assert.equal(connection.socket.write(whole, 4, 4), 0);
  connection.socket.close();
  assert.equal((await readAll(client)).toString(), "23467");
});

contract("the caller may reuse the bytes that write took", async (server) => {
  const { client, server: connection } = await server.connect();
  const buffer = new Uint8Array(1000);
  for (let i = 0; i < 50; i++) {
    buffer.fill(i);
    assert.equal(connection.socket.write(buffer, 0, 1000), 1000);
  }
  buffer.fill(255);
  connection.socket.close();
  const all = await readAll(client);
  assert.equal(all.length, 50_000);
  for (let i = 0; i < all.length; i++) assert.equal(all[i], Math.floor(i / 1000));
});

contract("borrowed bytes arrive behind those written, and are free again with drain", async (server) => {
  const { client, server: connection } = await server.connect();
  const { socket } = connection;
  const all = readAll(client);
  const sent: Uint8Array[] = [];
  for (const kilobytes of [4, 16, 64, 300]) {
    const page = pattern(kilobytes * 1024);
    const drained = new Promise<void>((resolve) => {
      connection.react.onDrain = resolve;
    });
    assert.equal(socket.write(bytes("head"), 0, 4), 4);
    let taken = socket.borrow(page, 1, page.length);
    // What was written before may still be on its way, and be followed by copies only.
    if (runtime.name === "deno")
      await until(() => taken > 0 || (taken = socket.borrow(page, 1, page.length)) > 0, "it");
    else assert.equal(taken, 0);
    sent.push(bytes("head"), page.slice(1, 1 + taken));
    if (taken === 0) continue;
    await drained;
    page.fill(255);
    assert.equal(socket.write(page, 0, 1), 1);
    sent.push(Uint8Array.of(255));
  }
  socket.close();
  assert.equal(Buffer.compare(await all, Buffer.concat(sent)), 0);
});

contract("a borrowed array that is transferred away before it has left ends its connection only", async (server) => {
  if (runtime.name !== "deno") return;
  const { client, server: connection } = await server.connect();
  client.on("error", () => {});
  client.resume();
  const page = pattern(1024);
  connection.socket.write(page, 0, page.length);
  assert.equal(connection.socket.borrow(page, 0, page.length), page.length);
  structuredClone(page.buffer, { transfer: [page.buffer as ArrayBuffer] });
  await until(() => connection.closes === 1, "close");
  assert.match(String(connection.closeError?.message), /changed/);
});

contract("64 MB reach a slow reader whole, by short writes and drains", async (server) => {
  const { client, server: connection } = await server.connect();
  const size = 64 * MEGABYTE;
  const sent = pattern(size);
  connection.send(sent, () => connection.socket.close());
  let at = 0;
  let wrong = -1;
  await new Promise<void>((resolve) => {
    client.on("data", (chunk: Uint8Array) => {
      if (wrong < 0 && Buffer.compare(chunk, sent.subarray(at, at + chunk.length)) !== 0) wrong = at;
      at += chunk.length;
      if (at < 4 * MEGABYTE) {
        client.pause();
        setTimeout(() => client.resume(), 3);
      }
    });
    client.once("end", () => resolve());
    client.resume();
  });
  assert.equal(wrong, -1);
  assert.equal(at, size);
  assert.ok(connection.drains > 0);
});

contract("a write to a reader that has stopped is short, and drains when it reads again", async (server) => {
  const { client, server: connection } = await server.connect();
  const block = new Uint8Array(MEGABYTE);
  let taken = 0;
  let short = false;
  for (let quiet = 0; quiet < 20; ) {
    const count = connection.socket.write(block, 0, block.length);
    assert.ok(count >= 0);
    taken += count;
    short ||= count < block.length;
    assert.ok(taken < 64 * MEGABYTE, "the socket takes without end");
    if (count === 0) quiet++;
    await sleep(2);
  }
  assert.ok(short);
  const drainsBefore = connection.drains;
  client.resume();
  await until(() => connection.drains > drainsBefore, "drain");
});

contract("pause holds a sender back, resume delivers everything in order", async (server) => {
  const { client, server: connection } = await server.connect();
  connection.socket.pause();
  const sent = pattern(24 * MEGABYTE);
  client.write(sent);
  let last = -1;
  // The sender has stopped when nothing moves between two looks.
  for (let quiet = 0; quiet < 10; ) {
    await sleep(10);
    quiet = connection.receivedBytes + client.bytesWritten === last ? quiet + 1 : 0;
    last = connection.receivedBytes + client.bytesWritten;
  }
  assert.ok(connection.receivedBytes <= MEGABYTE, `${connection.receivedBytes} bytes delivered behind a pause`);
  connection.socket.resume();
  await until(() => connection.receivedBytes === sent.length, "all the bytes");
  assert.equal(Buffer.compare(Buffer.concat(connection.chunks), sent), 0);
});

contract(
  "pause and resume from within onData lose nothing",
  async (server) => {
    const { client, server: connection } = await server.connect();
    const sent = pattern(3 * MEGABYTE);
    client.end(sent);
    await until(() => connection.ended, "end");
    assert.equal(Buffer.compare(Buffer.concat(connection.chunks), sent), 0);
  },
  (recorder) => {
    recorder.react.onData = () => {
      recorder.socket.pause();
      if (recorder.chunks.length % 2 === 0) recorder.socket.resume();
      else setTimeout(() => recorder.socket.resume(), 1);
    };
  },
);

contract("half-open: an answer of 8 MB follows the peer's FIN", async (server) => {
  const { client, server: connection } = await server.connect();
  const answer = pattern(8 * MEGABYTE);
  connection.react.onEnd = () => {
    setTimeout(() => connection.send(answer, () => connection.socket.close()), 20);
  };
  client.end("request");
  const all = await readAll(client);
  assert.equal(Buffer.compare(all, answer), 0);
  assert.equal(connection.text, "request");
  await until(() => connection.closes === 1, "close");
  assert.deepEqual(connection.events, ["end", "close"]);
});

contract("shutdown sends FIN behind the bytes, reading goes on, the peer's FIN closes", async (server) => {
  const { client, server: connection } = await server.connect();
  const answer = pattern(200_000);
  connection.send(answer, () => connection.socket.shutdown());
  assert.equal(Buffer.compare(await readAll(client), answer), 0);
  assert.equal(connection.socket.write(answer, 0, 10), -1);
  client.write("still read");
  await until(() => connection.text === "still read", "bytes after shutdown");
  assert.equal(connection.closes, 0);
  client.end();
  await until(() => connection.closes === 1, "close");
  assert.equal(connection.closeError, undefined);
});

contract("FIN from the peer, then shutdown: closes once without an error", async (server) => {
  const { client, server: connection } = await server.connect();
  client.end();
  await until(() => connection.ended, "end");
  connection.socket.shutdown();
  await until(() => connection.closes === 1, "close");
  assert.deepEqual(connection.events, ["end", "close"]);
  assert.equal(connection.closeError, undefined);
  assert.equal((await readAll(client)).length, 0);
});

contract("close delivers what was taken, and onClose follows once", async (server) => {
  const { client, server: connection } = await server.connect();
  const answer = pattern(100_000);
  let at = 0;
  while (at < answer.length) {
    const count = connection.socket.write(answer, at, answer.length);
    assert.ok(count >= 0);
    at += count;
    if (count === 0) await sleep(1);
  }
  let inside = true;
  connection.react.onClose = () => assert.equal(inside, false, "onClose from within close()");
  connection.socket.close();
  inside = false;
  connection.socket.close();
  assert.equal(connection.socket.write(answer, 0, 1), -1);
  assert.equal(Buffer.compare(await readAll(client), answer), 0);
  await until(() => connection.closes === 1, "close");
  client.end("late");
  await sleep(20);
  assert.deepEqual(connection.events, ["close"]);
  assert.equal(connection.closeError, undefined);
});

contract("a reset by the peer is an error", async (server) => {
  const { client, server: connection } = await server.connect();
  resetByPeer(connection, client);
  await until(() => connection.closes === 1, "close");
  assert.ok(connection.closeError instanceof Error);
  assert.deepEqual(connection.events, ["close"]);
  assert.equal(connection.socket.write(bytes("x"), 0, 1), -1);
});

/** Leaving with unread bytes makes the kernel send RST; that works with clients that can't ask for one. */
function resetByPeer(connection: Recorder, client: Awaited<ReturnType<typeof openClient>>): void {
  connection.socket.write(bytes("unread"), 0, 6);
  setTimeout(() => client.destroy(), 20);
}

contract("writing to a peer that is gone ends in one error", async (server) => {
  const { client, server: connection } = await server.connect();
  connection.react.onEnd = () => {};
  client.destroy();
  await until(() => connection.ended, "end");
  const block = new Uint8Array(1000);
  for (let answer = 0; answer >= 0 && connection.closes === 0; ) {
    answer = connection.socket.write(block, 0, block.length);
    await sleep(2);
  }
  await until(() => connection.closes === 1, "close");
  assert.ok(connection.closeError instanceof Error);
  await sleep(20);
  assert.deepEqual(connection.events, ["end", "close"]);
});

contract("a reset that a write meets first is an error, too", async (server) => {
  const { client, server: connection } = await server.connect();
  connection.socket.write(new Uint8Array(100_000), 0, 100_000);
  await sleep(20);
  client.destroy();
  const deadline = performance.now() + 50;
  while (performance.now() < deadline);
  connection.socket.write(bytes("x"), 0, 1);
  await until(() => connection.closes === 1, "close");
  assert.ok(connection.closeError instanceof Error);
  assert.deepEqual(connection.events, ["close"]);
});

contract("reset ends the connection, with RST where the runtime can", async (server) => {
  const { client, server: connection } = await server.connect();
  const seen: string[] = [];
  client.on("error", (error: Error & { code?: string }) => seen.push(error.code ?? "error"));
  client.on("end", () => seen.push("end"));
  client.resume();
  connection.socket.reset();
  connection.socket.reset();
  connection.socket.close();
  await until(() => connection.closes === 1 && seen.length > 0, "the end on both sides");
  assert.deepEqual(seen, [runtime.canReset ? "ECONNRESET" : "end"]);
  await sleep(10);
  assert.deepEqual(connection.events, ["close"]);
  assert.equal(connection.closeError, undefined);
});

contract("reset frees a connection whose peer does not read", async (server) => {
  const { client, server: connection } = await server.connect();
  const block = new Uint8Array(MEGABYTE);
  for (let quiet = 0; quiet < 10; ) {
    if (connection.socket.write(block, 0, block.length) === 0) quiet++;
    await sleep(1);
  }
  connection.socket.close();
  connection.socket.reset();
  await until(() => connection.closes === 1, "close");
  const closed = new Promise((resolve) => client.once("close", resolve));
  client.resume();
  client.end();
  await closed;
});

contract("a handler that throws loses its connection only", async (server) => {
  const { client, server: connection } = await server.connect();
  const other = await server.connect();
  connection.react.onData = () => {
    throw new Error("from the handler");
  };
  client.write("x");
  await until(() => connection.closes === 1, "close");
  assert.equal((server.errors.shift() as Error).message, "from the handler");
  other.client.write("y");
  await until(() => other.server.text === "y", "the other connection's bytes");
});

test("an accept function that throws loses its connection only", async () => {
  let accepted = 0;
  const errors: unknown[] = [];
  const listener = await runtime.listen({ port: 0, backlog: 16, onError: (error) => errors.push(error) }, (socket) => {
    if (accepted++ === 0) throw new Error("no");
    return {
      onData: (chunk, length) => socket.write(chunk, 0, length),
      onDrain: () => {},
      onEnd: () => socket.close(),
      onEndUnread: () => {},
      onClose: () => {},
    };
  });
  const first = await openClient(listener);
  first.resume();
  await new Promise((resolve) => first.once("close", resolve).once("end", () => first.end()));
  assert.equal(errors.length, 1);
  const second = await openClient(listener);
  second.end("works");
  assert.equal((await readAll(second)).toString(), "works");
  listener.close();
});

contract("FIN while paused: told with the unread count, or at the next read", async (server) => {
  const { client, server: connection } = await server.connect();
  connection.socket.pause();
  client.end(pattern(5000));
  if (runtime.name === "bun" && process.platform === "linux") {
    await until(() => connection.unreadBytes !== undefined, "endUnread");
    assert.equal(connection.unreadBytes! + connection.receivedBytes, 5000);
    assert.equal(connection.ended, false);
  }
  connection.socket.resume();
  await until(() => connection.ended, "end");
  assert.equal(connection.receivedBytes, 5000);
  assert.equal(connection.events.filter((event) => event === "endUnread").length <= 1, true);
});

contract("a reset behind a pause is seen, at once or at the next read", async (server) => {
  const { client, server: connection } = await server.connect();
  connection.socket.pause();
  resetByPeer(connection, client);
  if (runtime.name === "bun") await until(() => connection.closes === 1, "close");
  await sleep(40);
  connection.socket.resume();
  await until(() => connection.closes === 1, "close");
  assert.ok(connection.closeError instanceof Error);
});

contract("behind close, onClose follows the bytes that were taken", async (server) => {
  const { client, server: connection } = await server.connect();
  const taken = connection.socket.write(pattern(MEGABYTE), 0, MEGABYTE);
  connection.socket.close();
  assert.equal(connection.socket.unsent, runtime.name === "deno");
  assert.equal((await readAll(client)).length, taken);
  await until(() => connection.closes === 1, "close");
  assert.equal(connection.socket.unsent, false);
});

contract("addresses of both ends", async (server) => {
  const { client, server: connection } = await server.connect();
  assert.deepEqual(connection.socket.remote, { host: "127.0.0.1", port: client.localPort });
  assert.deepEqual(connection.socket.local, server.listener.address);
  assert.equal(connection.socket.remote, connection.socket.remote);
  client.destroy();
  await until(() => connection.ended, "end");
  assert.equal(connection.socket.remote.host, "127.0.0.1");
});

contract("addresses of both ends, first asked for behind a reset, are texts and numbers", async (server) => {
  const { client, server: connection } = await server.connect();
  client.write("a");
  client.resetAndDestroy();
  await until(() => connection.closes === 1, "close");
  for (const { host, port } of [connection.socket.remote, connection.socket.local]) {
    assert.deepEqual([typeof host, typeof port], ["string", "number"]);
  }
});

test("closing the listener leaves its connections alone", async () => {
  const server = await startServer({}, echo);
  const { client, server: connection } = await server.connect();
  server.listener.close();
  server.listener.close();
  await assert.rejects(openClient(server.listener));
  client.end("still here");
  assert.equal((await readAll(client)).toString(), "still here");
  await until(() => connection.closes === 1, "close");
});

test("2,000 idle connections, each of which still answers", async () => {
  const server = await startServer({ backlog: 2048 }, echo);
  const count = 2000;
  const clients: Awaited<ReturnType<typeof openClient>>[] = [];
  for (let i = 0; i < count; i += 100) {
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => openClient(server.listener)))));
  }
  await until(() => server.connections.length === count, "all the connections");
  const answers = await Promise.all(
    clients.map((client, i) => {
      client.end(`hello ${i}`);
      return readAll(client);
    }),
  );
  for (const [i, answer] of answers.entries()) assert.equal(answer.toString(), `hello ${i}`);
  await until(() => server.connections.every((connection) => connection.closes === 1), "all closed");
  server.close();
});
