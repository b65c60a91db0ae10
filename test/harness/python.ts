/**
 * The Python that the tests run: the .venv's, where it is there. `npm test` makes that folder for the test files that reach
 * this one.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const VENV = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));

export const PYTHON = existsSync(VENV) ? VENV : "python3";
const hasPython = spawnSync(PYTHON, ["--version"]).status === 0;

const imports = new Map<string, boolean>();

/** Whether the tests' Python can import the module. */
function has(module: string): boolean {
  let found = imports.get(module);
  if (found === undefined) {
    found = hasPython && spawnSync(PYTHON, ["-c", `import ${module}`]).status === 0;
    imports.set(module, found);
  }
  return found;
}

/** Why a test that needs Python, and these modules, is skipped, or false. */
export function missing(modules: readonly string[] = []): string | false {
  if (!hasPython) return "Python is not installed";
  const lacking = modules.filter((module) => !has(module));
  return lacking.length === 0 ? false : `${lacking.join(", ")} is not installed`;
}
