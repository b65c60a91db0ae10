/** Unix sockets: requests, the socket file's mode, and what stands in its way. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { hasTool, output } from "../harness/clients.ts";
import { RawClient, request } from "../harness/raw.ts";
import { text } from "../harness/response.ts";
import { onEach, Server, testApp, withServer } from "../harness/server.ts";

const APP = testApp("contract.ts");
const folder = mkdtempSync(join(tmpdir(), "ringcorn-uds-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

onEach((runtime) => {
  const at = (name: string) => join(folder, `${runtime}-${name}.sock`);

  test(`${runtime}: serves over a Unix socket and removes it at the end`, async () => {
    const path = at("serves");
    await withServer(runtime, APP, ["--uds", path], async (server) => {
      assert.deepEqual(server.address, { path });
      const scope = JSON.parse(text(await request(server.address, "/scope"))) as Record<string, unknown>;
      assert.equal(scope.client, null);
      assert.deepEqual(scope.server, [path, null]);
      const client = await RawClient.connect(server.address);
      const body = Buffer.alloc(500_000, "x");
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
      for (let i = 0; i < 3; i++) assert.equal(text(await client.response()), "hello");
      await client.send(`POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`, body);
      assert.ok(body.equals((await client.response()).body));
      client.close();
      await server.stop();
      assert.ok(!existsSync(path));
    });
  });

  for (const [args, expected] of [
    [[], "666"],
    [["--uds-mode", "600"], "600"],
    [["--uds-mode", "660"], "660"],
  ] as const) {
    test(`${runtime}: the socket has mode ${expected}`, async () => {
      const path = at(`mode-${expected}`);
      await withServer(runtime, APP, ["--uds", path, ...args], async () => {
        assert.equal(mode(path), expected);
      });
    });
  }

  test(`${runtime}: a dead socket's file is replaced`, async () => {
    const path = at("dead");
    const first = await Server.start(runtime, APP, ["--uds", path]);
    await first.kill();
    assert.ok(existsSync(path), "the file of a killed server stays");
    await withServer(runtime, APP, ["--uds", path], async (server) => {
      assert.equal(text(await request(server.address, "/")), "hello");
    });
  });

  test(`${runtime}: a live server's socket is refused in one plain sentence`, async () => {
    const path = at("live");
    await withServer(runtime, APP, ["--uds", path], async (server) => {
      const second = Server.spawn(runtime, APP, ["--uds", path]);
      assert.notEqual((await second.ended()).code, 0);
      assert.ok(second.stderr.includes(path), second.stderr);
      assert.doesNotMatch(second.stderr, /\n\s+at /);
      assert.equal(text(await request(server.address, "/")), "hello", "the first is unharmed");
    });
  });

  test(`${runtime}: a regular file is refused and left alone`, async () => {
    const path = at("file");
    writeFileSync(path, "precious");
    const server = Server.spawn(runtime, APP, ["--uds", path]);
    assert.notEqual((await server.ended()).code, 0);
    assert.ok(server.stderr.includes(path), server.stderr);
    assert.doesNotMatch(server.stderr, /\n\s+at /);
    assert.equal(readFileSync(path, "utf8"), "precious");
  });

  test(`${runtime}: a folder that does not exist is one plain sentence`, async () => {
    const path = join(folder, "missing", "a.sock");
    const server = Server.spawn(runtime, APP, ["--uds", path]);
    assert.notEqual((await server.ended()).code, 0);
    assert.ok(server.stderr.includes(path), server.stderr);
    assert.doesNotMatch(server.stderr, /\n\s+at /);
  });

  test(`${runtime}: curl over the Unix socket`, { skip: !hasTool("curl") }, async () => {
    const path = at("curl");
    await withServer(runtime, APP, ["--uds", path], async () => {
      assert.equal(await output("curl", ["-sS", "--unix-socket", path, "-d", "hello", "http://a/echo"]), "hello");
    });
  });
});
