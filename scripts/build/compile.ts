/** Compiles a program with `bun build --compile`, or bundles it for `deno compile`. Each writes one file into a folder. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { PlainError } from "../../src/runtime/types.ts";
import { type Program, ROOT } from "./program.ts";

/** Compiling takes seconds; the rest is for fetching the base binary, some 40 MB, where there is a network. */
const DENO_COMPILE_DEADLINE_MS = 60_000;
/** Left to the Deno that compiles: Bun's bundler knows none of these. */
const DENO_IMPORTS = ["npm:*", "jsr:*", "http:*", "https:*"];

/** Else the bundler writes "development" into the application, whatever NODE_ENV will be. */
const AS_IT_RUNS = { "process.env.NODE_ENV": "process.env.NODE_ENV" };

/** Runs the bundler, whose own complaints name file and line. @throws PlainError */
async function bundle(config: Parameters<typeof Bun.build>[0]): Promise<void> {
  // The source map names files from here, and src/apps/module-error.ts knows the server's own by that.
  process.chdir(ROOT);
  const result = await Bun.build({ ...config, define: AS_IT_RUNS, throw: false });
  if (result.success) return;
  for (const log of result.logs) process.stderr.write(`${Bun.inspect(log)}\n`);
  throw new PlainError("The program can't be bundled; the messages above say why.");
}

/** Writes `folder/name`, an executable. */
export async function compileForBun(program: Program, folder: string, name: string): Promise<string> {
  const outfile = join(folder, name);
  await bundle({
    ...program,
    target: "bun",
    // Compiled ahead of time, the command starts in less than half the time.
    bytecode: true,
    sourcemap: "linked",
    format: "esm",
    compile: {
      outfile,
      // An application's packages, and the paths of its tsconfig.json, are found as Bun finds them.
      autoloadPackageJson: true,
      autoloadTsconfig: true,
      // What lies in the working directory is not run, nor does it set variables.
      autoloadBunfig: false,
      autoloadDotenv: false,
    },
  });
  return outfile;
}

/** Writes `folder/bundle.mjs`, all of the program but what only Deno can import. */
export async function bundleForDeno(program: Program, folder: string): Promise<string> {
  await bundle({
    ...program,
    target: "node",
    sourcemap: "inline",
    format: "esm",
    external: DENO_IMPORTS,
    outdir: folder,
    naming: "bundle.mjs",
  });
  return join(folder, "bundle.mjs");
}

/** The base binary that the environment names; an empty variable names none, which Deno itself does not know. */
export function baseBinary(): string | undefined {
  return process.env.DENORT_BIN || undefined;
}

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
  readonly late: boolean;
}

function run(command: string, args: readonly string[], folder: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // The tree's own package.json would have all of node_modules embedded.
    const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1", DENO_NO_PACKAGE_JSON: "1" };
    if (baseBinary() === undefined) delete env.DENORT_BIN;
    const child = spawn(command, args, {
      cwd: folder,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    let late = false;
    const guard = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, DENO_COMPILE_DEADLINE_MS);
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", (error) => {
      clearTimeout(guard);
      reject(new PlainError(`The command deno can't be started (${error.message}); install Deno, or run npm ci.`));
    });
    child.once("close", (code) => {
      clearTimeout(guard);
      resolve({ code, stderr, late });
    });
  });
}

/** Writes `folder/name`, an executable. @throws PlainError without a base binary to make it of */
export async function compileForDeno(program: Program, folder: string, name: string): Promise<string> {
  const input = await bundleForDeno(program, folder);
  const outfile = join(folder, name);
  const flags = ["--allow-all", "--unstable-net", "--no-check", "--no-config", "--no-lock", "--output", outfile];
  const { code, stderr, late } = await run("deno", ["compile", ...flags, input], folder);
  if (code === 0) return outfile;
  if (late || /base binary|denort/i.test(stderr)) {
    const given = baseBinary();
    throw new PlainError(
      given === undefined
        ? "deno compile can't fetch its base binary; set DENORT_BIN to the path of the denort of this Deno version."
        : `deno compile can't use DENORT_BIN (${given}); set it to the path of the denort of this Deno version.`,
    );
  }
  process.stderr.write(stderr);
  throw new PlainError(`deno compile failed with exit code ${code}; its messages above say why.`);
}
