import assert from "node:assert/strict";
import { test } from "node:test";
import { addressUrl, banner } from "../../src/cli/banner.ts";
import { type Config, DEFAULT_CONFIG } from "../../src/cli/config.ts";

const runtime = { name: "bun", version: "9.9", pid: 42, stderrIsTerminal: false } as const;

function show(config: Partial<Config>, host = "127.0.0.1"): string {
  return banner({
    version: "1.0",
    runtime,
    config: { ...DEFAULT_CONFIG, ...config },
    address: { host, port: 8000 },
    colours: false,
  });
}

test("URLs can be opened", () => {
  assert.equal(addressUrl({ host: "127.0.0.1", port: 1 }, false), "http://127.0.0.1:1");
  assert.equal(addressUrl({ host: "::1", port: 1 }, false), "http://[::1]:1");
  assert.equal(addressUrl({ host: "0.0.0.0", port: 1 }, false), "http://127.0.0.1:1");
  assert.equal(addressUrl({ host: "::", port: 1 }, false), "http://[::1]:1");
  assert.equal(addressUrl({ host: "/run/a.sock", port: 0 }, true), "unix:/run/a.sock");
});

test("the banner says what, where and how to stop", () => {
  assert.equal(
    show({}),
    "Ringcorn 1.0 on Bun 9.9\n  http://127.0.0.1:8000\n  the built-in demo · pid 42\n  Press Ctrl-C to stop\n",
  );
  const command = { ...DEFAULT_CONFIG.command, workers: 4, reload: true };
  assert.match(show({ app: "./app.ts", command }), / {2}\.\/app\.ts · pid 42 · 4 workers · reloads on change\n/);
  assert.match(show({}, "0.0.0.0"), /http:\/\/127\.0\.0\.1:8000 and the machine's other addresses/);
});
