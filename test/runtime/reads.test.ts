/** In which arrays a connection reads: small ones while it is idle, larger ones while they are filled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Places } from "../../src/runtime/deno-places.ts";
import { pattern, runtime, startServer, until } from "./harness.ts";

test("reads grow while they fill their array, and what is small or idle waits with a small one", async () => {
  const server = await startServer({});
  const { client, server: connection } = await server.connect();
  const SMALL = 4096;
  const MOST = runtime.name === "deno" ? 64 * 1024 : 512 * 1024;
  const arrays: number[] = [];
  connection.react.onData = (chunk) => arrays.push(chunk.buffer.byteLength);
  const send = async (size: number): Promise<number[]> => {
    const before = connection.receivedBytes;
    arrays.length = 0;
    client.write(pattern(size));
    await until(() => connection.receivedBytes === before + size, `${size} bytes`);
    return [...arrays];
  };
  assert.ok(Math.max(...(await send(100))) <= SMALL);
  const large = await send(4 * 1024 * 1024);
  assert.ok(Math.max(...large) > SMALL, "4 MB are not read in small pieces");
  assert.ok(Math.max(...large) <= MOST, String(Math.max(...large)));
  // The end of the burst may lie in a large array; whatever comes later does not wait in one.
  await send(100);
  assert.ok(Math.max(...(await send(100))) <= SMALL);
  client.destroy();
  server.close();
});

test("what is expected is read at once where reads have a size, and what is read then is borrowed", async () => {
  const server = await startServer({});
  const { client, server: connection } = await server.connect();
  const IDLE = 2048;
  const MESSAGE = IDLE + 50_000;
  const lengths: number[] = [];
  connection.react.onData = (chunk, length) => {
    lengths.push(length);
    if (length < IDLE) return;
    if (length > IDLE && runtime.name === "deno") assert.ok(chunk.length > length, "it is the runtime's again");
    const left = MESSAGE - (connection.receivedBytes % MESSAGE);
    if (left < MESSAGE) connection.socket.expect(left);
  };
  for (let round = 1; round <= 3; round++) {
    const message = pattern(MESSAGE);
    client.write(message);
    await until(() => connection.receivedBytes === round * MESSAGE, `message ${round}`);
    assert.equal(Buffer.concat(connection.chunks.splice(0)).compare(message), 0);
  }
  if (runtime.name === "deno") assert.ok(lengths.filter((length) => length === IDLE).length >= 3, String(lengths));
  client.write(pattern(100));
  await until(() => connection.receivedBytes === 3 * MESSAGE + 100, "what comes later");
  client.destroy();
  server.close();
});

test("few connections at once wait in an array of the size that was announced", async () => {
  const server = await startServer({});
  const IDLE = 2048;
  const MOST = 64;
  const ANNOUNCED = 60_000;
  /** Announces a large message, of which only the first bytes come. */
  const announce = async () => {
    const { client, server: connection } = await server.connect();
    const sizes: number[] = [];
    connection.react.onData = (chunk) => {
      sizes.push(chunk.length);
      connection.socket.expect(ANNOUNCED);
    };
    client.write(pattern(IDLE));
    await until(() => connection.receivedBytes === IDLE, "the first bytes");
    return { client, connection, sizes };
  };
  /** How large the array is that the next bytes come in. */
  const next = async ({ client, connection, sizes }: Awaited<ReturnType<typeof announce>>) => {
    client.write(pattern(1));
    await until(() => connection.receivedBytes === IDLE + 1, "one byte more");
    return sizes.at(-1) ?? 0;
  };
  const waiting: Awaited<ReturnType<typeof announce>>[] = [];
  while (waiting.length <= MOST) waiting.push(await announce());
  let large = 0;
  for (const each of waiting.toReversed()) if ((await next(each)) > ANNOUNCED) large += 1;
  assert.equal(large, runtime.name === "deno" ? MOST : 0);
  for (const { client } of waiting) client.destroy();
  await until(() => waiting.every(({ connection }) => connection.ended || connection.closes > 0), "they are gone");
  const later = await announce();
  assert.equal((await next(later)) > ANNOUNCED, runtime.name === "deno", "those that are gone make room");
  later.client.destroy();
  server.close();
});

test("where little is awaited, few bytes wait in a place of their own, and more are read on at once", async () => {
  const server = await startServer({});
  const PLACE = 128;
  const pairs = [await server.connect(), await server.connect(), await server.connect()];
  const arrays: { chunk: Uint8Array; length: number }[] = [];
  for (const { server: connection } of pairs) {
    connection.react.onData = (chunk, length) => {
      arrays.push({ chunk, length });
      connection.socket.awaitLittle();
    };
  }
  const sent = pairs.map(() => [] as Uint8Array[]);
  const send = async (size: number, seed: number): Promise<void> => {
    for (const [i, { client }] of pairs.entries()) {
      const piece = new Uint8Array(size).map((_, at) => at * 7 + seed + i);
      sent[i]!.push(piece);
      client.write(piece);
    }
    const due = sent[0]!.reduce((sum, { length }) => sum + length, 0);
    await until(() => pairs.every(({ server: { receivedBytes } }) => receivedBytes === due), `${due} bytes`);
  };
  await send(10, 1);
  arrays.length = 0;
  for (const size of [1, PLACE - 1]) await send(size, size);
  assert.equal(arrays.length, 2 * pairs.length);
  if (runtime.name === "deno") {
    assert.deepEqual(
      [...new Set(arrays.map(({ chunk }) => chunk.length))],
      [PLACE + 1],
      "it is not the reader's to keep",
    );
    assert.equal(new Set(arrays.map(({ chunk }) => chunk.buffer)).size, 1, "connections share an array");
  }
  for (const size of [PLACE, PLACE + 1, 3000, 5000, 200_000, 3]) await send(size, size);
  for (const [i, { server: connection }] of pairs.entries()) {
    assert.equal(Buffer.concat(connection.chunks).compare(Buffer.concat(sent[i]!)), 0, `connection ${i}`);
  }
  for (const { client } of pairs) client.destroy();
  server.close();
});

test("behind a place that was filled, an announced message is read in one piece, not in places", async () => {
  const server = await startServer({});
  const { client, server: connection } = await server.connect();
  const REST = 3000;
  const lengths: number[] = [];
  connection.react.onData = (_chunk, length) => {
    lengths.push(length);
    if (length === REST || lengths.length === 1) connection.socket.awaitLittle();
    else connection.socket.expect(REST);
  };
  client.write(pattern(10));
  await until(() => connection.receivedBytes === 10, "the first bytes");
  client.write(pattern(128 + REST));
  await until(() => connection.receivedBytes === 138 + REST, "the message");
  if (runtime.name === "deno") assert.deepEqual(lengths, [10, 128, REST]);
  client.destroy();
  server.close();
});

test("places of connections that are gone serve others", async () => {
  const places = new Places();
  const taken = Array.from({ length: 300 }, () => places.take());
  assert.equal(new Set(taken).size, taken.length);
  const ranges = taken.map((place) => places.filled(place));
  for (const [i, bytes] of ranges.entries()) bytes.fill(i);
  for (const [i, bytes] of ranges.entries())
    assert.ok(
      bytes.every((byte) => byte === (i & 255)),
      `place ${i}`,
    );
  for (const place of taken) assert.equal(places.toFill(place).length, places.filled(place).length - 1);
  const arrays = new Set(ranges.map(({ buffer }) => buffer));
  for (const place of taken) places.give(place);
  for (let i = 0; i < 300; i++) assert.ok(arrays.has(places.filled(places.take()).buffer), "no new array");
});
