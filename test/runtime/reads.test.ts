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
