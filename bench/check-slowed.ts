/**
 * Shows that `bench:check` sees a build that is slower: records the ratios of the tree as it is, checks the tree against
 * them, then checks a copy of it in which each request costs a few microseconds more. The tree itself stays as it is.
 *
 *   bun bench/check-slowed.ts [--microseconds 3] [--only http/hello] [--rounds 7] [--cpus 0:2,3]
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { PlainError } from "../src/runtime/types.ts";
import { program, ROOT } from "./load/programs.ts";
import { runChild, runProgram } from "./program.ts";

const COPIED = ["src", "bin", "bench", "package.json", "tsconfig.json", "deno.json", "bunfig.toml"];
/** Built for every request, whatever its application. */
const PATCHED = "src/asgi/scope.ts";
const ANCHOR = "  ): HttpScope {\n";
const EXIT_FELL = 1;

const OPTIONS = {
  microseconds: { type: "string", default: "3" },
  only: { type: "string", default: "http/hello" },
  rounds: { type: "string", default: "7" },
  cpus: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const HELP = `bun bench/check-slowed.ts [options]       records, checks, and checks a slowed copy: the last must be caught

  --microseconds N  what each request of the copy spends more (3)
  --only NAMES      rows, as bench:check has them (http/hello)
  --rounds N        interleaved rounds (7)
  --cpus S:L        core of the server and cores of the load generator, such as 0:2,3
  -h, --help
`;

/** The source with a loop of so many microseconds in it. @throws PlainError when the place for it is gone */
export function slowed(source: string, microseconds: number): string {
  const at = source.indexOf(ANCHOR);
  if (at < 0) throw new PlainError(`${PATCHED} has no "${ANCHOR.trim()}" any more: choose another place in this file.`);
  const end = at + ANCHOR.length;
  const loop = `    for (const until = performance.now() + ${microseconds / 1e3}; performance.now() < until; );\n`;
  return source.slice(0, end) + loop + source.slice(end);
}

function check(root: string, args: readonly string[]): Promise<number | null> {
  return runChild([program("bun"), join(root, "bench/check.ts"), ...args], { cwd: root, stdio: "inherit" });
}

async function main(): Promise<number> {
  const { values } = parseArgs({ args: argv.slice(2), options: OPTIONS });
  if (values.help) {
    stdout.write(HELP);
    return 0;
  }
  const microseconds = Number(values.microseconds);
  if (!(microseconds > 0)) throw new PlainError("--microseconds takes a number above 0.");
  const directory = mkdtempSync(join(tmpdir(), "ringcorn-slowed-"));
  const copy = join(directory, "tree");
  const cpus = values.cpus === undefined ? [] : ["--cpus", values.cpus];
  const recorded = join(directory, "recorded.json");
  const args = ["--recorded", recorded, "--only", values.only, "--rounds", values.rounds, ...cpus];
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const patched = join(copy, PATCHED);
    writeFileSync(patched, slowed(readFileSync(patched, "utf8"), microseconds));
    stderr.write("Recording the tree as it is ...\n");
    if ((await check(ROOT, [...args, "--record"])) !== 0) throw new PlainError("Nothing was recorded.");
    stderr.write("Checking the tree as it is ...\n");
    const same = await check(ROOT, args);
    stderr.write(`Checking a copy that spends ${microseconds} µs more on each request ...\n`);
    const slower = await check(copy, args);
    stdout.write(`The tree as it is: ${same === 0 ? "passed" : `ended with ${same}`}.\n`);
    stdout.write(
      `${microseconds} µs slower: ${slower === EXIT_FELL ? "caught" : `ended with ${slower}, not caught`}.\n`,
    );
    return same === 0 && slower === EXIT_FELL ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) await runProgram(main);
