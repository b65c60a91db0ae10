/**
 * Tells Python's targets from those of TypeScript: `main:app`, `package.module:app`, `package`, `./main.py:app`.
 * A file of TypeScript or JavaScript that a target names comes first; see load.ts.
 */
import type { Runtime } from "../runtime/types.ts";
import { findScript } from "./load.ts";

/** What a Python worker is to import. */
export interface PythonTarget {
  /** `module:attribute`, `module:factory()` or `module`. */
  readonly target: string;
  readonly appDir: string | undefined;
}

type Files = Pick<Runtime, "openFile" | "resolvePath" | "cwd" | "fileExists">;

/** A dotted module, and what follows the colon. By name, a module that has a hyphen can be imported too. */
const MODULE = /^([\p{ID_Start}_][\p{ID_Continue}-]*(?:\.[\p{ID_Start}_][\p{ID_Continue}-]*)*)(?::(.*))?$/u;
/** A file of Python's, and what follows the colon. */
const PYTHON_FILE = /^(.*?)([^/]+)\.py(?::(.*))?$/;
const SCRIPT_ENDING = /\.(?:[cm]?[jt]s|[jt]sx)$/;

/**
 * The Python target, or undefined when the target is no Python module's.
 *
 * @param program the Python program, when the user named one: then any module is Python's
 */
export async function pythonTarget(
  files: Files,
  target: string,
  appDir: string | undefined,
  program: string | undefined,
): Promise<PythonTarget | undefined> {
  const directory = appDir === undefined ? files.cwd() : files.resolvePath(appDir);
  const file = PYTHON_FILE.exec(target);
  if (file !== null && files.fileExists(files.resolvePath(directory, `${file[1]}${file[2]}.py`))) {
    const folder = file[1] === "" ? appDir : files.resolvePath(directory, file[1]);
    return { target: file[3] === undefined ? file[2] : `${file[2]}:${file[3]}`, appDir: folder };
  }
  const match = MODULE.exec(target);
  if (match === null || SCRIPT_ENDING.test(match[1])) return undefined;
  const found = { target, appDir };
  if (program !== undefined) return found;
  if ((await findScript(files, target, appDir)) !== undefined) return undefined;
  const path = files.resolvePath(directory, match[1].replaceAll(".", "/"));
  if (files.fileExists(`${path}.py`) || files.fileExists(`${path}/__init__.py`)) return found;
  // A package without __init__.py, or one that is installed: nothing else has dots and an attribute.
  const parent = files.resolvePath(directory, match[1].split(".")[0]);
  const dotted = match[1].includes(".") && match[2] !== undefined;
  // Behind a plain module a dot is a mistake for the colon, of which Python's side tells.
  return dotted || files.fileExists(`${parent}/__init__.py`) || files.fileExists(`${parent}.py`) ? found : undefined;
}
