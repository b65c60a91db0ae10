/** Which Python runs an application. */
import { PlainError, type Runtime } from "../runtime/types.ts";

type PythonRuntime = Pick<Runtime, "env" | "fileExists" | "resolvePath" | "cwd">;

const DEFAULT_PYTHON = "python3";
/** Where a virtual environment keeps its Python. */
const VENV_PYTHON = "bin/python";
/** What every virtual environment has (PEP 405). */
const VENV_MARK = "pyvenv.cfg";
/** Folders in the working directory that are looked at, in this order. */
const VENV_FOLDERS = [".venv", "venv"] as const;

/**
 * The path of the Python program: as asked for (a virtual environment's folder will do), else that of the active virtual
 * environment, of `.venv`, of `venv`, else `python3` from the PATH.
 * @throws PlainError when what is asked for, or `python3`, is not there, and when a virtual environment is broken: another
 *   Python than the one it was made with would lack its packages
 */
export function findPython(runtime: PythonRuntime, asked: string | undefined): string {
  if (asked !== undefined) {
    const found =
      inFolder(runtime, asked) ?? (asked.includes("/") ? existing(runtime, asked) : fromPath(runtime, asked));
    if (found !== undefined) return found;
    throw new PlainError(`There is no Python at ${asked}; check --python.`);
  }
  const active = runtime.env().VIRTUAL_ENV;
  if (active !== undefined && active !== "") {
    const found = inFolder(runtime, active);
    if (found !== undefined) return found;
    throw broken(active, "is active");
  }
  for (const folder of VENV_FOLDERS) {
    const found = inFolder(runtime, folder);
    if (found !== undefined) return found;
    if (existing(runtime, `${folder}/${VENV_MARK}`) !== undefined) throw broken(folder, "stands here");
  }
  const found = fromPath(runtime, DEFAULT_PYTHON);
  if (found !== undefined) return found;
  throw new PlainError("There is no python3 on the PATH; install Python 3.9 or later, or name one with --python.");
}

/** Its link leads to a Python that is gone: the system's was replaced, or the folder was copied. */
function broken(folder: string, how: string): PlainError {
  return new PlainError(
    `The virtual environment ${folder} ${how}, but its ${VENV_PYTHON} leads nowhere; make it again, or name a Python with --python.`,
  );
}

function inFolder(runtime: PythonRuntime, folder: string): string | undefined {
  return existing(runtime, `${folder}/${VENV_PYTHON}`);
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
