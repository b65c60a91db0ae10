/** In which arrays a connection reads: small ones while it is idle, larger ones while they are filled. */
import assert from "node:assert/strict";
import { test } from "node:test";
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
