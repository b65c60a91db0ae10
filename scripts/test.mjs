/**
 * `npm test`: every check of the tree, in order, on Node alone. Format and lint, types, Python's lint, then the tests
 * under Bun and under Deno. The last line is `N passed, N failed` (and `, N skipped` when there are any).
 *
 * Arguments narrow the test files to those whose path contains one of them, and leave the other checks out:
 * `npm test -- protocol integration/limits`. What those files need is provided as for all of them.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { missingFiles, readReport } from "./junit.mjs";
import { reaches } from "./selection.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const REPORTS = join(ROOT, ".cache", "test");
const VENV = join(ROOT, ".venv");
const REQUIREMENTS = join(ROOT, "requirements-dev.txt");
/** The Python frameworks that the tests serve. */
const FRAMEWORKS = join(ROOT, "requirements-apps.txt");
/** The test files that reach it run Python's programs. */
const PYTHON_HARNESS = "test/harness/python.ts";
/** Only guards against a runner that hangs; the whole run is meant to take less. */
const RUNNER_DEADLINE_MS = 8 * 60_000;
/** For one test under Bun (its own default, 5 s, is short for tests that start servers). */
const TEST_TIMEOUT_MS = 60_000;
/** Servers and clients under test need cores too. */
const PARALLEL_FILES = 4;
/** Programs that the tests drive, and the Debian packages they come in. A test whose program is missing is skipped. */
const SYSTEM_TOOLS = { curl: "curl", python3: "python3", ss: "iproute2" };

process.chdir(ROOT);
process.env.PATH = [join(ROOT, "node_modules", ".bin"), process.env.PATH].join(delimiter);
process.env.NO_COLOR = "1";

const totals = { passed: 0, failed: 0, skipped: 0, failures: [] };

/** Counts one check: `problem` is undefined when it passed. */
function count(name, problem) {
  if (problem === undefined) {
    totals.passed++;
    console.log(`  ok: ${name}`);
  } else {
    totals.failed++;
    totals.failures.push(`${name}: ${problem}`);
    console.log(`  FAILED: ${name}: ${problem}`);
  }
}

/** Runs a program, prints those of its lines that `keep` lets through, and resolves to a problem or undefined. */
function run(command, args, keep = () => true) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    let hung = false;
    const endGroup = () => {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // Already gone.
      }
    };
    const guard = setTimeout(() => {
      hung = true;
      endGroup();
    }, RUNNER_DEADLINE_MS);
    for (const [stream, out] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      let rest = "";
      stream.setEncoding("utf8");
      stream.on("data", (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop();
        for (const line of lines) if (keep(line)) out.write(`  ${line}\n`);
      });
      stream.on("end", () => {
        if (rest !== "" && keep(rest)) out.write(`  ${rest}\n`);
      });
    }
    child.on("error", (error) => {
      clearTimeout(guard);
      resolve(`could not be started: ${error.message}`);
    });
    child.on("exit", (code, signal) => {
      clearTimeout(guard);
      // What a crashed test left running must not hold the pipes open.
      if (code !== 0) endGroup();
      if (hung) resolve(`did not end within ${RUNNER_DEADLINE_MS / 60_000} minutes`);
      else if (code === 0) resolve(undefined);
      else resolve(signal === null ? `exit code ${code}` : `ended by ${signal}`);
    });
  });
}

/** Runs one test runner over `files` and counts from its JUnit report; what the report misses counts as failed. */
async function runTests(runner, command, files, makeArgs, keep) {
  const started = Date.now();
  console.log(`\n${runner} test, ${files.length} files`);
  const report = join(REPORTS, `${runner}.xml`);
  rmSync(report, { force: true });
  if (files.length === 0) {
    count(`${runner} test`, "no test files");
    return;
  }
  const problem = await run(command, makeArgs(report, files), keep);
  const result = existsSync(report) ? readReport(readFileSync(report, "utf8")) : readReport("");
  const crashed = missingFiles(result, files);
  totals.passed += result.passed;
  totals.skipped += result.skipped;
  totals.failed += result.failures.length;
  for (const failure of result.failures) totals.failures.push(`${runner} ${failure}`);
  for (const file of crashed) count(`${runner} ${file}`, "crashed, or has no tests");
  if (problem !== undefined && result.failures.length + crashed.length === 0) count(`${runner} test`, problem);
  if (problem === undefined && result.passed === 0 && result.failures.length + crashed.length === 0) {
    count(`${runner} test`, "no test was run");
  }
  const skipped = result.skipped === 0 ? "" : `, ${result.skipped} skipped`;
  const failed = result.failures.length + crashed.length;
  console.log(
    `  ${runner}: ${result.passed} passed, ${failed} failed${skipped} in ${((Date.now() - started) / 1000).toFixed(1)} s`,
  );
}

function filesUnder(folder, suffix) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) =>
      relative(ROOT, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join("/"),
    )
    .sort();
}

function has(tool) {
  return spawnSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" }).status === 0;
}

/** Installs the missing system tools where that is possible; what can't be had is named, and its tests are skipped. */
function provideTools() {
  const missing = Object.keys(SYSTEM_TOOLS).filter((tool) => !has(tool));
  if (missing.length > 0 && process.getuid?.() === 0 && has("apt-get")) {
    spawnSync("apt-get", ["update", "-q"], { stdio: "ignore" });
    spawnSync("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...missing.map((t) => SYSTEM_TOOLS[t])], {
      stdio: "ignore",
    });
  }
  const still = missing.filter((tool) => !has(tool));
  if (still.length > 0) console.log(`\nnot installed, their tests are skipped: ${still.join(", ")}`);
}

/** Makes `.venv` with the pinned requirements; made again only when they change, or the folder is removed. Returns a problem or undefined. */
async function provideVenv() {
  const hash = createHash("sha256").update(readFileSync(REQUIREMENTS)).update(readFileSync(FRAMEWORKS)).digest("hex");
  const stamp = join(VENV, ".requirements-hash");
  // The stamp names what could not be had: it is listed at each run.
  const [made, ...lacking] = existsSync(stamp) ? readFileSync(stamp, "utf8").split("\n") : [];
  const list = (names) => {
    for (const name of names) console.log(`  not installed, its tests are skipped: ${name}`);
  };
  if (made === hash) {
    list(lacking);
    return undefined;
  }
  console.log("\ninstalling Python's packages into .venv; this takes a minute, once");
  const makeVenv = () => spawnSync("python3", ["-m", "venv", VENV], { stdio: "ignore" }).status === 0;
  rmSync(VENV, { recursive: true, force: true });
  if (!makeVenv()) {
    if (process.getuid?.() === 0 && has("apt-get")) {
      spawnSync("apt-get", ["install", "-y", "-q", "python3-venv"], { stdio: "ignore" });
    }
    rmSync(VENV, { recursive: true, force: true });
    if (!makeVenv()) return "python3 -m venv does not work; install python3-venv";
  }
  const problem = await run(join(VENV, "bin", "python"), ["-m", "pip", "install", "-q", "-r", REQUIREMENTS]);
  if (problem !== undefined) return `pip install -r requirements-dev.txt: ${problem}`;
  const unavailable = [];
  for (const requirement of readFileSync(FRAMEWORKS, "utf8").split("\n")) {
    if (requirement === "" || requirement.startsWith("#")) continue;
    const missing = await run(join(VENV, "bin", "python"), ["-m", "pip", "install", "-q", requirement], () => false);
    if (missing !== undefined) unavailable.push(requirement);
  }
  list(unavailable);
  writeFileSync(stamp, [hash, ...unavailable].join("\n"));
  return undefined;
}

/** The packages that the chosen test files need; those that need none wait for no download. */
async function providePython(files) {
  if (!has("python3") || !reaches(ROOT, files, PYTHON_HARNESS)) return;
  const problem = await provideVenv();
  if (problem !== undefined) count("Python's packages for the tests", problem);
}

async function lintPython() {
  const listed = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "*.py"], { encoding: "utf8" });
  const files = listed.status === 0 ? listed.stdout.split("\n").filter((f) => f !== "" && existsSync(f)) : [];
  if (files.length === 0) return;
  console.log(`\nruff, ${files.length} Python files`);
  if (!has("python3")) {
    totals.skipped++;
    console.log("  skipped: python3 is not installed");
    return;
  }
  const ruff = join(VENV, "bin", "ruff");
  const problem =
    (await provideVenv()) ??
    (await run(ruff, ["check", "--no-cache", ...files])) ??
    (await run(ruff, ["format", "--no-cache", "--check", "--diff", ...files]));
  count("ruff (lint and format of the Python files)", problem);
}

async function lintTypeScript() {
  console.log("\nbiome ci");
  count("biome (format and lint)", await run("biome", ["ci", "--colors=off", "--max-diagnostics=none", "."]));
  console.log("\ntsc");
  count("tsc (types on Bun)", await run("tsc", ["--pretty", "false"]));
  const entries = ["src/index.ts", "src/cli/main.ts"].filter((file) => existsSync(file));
  console.log("\ndeno check");
  count("deno check (types on Deno)", await run("deno", ["check", "--quiet", ...entries]));
}

async function main() {
  const wanted = process.argv.slice(2);
  mkdirSync(REPORTS, { recursive: true });
  provideTools();
  if (wanted.length === 0) {
    await lintTypeScript();
    await lintPython();
  }
  const files = filesUnder(join(ROOT, "test"), ".test.ts").filter(
    (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
  );
  if (wanted.length > 0) await providePython(files);
  // Integration tests start servers on both runtimes themselves, and those directly in test/ are about the tree:
  // both run once.
  const onBoth = files.filter((file) => !file.startsWith("test/integration/") && file.split("/").length > 2);
  await runTests(
    "bun",
    "bun",
    files.map((file) => `./${file}`),
    (report, list) => [
      "test",
      `--parallel=${PARALLEL_FILES}`,
      "--only-failures",
      `--timeout=${TEST_TIMEOUT_MS}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...list,
    ],
    (line) => line.trim() !== "" && !/^(test\/\S+:|bun test v\S+ .*)$/.test(line),
  );
  if (wanted.length === 0 || onBoth.length > 0) {
    await runTests(
      "deno",
      "deno",
      onBoth,
      (report, list) => [
        "test",
        "-A",
        "--unstable-net",
        "--no-check",
        "--quiet",
        "--parallel",
        `--junit-path=${report}`,
        ...list,
      ],
      (line) => line.trim() !== "" && !/ \.\.\. (ok|ignored) |^running \d+ tests? from |^Check /.test(line),
    );
  }
  if (totals.failures.length > 0) console.log(`\nfailed:\n${totals.failures.map((f) => `  ${f}`).join("\n")}`);
  const skipped = totals.skipped === 0 ? "" : `, ${totals.skipped} skipped`;
  console.log(`\n${totals.passed} passed, ${totals.failed} failed${skipped}`);
  process.exitCode = totals.failed === 0 ? 0 : 1;
}

await main();
