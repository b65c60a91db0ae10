/** undici, pipelining included. Usage: undici.mjs http://HOST:PORT [UNIX-SOCKET]. Runs on Deno (undici needs a newer Node than 20). */
import assert from "node:assert/strict";
import process from "node:process";
import { Client } from "undici";

const [origin, socketPath] = process.argv.slice(2);
const client = new Client(origin, { pipelining: 16, ...(socketPath === undefined ? {} : { socketPath }) });

async function call(path, options = {}) {
  const { statusCode, body, trailers } = await client.request({ path, method: "GET", ...options });
  const text = await body.text();
  return { statusCode, text, trailers };
}

assert.equal((await call("/")).text, "hello");
const many = await Promise.all(Array.from({ length: 300 }, (_, i) => call(`/status?body=n${i}`)));
assert.deepEqual(
  many.map(({ text }) => text),
  many.map((_, i) => `n${i}`),
);
assert.equal((await call("/echo", { method: "POST", body: "x".repeat(100_000) })).text.length, 100_000);
assert.equal((await call("/stream?n=50&size=1000")).text.length, 50_000);
const mixed = await Promise.all([call("/"), call("/stream"), call("/sync"), call("/status?s=204"), call("/")]);
assert.deepEqual(
  mixed.map(({ text }) => text),
  ["hello", "aaaaaaaaaaaa", "sync", "", "hello"],
);
await client.close();
process.stdout.write("ok");
