/** What an executable is made of: the command, the application that is baked in, and `ringcorn` for both. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { BunPlugin } from "bun";
import { splitTarget } from "../../src/apps/load.ts";
import { PlainError } from "../../src/runtime/types.ts";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const LIBRARY = join(ROOT, "src", "index.ts");
const COMMAND = join(ROOT, "src", "cli", "main.ts");
/** The worker's Python modules, and the module that says where they are. */
const WORKER = join(ROOT, "src", "python");
const WORKER_SOURCES = join(WORKER, "sources.ts");
/** Exists in the bundler's memory only. */
const BAKED_COMMAND = join(ROOT, "src", "cli", "baked.ts");

/** The application that an executable serves when its command line names none. */
export interface BakedApp {
  /** What the banner calls it. */
  readonly title: string;
  /** Absolute path of the module. */
  readonly file: string;
  readonly exportName: string | undefined;
  readonly factory: boolean;
}

/** What the bundler is given to begin with. */
export interface Program {
  readonly entrypoints: string[];
  readonly files: Record<string, string>;
  readonly plugins: BunPlugin[];
}

/**
 * The application that `./app.ts` or `./app.ts:name` names.
 * @throws PlainError when there is no such file, or it is Python's
 */
export function bakedApp(target: string, factory: boolean): BakedApp {
  const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile();
  const { path, name } = isFile(resolve(target)) ? { path: target, name: undefined } : splitTarget(target);
  const file = resolve(path);
  if (file.endsWith(".py"))
    throw new PlainError("An application of Python's can't be baked in; name it on the executable's command line.");
  if (!isFile(file))
    throw new PlainError(`There is no application file ${path}; give the path of a module such as ./app.ts.`);
  return {
    title: `${basename(path)}${name === undefined ? "" : `:${name}`}, built in`,
    file,
    exportName: name,
    factory,
  };
}

/** The application is imported when it is served only: not for `--help`, nor where the command line names another. */
function bakedCommand(app: BakedApp): string {
  const text = (value: string | undefined): string => JSON.stringify(value) ?? "undefined";
  return `import * as library from ${text(LIBRARY)};
import { main } from "./command.ts";
import { currentRuntime } from "../runtime/current.ts";
await main(await currentRuntime(), {
  library,
  builtIn: {
    title: ${text(app.title)},
    load: () => import(${text(app.file)}),
    exportName: ${text(app.exportName)},
    factory: ${app.factory ? "true" : "undefined"},
  },
});
`;
}

/** An application outside the tree imports `ringcorn` too, and must get the server's own copy. */
const provideLibrary: BunPlugin = {
  name: "ringcorn",
  setup: (builder) => {
    builder.onResolve({ filter: /^ringcorn$/ }, () => ({ path: LIBRARY }));
  },
};

/** The modules as texts: Python can open no file that lies within an executable. */
function workerSources(): string {
  const names = readdirSync(WORKER).filter((name) => name.endsWith(".py"));
  const texts = Object.fromEntries(names.map((name) => [name, readFileSync(join(WORKER, name), "utf8")]));
  return `export const WORKER_SOURCES = ${JSON.stringify(texts)};\n`;
}

export function programOf(app: BakedApp | undefined): Program {
  const plugins = [provideLibrary];
  const files = { [WORKER_SOURCES]: workerSources() };
  if (app === undefined) return { entrypoints: [COMMAND], files, plugins };
  return { entrypoints: [BAKED_COMMAND], files: { ...files, [BAKED_COMMAND]: bakedCommand(app) }, plugins };
}
