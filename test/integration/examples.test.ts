/** The applications of examples/, each served on both runtimes and asked by a real client. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Program } from "../harness/program.ts";
import { RawClient, request } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { onEach, ROOT, sharedServer, withServer } from "../harness/server.ts";

const example = (name: string): string => join(ROOT, "examples", name);

onEach((runtime) => {
  const upload = sharedServer(runtime, example("upload.ts"));

  test(`examples on ${runtime}: hello`, async () => {
    await withServer(runtime, example("hello.ts"), [], async ({ address }) => {
      const response = await request(address, "/");
      assert.equal(text(response), "Hello\n");
      assert.equal(response.framing, "length");
    });
  });

  test(`examples on ${runtime}: upload counts what arrives`, async () => {
    const { address } = await upload();
    const body = new Uint8Array(3_000_000);
    assert.match(text(await request(address, "/", { method: "POST", body })), /^3000000 bytes in \d+ pieces\n$/);
  });

  test(`examples on ${runtime}: upload of nothing`, async () => {
    const { address } = await upload();
    assert.equal(text(await request(address, "/")), "0 bytes in 1 pieces\n");
  });

  test(`examples on ${runtime}: events come one by one, and end with a stopping server`, async () => {
    const args = ["--timeout-graceful-shutdown", "1"];
    await withServer(runtime, example("sse.ts"), args, async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
      await client.sees("id: 2\n");
      server.signal("SIGTERM");
      const response = await client.response();
      assert.equal(field(response, "content-type"), "text/event-stream");
      assert.equal(response.framing, "chunked");
      client.close();
    });
  });

  test(`examples on ${runtime}: a factory's lifespan opens and closes what requests share`, async () => {
    await withServer(runtime, example("factory.ts:createApp"), ["--factory"], async (server) => {
      assert.equal(text(await request(server.address, "/")), "Visit number 1\n");
      assert.equal(text(await request(server.address, "/")), "Visit number 2\n");
      process.kill(server.pid, "SIGTERM");
      assert.equal((await server.ended()).code, 0);
      assert.match(server.stdout, /^2 visits$/m);
    });
  });
});

onEach((runtime) => {
  const middleware = sharedServer(runtime, example("middleware.ts"));
  const files = sharedServer(runtime, example("files.ts"));

  test(`examples on ${runtime}: middleware adds a field`, async () => {
    const response = await request((await middleware()).address, "/", { method: "POST", body: "hello" });
    assert.equal(text(response), "5 bytes in 1 pieces\n");
    assert.match(field(response, "server-timing") ?? "", /^app;dur=[\d.]+$/);
  });

  test(`examples on ${runtime}: middleware refuses what is too large`, async () => {
    const server = await middleware();
    const curl = new Program(["sh", "-c", `head -c 3000000 /dev/zero | curl -s -i -T - ${server.url}`]);
    curl.finish();
    await curl.exit();
    assert.match(curl.stdout, /^HTTP\/1\.1 413 /m);
    assert.match(curl.stdout, /Too large\n$/);
  });

  test(`examples on ${runtime}: a file is sent by the server`, async () => {
    const response = await request((await files()).address, "/hello.ts");
    assert.equal(text(response), readFileSync(example("hello.ts"), "utf8"));
    assert.equal(response.framing, "length");
  });

  test(`examples on ${runtime}: no file outside the list is sent`, async () => {
    const { address } = await files();
    for (const path of ["/sse.ts", "/../package.json", "/%2e%2e/package.json", "/"]) {
      assert.equal((await request(address, path)).status, 404);
    }
  });
});
