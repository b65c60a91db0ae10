import assert from "node:assert/strict";
import { test } from "node:test";
import { type Config, DEFAULT_CONFIG } from "../../src/cli/config.ts";
import { requestLimit } from "../../src/cli/serve.ts";

test("each process adds its own part of the jitter to the request limit", () => {
  const command = { ...DEFAULT_CONFIG.command, maxRequests: 100, maxRequestsJitter: 10 };
  const config: Config = { ...DEFAULT_CONFIG, command };
  assert.equal(
    requestLimit(config, () => 0),
    100,
  );
  assert.equal(
    requestLimit(config, () => 0.5),
    105,
  );
  assert.equal(
    requestLimit(config, () => 0.999),
    110,
  );
});
