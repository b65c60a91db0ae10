/**
 * Where a TypeScript or JavaScript application comes from: a target such as `./app.ts`, `./app.ts:name` or `app`.
 *
 * The order in which a target is resolved:
 * 1. A target that names an existing file as a whole is that file, whatever colons it has.
 * 2. Else what follows the last colon is the export's name, when it is an identifier, and the rest is the path.
 * 3. The path is relative to the application directory. It is taken as it stands, then with each of MODULE_EXTENSIONS.
 * 4. A Python module that no such file answers to is python-target.ts's, which is asked first.
 */
import type { Application } from "../asgi/types.ts";
import { PlainError, type Runtime } from "../runtime/types.ts";
import { describeModuleError } from "./module-error.ts";
import { namesNear, nearest } from "./nearest.ts";

/** Tried in this order behind a path that names no file. */
export const MODULE_EXTENSIONS = [".ts", ".tsx", ".mts", ".js", ".mjs", ".jsx", ".cts", ".cjs"] as const;
/** Exports that are taken when the target names none, in this order. */
export const DEFAULT_EXPORTS = ["default", "app", "application"] as const;

export interface LoadOptions {
  /** What the user wrote. */
  readonly target: string;
  /** Directory that the target is relative to; undefined: the working directory. */
  readonly appDir: string | undefined;
  /** The export is called, without arguments, to get the application. */
  readonly factory: boolean;
}

/** The application's own module failed; the message holds that error with its stack, and nothing of the server's. */
export class ModuleError extends PlainError {}

type Files = Pick<Runtime, "openFile" | "resolvePath" | "cwd">;
type Module = Readonly<Record<string, unknown>>;

const HAS_ENDING = /\.\w+$/;
const GIVE_A_PATH = "give the path of a module such as ./app.ts";
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Splits `path:name`; the name is undefined when there is none. */
export function splitTarget(target: string): { path: string; name: string | undefined } {
  const colon = target.lastIndexOf(":");
  const name = target.slice(colon + 1);
  return colon > 0 && IDENTIFIER.test(name)
    ? { path: target.slice(0, colon), name }
    : { path: target, name: undefined };
}

async function isFile(files: Files, path: string): Promise<boolean> {
  try {
    (await files.openFile(path)).close();
    return true;
  } catch {
    return false;
  }
}

async function findFile(files: Files, directory: string, path: string): Promise<string | undefined> {
  for (const extension of ["", ...MODULE_EXTENSIONS]) {
    const candidate = files.resolvePath(directory, path + extension);
    if (await isFile(files, candidate)) return candidate;
  }
  return undefined;
}

/** An existing file that the user probably meant: another extension, or a name one typing mistake away. */
async function nearMiss(files: Files, directory: string, path: string): Promise<string | undefined> {
  const slash = path.lastIndexOf("/") + 1;
  const dot = path.indexOf(".", slash + 1);
  const folder = path.slice(0, slash);
  const stem = path.slice(slash, dot === -1 ? undefined : dot);
  const extensions = dot === -1 ? MODULE_EXTENSIONS : [path.slice(dot), ...MODULE_EXTENSIONS];
  for (const extension of extensions) {
    if (await isFile(files, files.resolvePath(directory, folder + stem + extension))) return folder + stem + extension;
  }
  for (const name of namesNear(stem)) {
    for (const extension of extensions.slice(0, 4)) {
      if (await isFile(files, files.resolvePath(directory, folder + name + extension)))
        return folder + name + extension;
    }
  }
  return undefined;
}

/** A file of that path, or behind it, that this user may not read. */
async function closedFile(files: Files, directory: string, path: string): Promise<string | undefined> {
  for (const extension of ["", ...MODULE_EXTENSIONS]) {
    try {
      (await files.openFile(files.resolvePath(directory, path + extension))).close();
    } catch (error) {
      if ((error as { code?: string }).code === "EACCES") return path + extension;
    }
  }
  return undefined;
}

/** The file of TypeScript or JavaScript that a target names, if there is one. */
export async function findScript(
  files: Files,
  target: string,
  appDir: string | undefined,
): Promise<{ file: string; name: string | undefined } | undefined> {
  const directory = appDir === undefined ? files.cwd() : files.resolvePath(appDir);
  const whole = files.resolvePath(directory, target);
  if (await isFile(files, whole)) return { file: whole, name: undefined };
  const { path, name } = splitTarget(target);
  const file = await findFile(files, directory, path);
  return file === undefined ? undefined : { file, name };
}

/**
 * The file and export that a target names.
 * @throws PlainError when there is no such file, or it can't be read
 */
export async function resolveTarget(
  files: Files,
  target: string,
  appDir: string | undefined,
): Promise<{ file: string; name: string | undefined }> {
  const found = await findScript(files, target, appDir);
  if (found !== undefined) return found;
  const directory = appDir === undefined ? files.cwd() : files.resolvePath(appDir);
  const { path, name } = splitTarget(target);
  const closed = await closedFile(files, directory, path);
  if (closed !== undefined) {
    throw new PlainError(`This user may not read the application file ${closed} in ${directory}; allow it.`);
  }
  const meant = await nearMiss(files, directory, path);
  const suffix = name === undefined ? "" : `:${name}`;
  const general = HAS_ENDING.test(path) ? GIVE_A_PATH : `${GIVE_A_PATH}, or a Python module such as main:app`;
  const advice = meant === undefined ? general : `did you mean ${meant}${suffix}?`;
  throw new PlainError(
    `There is no application file ${path} in ${directory}; ${advice}${meant === undefined ? "." : ""}`,
  );
}

function listExports(module: Module): string {
  const names = Object.keys(module);
  if (names.length === 0) return "it exports nothing";
  return `it exports ${names.slice(0, 20).join(", ")}`;
}

function pickExport(module: Module, path: string, name: string | undefined): { name: string; value: unknown } {
  if (name !== undefined) {
    if (name in module) return { name, value: module[name] };
    const meant = nearest(name, Object.keys(module));
    const advice = meant === undefined ? "" : `; did you mean ${path}:${meant}?`;
    throw new PlainError(
      `The module ${path} has no export ${name}: ${listExports(module)}${advice}${advice === "" ? "." : ""}`,
    );
  }
  for (const candidate of DEFAULT_EXPORTS) {
    if (module[candidate] !== undefined) return { name: candidate, value: module[candidate] };
  }
  const example = Object.keys(module)[0] ?? "name";
  throw new PlainError(
    `The module ${path} has no default export and none named app or application (${listExports(module)}); ` +
      `export the application as default, or name its export as in ${path}:${example}.`,
  );
}

/** Can't be called without `new`. */
function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (isClass(value)) return "a class";
  return Array.isArray(value) ? "an array" : `of type ${typeof value}`;
}

/** Calls the factory, which may be asynchronous. */
async function makeApplication(runtime: Pick<Runtime, "cwd">, factory: unknown, where: string): Promise<unknown> {
  if (typeof factory !== "function") {
    throw new PlainError(
      `${where} is ${kindOf(factory)}, not a function that makes an application; leave --factory away.`,
    );
  }
  try {
    return await factory();
  } catch (error) {
    throw new ModuleError(`${where} failed to make the application.\n${describeModuleError(error, runtime.cwd())}`);
  }
}

/** The application of an imported module; `path` is what messages call it. */
export async function applicationOf(
  runtime: Pick<Runtime, "cwd">,
  module: Module,
  path: string,
  name: string | undefined,
  factory: boolean,
): Promise<Application> {
  const picked = pickExport(module, path, name);
  const where = picked.name === "default" ? `The default export of ${path}` : `The export ${picked.name} of ${path}`;
  const value = factory ? await makeApplication(runtime, picked.value, where) : picked.value;
  if (typeof value === "function" && !isClass(value)) return value as Application;
  const what = `${where} ${factory ? "returned what is" : "is"} ${kindOf(value)}`;
  throw new PlainError(`${what}; an application is a function (scope, receive, send).`);
}

/**
 * Runs an import of the application's module; `path` is what messages call it.
 * @throws ModuleError when the module fails
 */
export async function loadModule(
  runtime: Pick<Runtime, "cwd">,
  path: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    throw new ModuleError(`The application ${path} failed to load.\n${describeModuleError(error, runtime.cwd())}`);
  }
}

/**
 * Loads the application that a target names.
 * @throws PlainError for the user's mistakes; ModuleError (one of them) when the module itself fails
 */
export async function loadApplication(
  runtime: Files & Pick<Runtime, "importModule">,
  options: LoadOptions,
): Promise<Application> {
  const { file, name } = await resolveTarget(runtime, options.target, options.appDir);
  const shown = name === undefined ? options.target : options.target.slice(0, -(name.length + 1));
  const module = await loadModule(runtime, shown, () => runtime.importModule(file));
  return applicationOf(runtime, module, shown, name, options.factory);
}
