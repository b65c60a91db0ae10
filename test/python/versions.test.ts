/**
 * The worker on every CPython from 3.9 on that can be found: its own tests, and a real server in front of it. Of older
 * ones, the sentence that asks for another. They are looked for as `python3.9`, `python3.14t` and so on, in the folders of
 * RINGCORN_TEST_PYTHONS and on the PATH. One that is missing is a skipped test.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Server, withServer } from "../harness/server.ts";

const HERE = fileURLToPath(new URL("./", import.meta.url));
const VERSIONS = ["3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t"];
const TOO_OLD = ["2.7", "3.6", "3.7", "3.8"];
const FOLDERS = [process.env.RINGCORN_TEST_PYTHONS ?? "", process.env.PATH ?? ""].join(delimiter).split(delimiter);
const FILES = readdirSync(HERE).filter((name) => name.endsWith("_test.py"));

/** The first of that name that runs: shims of version managers are there without their Python. */
function find(version: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, `python${version}`)).find((path) => {
    if (!path.startsWith("/") || !existsSync(path)) return false;
    const found = spawnSync(path, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"], { encoding: "utf8" });
    return found.status === 0 && found.stdout.trim() === version.replace("t", "");
  });
}

function run(command: string, args: readonly string[]): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: HERE, stdio: ["ignore", "ignore", "pipe"] });
    let text = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, text }));
  });
}

for (const version of VERSIONS) {
  const python = find(version);
  const skip = python === undefined ? `python${version} is not installed` : false;

  test(`python${version}: the worker's own tests`, { skip }, async () => {
    const { code, text } = await run(python!, ["-B", "-m", "unittest", ...FILES.map((name) => name.slice(0, -3))]);
    assert.equal(code, 0, text);
    assert.match(text, /Ran [1-9]\d* tests?/);
  });

  test(`python${version}: a server with a worker of it`, { skip }, () =>
    withServer("bun", "contract:app", ["--app-dir", join(HERE, "apps"), "--python", python!], async (server) => {
      assert.equal(await (await fetch(server.url)).text(), "Hello, world!");
      const body = new Uint8Array(300_000).map((_, i) => i % 251);
      const back = await (await fetch(`${server.url}/echo`, { method: "POST", body })).arrayBuffer();
      assert.equal(Buffer.compare(Buffer.from(back), Buffer.from(body)), 0);
      assert.equal((await fetch(`${server.url}/boom`)).status, 500);
    }),
  );

  test(`python${version}: WSGI on its threads, side by side`, { skip }, () =>
    withServer("bun", "contract:wsgi", ["--app-dir", join(HERE, "apps"), "--python", python!], async (server) => {
      const sizes = Array.from({ length: 40 }, (_, i) => i * 20_000);
      const posts = sizes.map((size) => fetch(server.url, { method: "POST", body: new Uint8Array(size) }));
      const answers = await Promise.all(posts.map(async (post) => (await post).text()));
      assert.deepEqual(
        answers,
        sizes.map((size) => `wsgi ${size}`),
      );
    }),
  );
}

for (const version of TOO_OLD) {
  const python = find(version);
  const skip = python === undefined ? `python${version} is not installed` : false;

  test(`python${version}: too old, which one sentence tells`, { skip }, async () => {
    const server = Server.spawn("bun", "contract:app", ["--app-dir", join(HERE, "apps"), "--python", python!]);
    assert.deepEqual(await server.ended(), { code: 1, signal: null });
    assert.match(server.stderr, /^CRITICAL: \S+ is Python [\d.]+; take 3\.9 or later, with --python\.\n$/);
  });
}
