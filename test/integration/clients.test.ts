/** Real clients over TCP and Unix sockets: curl, undici, node:http with an agent, autocannon, Python's http.client. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { hasTool, output, python } from "../harness/clients.ts";
import { onEach, ROOT, sharedServer, testApp } from "../harness/server.ts";

const APP = testApp("contract.ts");
const client = (name: string) => join(ROOT, "test", "clients", name);
const folder = mkdtempSync(join(tmpdir(), "ringcorn-clients-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Ten connections, ten requests each. */
const MOST_IN_PIPELINES = 100;

interface LoadResult {
  readonly "2xx": number;
  readonly non2xx: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly mismatches: number;
}

onEach((runtime) => {
  const tcp = sharedServer(runtime, APP, ["--no-access-log"]);
  const path = join(folder, `${runtime}.sock`);
  const unix = sharedServer(runtime, APP, ["--no-access-log", "--uds", path]);
  const unixPath = async (): Promise<string> => {
    await unix();
    return path;
  };
  const curl = (...args: string[]) => output("curl", ["-sS", "--max-time", "15", ...args]);
  const withCurl = { skip: !hasTool("curl") };

  test(`${runtime}: curl: GET, POST, HEAD, 1.0, two URLs on one connection`, withCurl, async () => {
    const { url } = await tcp();
    assert.equal(await curl(url), "hello");
    assert.equal(await curl("-d", "hello there", `${url}/echo`), "hello there");
    assert.match(await curl("-I", url), /^HTTP\/1\.1 200 OK\r\n[\s\S]*content-length: 5\r\n/);
    assert.equal(await curl("--http1.0", url), "hello");
    assert.equal(await curl("--http1.0", `${url}/stream`), "aaaaaaaaaaaa");
    const count = await curl("-w", "%{num_connects} ", url, `${url}/stream`, `${url}/sync`);
    assert.equal(count, "hello1 aaaaaaaaaaaa0 sync0 ");
  });

  test(`${runtime}: curl: a chunked upload, a large one with Expect, a refused one`, withCurl, async () => {
    const { url } = await tcp();
    const body = "0123456789".repeat(300_000);
    const upload = ["-H", "Expect: 100-continue", "--data-binary", "@-", `${url}/echo`];
    assert.equal(await output("curl", ["-sS", ...upload], body), body);
    assert.equal(await output("curl", ["-sS", "-H", "Transfer-Encoding: chunked", ...upload], body), body);
    assert.equal(
      await output("curl", ["-sS", "-w", "%{http_code}", ...upload.slice(0, -1), `${url}/unread?s=403`], body),
      "not read403",
    );
  });

  test(`${runtime}: node:http with a keep-alive agent`, { skip: !hasTool("node") }, async () => {
    const { port } = await tcp();
    assert.equal(await output("node", [client("node_http.mjs"), "127.0.0.1", String(port)]), "ok");
    await unix();
    assert.equal(await output("node", [client("node_http.mjs"), "unix", path]), "ok");
  });

  test(`${runtime}: undici with pipelining`, async () => {
    const deno = join(ROOT, "node_modules", ".bin", "deno");
    const { url } = await tcp();
    assert.equal(await output(deno, ["run", "-A", client("undici.mjs"), url]), "ok");
    await unix();
    assert.equal(await output(deno, ["run", "-A", client("undici.mjs"), "http://localhost", path]), "ok");
  });

  test(`${runtime}: Python's http.client`, { skip: !hasTool("python3") }, async () => {
    const { port } = await tcp();
    assert.equal(await python(client("http_client.py"), ["127.0.0.1", String(port)]), "ok");
    await unix();
    assert.equal(await python(client("http_client.py"), ["unix", path]), "ok");
  });

  for (const [name, args, target] of [
    ["plain", ["-c", "20"], "/"],
    ["pipelined", ["-c", "10", "-p", "10"], "/"],
    ["with a body", ["-c", "10", "-m", "POST", "-b", "x".repeat(1000)], "/echo"],
    ["streamed", ["-c", "10"], "/stream"],
  ] as const) {
    test(`${runtime}: autocannon, ${name}: 3000 requests without an error`, { skip: !hasTool("node") }, async () => {
      const { url } = await tcp();
      const autocannon = join(ROOT, "node_modules", ".bin", "autocannon");
      const json = await output(autocannon, ["-a", "3000", "--json", ...args, `${url}${target}`]);
      const result = JSON.parse(json) as LoadResult;
      const { non2xx, errors, timeouts, mismatches } = result;
      assert.deepEqual({ non2xx, errors, timeouts, mismatches }, { non2xx: 0, errors: 0, timeouts: 0, mismatches: 0 });
      const overUnix = await output(autocannon, [
        "-a",
        "1000",
        "--json",
        "-S",
        await unixPath(),
        ...args,
        `http://a${target}`,
      ]);
      const unixResult = JSON.parse(overUnix) as LoadResult;
      assert.deepEqual(
        [unixResult.non2xx, unixResult.errors, unixResult.timeouts, unixResult.mismatches],
        [0, 0, 0, 0],
      );
      assert.ok(unixResult["2xx"] >= 1000 - MOST_IN_PIPELINES, String(unixResult["2xx"]));
      // When it has asked for all, autocannon drops the answers that are still in its pipelines.
      assert.ok(result["2xx"] >= 3000 - MOST_IN_PIPELINES, String(result["2xx"]));
    });
  }
});
