/**
 * `npm run build` and `npm run build:deno`: one self-contained executable of the server, on Bun or on Deno.
 *
 *   npm run build -- [app] [--factory] [--outfile path] [--no-start]
 *
 * Without an application the executable serves the one on its command line, or the demo; with one it serves that when
 * its command line names none. The executable is started before it is put in its place, and must answer.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { PlainError } from "../src/runtime/types.ts";
import { baseBinary, compileForBun, compileForDeno } from "./build/compile.ts";
import { bakedApp, programOf, ROOT } from "./build/program.ts";
import { start } from "./build/start.ts";

const USAGE = "npm run build -- [app] [--factory] [--outfile path] [--no-start]";
/** The server itself refuses it (RFC 9112 section 3.2: no Host), so that no baked application is called. */
const REFUSED_REQUEST = "GET / HTTP/1.1\r\n\r\n";
const REFUSAL = /^HTTP\/1\.1 400 /;
const DEMO_REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/** What `--version` says begins with it. */
const VERSION = `ringcorn ${manifest.version} (`;
/** With the exit code that a shell gives for each. */
const INTERRUPTIONS = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const;
const VERSION_DEADLINE_MS = 15_000;
const DEMO_ANSWER = /^HTTP\/1\.1 200 /;

interface Settings {
  readonly deno: boolean;
  readonly app: string | undefined;
  readonly factory: boolean;
  /** Absolute. */
  readonly outfile: string;
  /** Start what was built as a server, and ask it; else it is asked for its version only. */
  readonly start: boolean;
}

function readSettings(argv: readonly string[]): Settings {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        deno: { type: "boolean", default: false },
        factory: { type: "boolean", default: false },
        outfile: { type: "string" },
        "no-start": { type: "boolean", default: false },
      },
    });
    if (positionals.length > 1) throw new Error("one application can be baked in");
    const outfile = values.outfile ?? join(ROOT, "dist", values.deno ? "ringcorn-deno" : "ringcorn");
    const { deno, factory } = values;
    return { deno, app: positionals[0], factory, outfile: resolve(outfile), start: !values["no-start"] };
  } catch (error) {
    throw new PlainError(`${(error as Error).message}; usage: ${USAGE}`);
  }
}

/** @throws PlainError when the executable does not answer */
async function check(executable: string, settings: Settings): Promise<void> {
  const baked = settings.app !== undefined;
  // A lifespan may want a database that is not there where the executable is built.
  const command = baked ? [executable, "--lifespan", "off"] : [executable];
  try {
    if (!settings.start) return checkVersion(executable);
    const server = await start(command, baked ? REFUSED_REQUEST : DEMO_REQUEST);
    await server.stop();
    if (!(baked ? REFUSAL : DEMO_ANSWER).test(server.answer)) throw new PlainError(`it answered ${server.answer}`);
  } catch (error) {
    throw new PlainError(failureOf(settings, error instanceof Error ? error.message : String(error)));
  }
}

/** Without the application: the executable is at least the command, and not a bare runtime. */
function checkVersion(executable: string): void {
  const answer = spawnSync(executable, ["--version"], {
    encoding: "utf8",
    timeout: VERSION_DEADLINE_MS,
    stdio: "pipe",
  });
  if (!answer.stdout?.startsWith(VERSION)) throw new PlainError(`asked for its version it said ${answer.stdout}`);
}

function failureOf({ deno, app, start: started }: Settings, why: string): string {
  const base = baseBinary();
  const made = deno && base !== undefined ? `What was made with DENORT_BIN (${base})` : "The executable";
  const bare = `${made} does not serve, so it was removed`;
  if (deno && app === undefined) return `${bare}; set DENORT_BIN to the denort of this Deno version, not to deno.`;
  const advice = started && app !== undefined ? "; --no-start builds what can't be started here" : "";
  return `${bare}${advice}: ${why}`;
}

/** Removes `folder` and those above it up to `top`, until one holds something: another build may have come meanwhile. */
function removeEmpty(folder: string, top: string): void {
  try {
    for (let at = folder; at.startsWith(top); at = dirname(at)) rmdirSync(at);
  } catch {
    // Not empty.
  }
}

/** In a folder of its own, next to where it belongs: what fails leaves nothing, and what was there stays. */
async function build(settings: Settings): Promise<void> {
  const { outfile } = settings;
  const from = process.cwd();
  const program = programOf(settings.app === undefined ? undefined : bakedApp(settings.app, settings.factory));
  const compile = settings.deno ? compileForDeno : compileForBun;
  const made = mkdirSync(dirname(outfile), { recursive: true });
  const folder = mkdtempSync(join(dirname(outfile), ".build-"));
  let done = false;
  const clear = (): void => {
    rmSync(folder, { recursive: true, force: true });
    if (!done && made !== undefined) removeEmpty(dirname(outfile), made);
  };
  for (const [signal, code] of INTERRUPTIONS) {
    process.once(signal, () => {
      clear();
      process.exit(code);
    });
  }
  try {
    const executable = await compile(program, folder, basename(outfile));
    await check(executable, settings);
    renameSync(executable, outfile);
    done = true;
  } finally {
    clear();
  }
  const megabytes = (statSync(outfile).size / 1e6).toFixed(1);
  process.stdout.write(`${relative(from, outfile)}: ${megabytes} MB${settings.start ? ", started and asked" : ""}\n`);
}

try {
  await build(readSettings(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof PlainError)) throw error;
  process.stderr.write(`Error: ${error.message}\n`);
  process.exitCode = 1;
}
