/** Errors that no request owns: a forgotten promise, a timer that throws, a lifespan that ends early. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { request } from "../harness/raw.ts";
import { text } from "../harness/response.ts";
import { RUNTIMES, testApp, withServer } from "../harness/server.ts";

for (const runtime of RUNTIMES) {
  for (const [path, message] of [
    ["/reject", "stray rejection"],
    ["/throw", "stray throw"],
    ["/reject-odd", "an error that can't be shown as text"],
  ] as const) {
    test(`${runtime}: ${path.slice(1)} outside a request is logged and the server serves on`, async () => {
      await withServer(runtime, testApp("stray.ts"), [], async (server) => {
        assert.equal(text(await request(server.address, path)), "ok");
        await server.sees(new RegExp(message));
        assert.equal(text(await request(server.address, "/")), "ok");
        assert.equal(server.stderr.split(message).length, 2, "once");
      });
    });
  }

  test(`${runtime}: a lifespan that raises after startup is logged and the server serves on`, async () => {
    await withServer(runtime, testApp("stray.ts"), [], async (server) => {
      assert.equal(text(await request(server.address, "/end-lifespan")), "ok");
      await server.sees(/lifespan gave up/);
      assert.equal(text(await request(server.address, "/")), "ok");
    });
  });
}
