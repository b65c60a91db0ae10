/** Which Python runs an application. */
import { PlainError, type Runtime } from "../runtime/types.ts";

type PythonRuntime = Pick<Runtime, "env" | "fileExists" | "resolvePath" | "cwd">;

const DEFAULT_PYTHON = "python3";
/** Where a virtual environment keeps its Python. */
const VENV_PYTHON = "bin/python";
/** Folders in the working directory that are looked at, in this order. */
const VENV_FOLDERS = [".venv", "venv"] as const;

/**
 * The path of the Python program: as asked for, else that of the active virtual environment, of `.venv`, of `venv`,
 * else `python3` from the PATH.
 * @throws PlainError when what is asked for, or `python3`, is not there
 */
export function findPython(runtime: PythonRuntime, asked: string | undefined): string {
  if (asked !== undefined) {
    const found = asked.includes("/") ? existing(runtime, asked) : fromPath(runtime, asked);
    if (found !== undefined) return found;
    throw new PlainError(`There is no Python at ${asked}; check --python.`);
  }
  const active = runtime.env().VIRTUAL_ENV;
  const folders = active === undefined || active === "" ? VENV_FOLDERS : [active, ...VENV_FOLDERS];
  for (const folder of folders) {
    const found = existing(runtime, `${folder}/${VENV_PYTHON}`);
    if (found !== undefined) return found;
  }
  const found = fromPath(runtime, DEFAULT_PYTHON);
  if (found !== undefined) return found;
  throw new PlainError("There is no python3 on the PATH; install Python 3.9 or later, or name one with --python.");
}

function existing(runtime: PythonRuntime, path: string): string | undefined {
  const whole = runtime.resolvePath(path);
  return runtime.fileExists(whole) ? whole : undefined;
}

function fromPath(runtime: PythonRuntime, name: string): string | undefined {
  for (const folder of (runtime.env().PATH ?? "").split(":")) {
    if (folder === "") continue;
    const path = `${folder}/${name}`;
    if (runtime.fileExists(path)) return path;
  }
  return undefined;
}
