/** The contract of sockets when there are many of them, so that some wait until others have had their turn. */
import assert from "node:assert/strict";
import type { Socket as ClientSocket } from "node:net";
import { test } from "node:test";
import { pattern, type Recorder, readAll, sleep, startServer, until } from "./harness.ts";

/** Of more than a hundred, Deno lets no more than a hundred write in a turn, and half as many read. */
const CROWD = 260;
const MESSAGE = pattern(1000);

async function crowd(
  body: (
    clients: ClientSocket[],
    connections: Recorder[],
    server: Awaited<ReturnType<typeof startServer>>,
  ) => Promise<void>,
): Promise<void> {
  const server = await startServer();
  try {
    const clients: ClientSocket[] = [];
    for (let i = 0; i < CROWD; i++) clients.push((await server.connect()).client);
    await body(clients, server.connections, server);
    assert.deepEqual(server.errors, []);
    for (const client of clients) client.destroy();
  } finally {
    server.close();
  }
}

test("what is written to many at once arrives whole and in order, and then their end", () =>
  crowd(async (clients, connections) => {
    for (const { socket } of connections) {
      assert.equal(socket.write(MESSAGE, 0, 400), 400);
      assert.equal(socket.write(MESSAGE, 400, 1000), 600);
      socket.shutdown();
    }
    for (const client of clients) assert.equal((await readAll(client)).compare(MESSAGE), 0);
  }));

test("of many that are written to at once some are closed in the same turn, the others lose nothing", () =>
  crowd(async (clients, connections) => {
    connections.forEach(({ socket }, i) => {
      socket.write(MESSAGE, 0, MESSAGE.length);
      if (i % 5 === 1) socket.reset();
      else if (i % 5 === 2) socket.close();
      else if (i % 5 === 3) clients[i].destroy();
    });
    for (let i = 0; i < CROWD; i++) {
      if (i % 5 === 0 || i % 5 === 4) {
        clients[i].resume();
        connections[i].socket.shutdown();
      }
      // What was taken before a close leaves before the end.
      if (i % 5 === 2) assert.equal((await readAll(clients[i])).compare(MESSAGE), 0);
    }
    await until(
      () => connections.every(({ closes }, i) => closes === (i % 5 === 1 || i % 5 === 2 ? 1 : closes)),
      "all closes",
    );
    assert.ok(connections.every(({ closes }) => closes <= 1));
  }));

test("many that write at once are all heard, also those that are paused and resumed meanwhile", () =>
  crowd(async (clients, connections) => {
    connections.forEach((connection, i) => {
      connection.react.onData = () => {
        if (i % 3 !== 0 || connection.receivedBytes === MESSAGE.length) return;
        connection.socket.pause();
        setTimeout(() => connection.socket.resume(), i % 7);
      };
    });
    for (let at = 0; at < MESSAGE.length; at += 250) {
      for (const client of clients) client.write(MESSAGE.subarray(at, at + 250));
      await sleep(5);
    }
    await until(() => connections.every(({ receivedBytes }) => receivedBytes === MESSAGE.length), "all bytes");
    for (const { chunks } of connections) assert.equal(Buffer.concat(chunks).compare(MESSAGE), 0);
  }));
