/** A bounded run of the cross-talk fuzzer; test/fuzz/crosstalk.ts runs longer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crosstalk, type Setting } from "../fuzz/crosstalk.ts";
import { BEHAVIOURS } from "../fuzz/crosstalk-app.ts";

const CONNECTIONS = 100;

for (const place of ["network", "fake", "fake, reusing"] as const) {
  for (const calls of [false, true]) {
    test(`no request gets anything of another: ${place}, ${calls ? "calls" : "receive and send"}`, async () => {
      let left = CONNECTIONS;
      const setting: Setting = { seed: 6, calls, place };
      const counts = await crosstalk(setting, () => left-- > 0);
      for (const what of [...Object.keys(BEHAVIOURS), "stay", "finish", "reset", "logged"]) {
        const kind = BEHAVIOURS[what] === "broken" ? "broken" : what;
        assert.ok((counts.get(kind) ?? 0) > 0, `the fuzzer does not reach ${kind}`);
      }
    });
  }
}
