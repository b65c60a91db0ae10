import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_CONFIG } from "../../src/cli/config.ts";
import { watchAdvice } from "../../src/cli/watched.ts";

const files = {
  fileExists: (path: string) => path === "/srv/src",
  resolvePath: (...parts: string[]) => `/srv/${parts.join("/")}`,
};

function adviceFor(reload: boolean, ...reloadDirs: string[]): string[] {
  return watchAdvice(files, { ...DEFAULT_CONFIG, command: { ...DEFAULT_CONFIG.command, reload, reloadDirs } });
}

test("a directory to watch that is not there is told", () => {
  assert.deepEqual(adviceFor(true, "src", "scr"), ["There is no directory scr to watch; check --reload-dir."]);
  assert.deepEqual(adviceFor(true), []);
});

test("... not without --reload, where it has no effect at all", () => assert.deepEqual(adviceFor(false, "scr"), []));
