/** Which Python is taken, and what is said where a virtual environment is broken. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findPython } from "../../src/python/python.ts";
import { PlainError } from "../../src/runtime/types.ts";

interface Machine {
  readonly files: readonly string[];
  readonly active?: string;
  readonly asked?: string;
}

const PATH = "/usr/local/bin::/usr/bin";
const SYSTEM = "/usr/bin/python3";

function find({ files, active, asked }: Machine): string {
  const runtime = {
    env: () => ({ PATH, VIRTUAL_ENV: active }),
    fileExists: (path: string) => files.includes(path),
    resolvePath: (...parts: string[]) => (parts[0].startsWith("/") ? parts.join("/") : `/site/${parts.join("/")}`),
    cwd: () => "/site",
  };
  return findPython(runtime, asked);
}

const FOUND: readonly (readonly [string, Machine, string])[] = [
  [
    "the active environment, before .venv",
    { files: ["/e/bin/python", "/site/.venv/bin/python"], active: "/e" },
    "/e/bin/python",
  ],
  [".venv, before venv", { files: ["/site/.venv/bin/python", "/site/venv/bin/python"] }, "/site/.venv/bin/python"],
  ["venv, before the PATH", { files: ["/site/venv/bin/python", SYSTEM] }, "/site/venv/bin/python"],
  ["python3 of the PATH", { files: [SYSTEM] }, SYSTEM],
  ["the PATH in its order", { files: [SYSTEM, "/usr/local/bin/python3"] }, "/usr/local/bin/python3"],
  ["an empty VIRTUAL_ENV is none", { files: [SYSTEM], active: "" }, SYSTEM],
  ["a folder venv that is no environment", { files: ["/site/venv/readme", SYSTEM] }, SYSTEM],
  [
    "a path that is asked for, before all",
    { files: ["/p/python", "/e/bin/python"], active: "/e", asked: "/p/python" },
    "/p/python",
  ],
  ["a name that is asked for", { files: ["/usr/bin/python3.9", SYSTEM], asked: "python3.9" }, "/usr/bin/python3.9"],
  [
    "an environment's folder that is asked for",
    { files: ["/site/env/bin/python"], asked: "env" },
    "/site/env/bin/python",
  ],
];

for (const [name, machine, python] of FOUND) test(name, () => assert.equal(find(machine), python));

const MISSING: readonly (readonly [string, Machine, RegExp])[] = [
  [
    "a path that is not there",
    { files: [SYSTEM], asked: "/p/python" },
    /^There is no Python at \/p\/python; check --python\.$/,
  ],
  ["a name that is not on the PATH", { files: [SYSTEM], asked: "python9" }, /^There is no Python at python9;/],
  ["no Python at all", { files: [] }, /^There is no python3 on the PATH;/],
  [
    "an active environment without its Python, though another one is there",
    { files: [SYSTEM, "/site/.venv/bin/python"], active: "/e" },
    /^The virtual environment \/e is active, but its bin\/python leads nowhere; make it again, /,
  ],
  [
    "a .venv without its Python, though another one is there",
    { files: [SYSTEM, "/site/.venv/pyvenv.cfg"] },
    /^The virtual environment \.venv stands here, but its bin\/python leads nowhere;/,
  ],
];

for (const [name, machine, pattern] of MISSING) {
  test(name, () =>
    assert.throws(
      () => find(machine),
      (error) => error instanceof PlainError && pattern.test(error.message),
    ),
  );
}
