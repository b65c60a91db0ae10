/**
 * Installs the peers, at pinned versions, into the cache. What can't be installed is told with the reason; the rest runs.
 */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PlainError } from "../../src/runtime/types.ts";
import { oneAtATime } from "./alone.ts";
import { cacheDirectory, digest } from "./cache.ts";
import { ROOT } from "./programs.ts";

const REQUIREMENTS = join(ROOT, "bench/peers/requirements-python.txt");
const MANIFEST = join(ROOT, "bench/peers/package.json");
const WEB_PEERS = join(ROOT, "bench/peers/web");
const INSTALL_TIMEOUT_MS = 300_000;
/** One retry: who has no network need not wait for minutes to be told. */
const PIP_FLAGS = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "30"];
const NPM_FLAGS = [
  ...["--no-audit", "--no-fund", "--save-exact"],
  ...["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"],
];
/** Written when an installation has ended: which packages failed, and why. */
const OUTCOME = "outcome.json";

export interface Provision {
  /** The folder that holds it all. */
  readonly directory: string;
  /** Package name (lower case, no extras) to the reason why it is missing. */
  readonly failed: Readonly<Record<string, string>>;
  /** Of what was installed. */
  readonly versions: Readonly<Record<string, string>>;
}

type Bare = Omit<Provision, "versions">;

/** The lines of a requirements file that name a package. */
export function requirementLines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** `uvicorn[standard]==0.54.0` -> `uvicorn`. */
export function packageOf(requirement: string): string {
  return requirement.split(/[[=<>~! ;]/, 1)[0].toLowerCase();
}

/** `uvicorn[standard]==0.54.0` -> `0.54.0`, by package. */
export function pinnedVersions(requirements: readonly string[]): Record<string, string> {
  return Object.fromEntries(requirements.map((line) => [packageOf(line), line.split("==")[1] ?? "any"]));
}

function without(versions: Readonly<Record<string, string>>, failed: Bare["failed"]): Record<string, string> {
  return Object.fromEntries(Object.entries(versions).filter(([name]) => failed[name] === undefined));
}

/** The sentence that an installer ends with, without its decoration. */
export function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.replace(/^(?:ERROR|npm (?:error|ERR!)):?\s*/, "").trim());
  const said = lines.filter((line) => line !== "" && !line.startsWith("A complete log"));
  return (said.at(-1) ?? "it said nothing").slice(0, 200);
}

export interface Failure {
  readonly reason: string;
  /** The registry could not be reached: no other package will be had either. */
  readonly unreachable: boolean;
}

/** npm's codes, and what pip says of its retries. */
const UNREACHABLE =
  /\b(?:EAI_AGAIN|ENOTFOUND|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED|ETIMEDOUT)\b|NewConnectionError|NameResolutionError|ConnectTimeoutError/;

/** What an installer's output says of why it failed. */
export function failureOf(output: string): Failure {
  const unreachable = UNREACHABLE.test(output);
  return { reason: `${unreachable ? "the registry could not be reached: " : ""}${lastLine(output)}`, unreachable };
}

/** @throws PlainError when it was given up: that is no reason why something could not be installed */
function run(
  command: string,
  args: readonly string[],
  cwd: string,
  signal: AbortSignal | undefined,
): Promise<Failure | undefined> {
  const limits = { cwd, timeout: INSTALL_TIMEOUT_MS, maxBuffer: 2 ** 26, signal };
  return new Promise((resolve, reject) => {
    execFile(command, args, limits, (error, stdout, stderr) => {
      if (signal?.aborted) reject(new PlainError("The installation was interrupted."));
      else resolve(error === null ? undefined : failureOf(`${stdout}\n${stderr || error.message}`));
    });
  });
}

/** All at once, which is quick; one by one when that fails, so that one package doesn't cost the others. */
export async function installEach(
  packages: readonly string[],
  nameOf: (item: string) => string,
  install: (some: readonly string[]) => Promise<Failure | undefined>,
): Promise<Record<string, string>> {
  if ((await install(packages)) === undefined) return {};
  const failed: Record<string, string> = {};
  let last: Failure | undefined;
  for (const each of packages) {
    if (!last?.unreachable) last = await install([each]);
    if (last !== undefined) failed[nameOf(each)] = last.reason;
  }
  return failed;
}

interface Installation {
  /** Package names with their versions. */
  readonly packages: readonly string[];
  nameOf(item: string): string;
  prepare(directory: string): Promise<void>;
  /** @returns why it failed */
  install(directory: string, some: readonly string[]): Promise<Failure | undefined>;
}

/** What failed before is tried again, since it may have been the network; the rest stays as it is. */
async function provision(
  name: string,
  version: string,
  progress: (line: string) => void,
  installation: Installation,
): Promise<Bare> {
  const directory = join(cacheDirectory(), `${name}-${digest(version)}`);
  mkdirSync(cacheDirectory(), { recursive: true });
  const waiting = () => progress(`Another run installs the ${name} peers: waiting for it ...`);
  return oneAtATime(`${directory}.lock`, waiting, () => provisionInto(directory, name, progress, installation));
}

async function provisionInto(
  directory: string,
  name: string,
  progress: (line: string) => void,
  { packages, nameOf, prepare, install }: Installation,
): Promise<Bare> {
  const outcome = join(directory, OUTCOME);
  let wanted = packages;
  if (existsSync(outcome)) {
    const failed = JSON.parse(readFileSync(outcome, "utf8")) as Record<string, string>;
    wanted = packages.filter((each) => failed[nameOf(each)] !== undefined);
    if (wanted.length === 0) return { directory, failed };
    progress(`Trying again to install ${wanted.join(", ")} ...`);
  } else {
    progress(`Installing the ${name} peers into ${directory} ...`);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    await prepare(directory);
  }
  const failed = await installEach(wanted, nameOf, (some) => install(directory, some));
  writeFileSync(outcome, JSON.stringify(failed));
  return { directory, failed };
}

let python: Promise<Bare> | undefined;
let web: Promise<Bare> | undefined;

/**
 * A virtual environment with the Python servers and frameworks. `BENCH_PYTHON` names the interpreter (python3).
 * @throws PlainError when there is no Python, or it makes no virtual environment
 */
export async function providePython(progress: (line: string) => void, signal?: AbortSignal): Promise<Provision> {
  const text = readFileSync(REQUIREMENTS, "utf8");
  const interpreter = process.env.BENCH_PYTHON ?? "python3";
  const programIn = (directory: string) => join(directory, "venv/bin/python");
  python ??= provision("python", `${interpreter}\n${text}`, progress, {
    packages: requirementLines(text),
    nameOf: packageOf,
    async prepare(directory) {
      const problem = await run(interpreter, ["-m", "venv", join(directory, "venv")], ROOT, signal);
      if (problem !== undefined) throw new PlainError(`${interpreter} made no virtual environment: ${problem.reason}`);
    },
    install: (directory, some) =>
      run(programIn(directory), ["-m", "pip", "install", ...PIP_FLAGS, ...some], directory, signal),
  });
  const found = await python;
  const version = execFileSync(programIn(found.directory), ["--version"], { encoding: "utf8" })
    .trim()
    .replace("Python ", "");
  const versions = { python: version, ...without(pinnedVersions(requirementLines(text)), found.failed) };
  return { ...found, versions };
}

/** The frameworks of the web rows, with the programs that use them beside their node_modules. */
export async function provideWeb(progress: (line: string) => void, signal?: AbortSignal): Promise<Provision> {
  const text = readFileSync(MANIFEST, "utf8");
  const { name, type, dependencies } = JSON.parse(text) as Record<string, Record<string, string>>;
  web ??= provision("web", text, progress, {
    packages: Object.entries(dependencies).map(([each, version]) => `${each}@${version}`),
    nameOf: (item) => item.slice(0, item.lastIndexOf("@")),
    async prepare(directory) {
      writeFileSync(join(directory, "package.json"), JSON.stringify({ name, type, private: true }));
    },
    install: (directory, some) =>
      run("npm", ["install", ...NPM_FLAGS, "--prefix", directory, ...some], directory, signal),
  });
  const found = await web;
  cpSync(WEB_PEERS, found.directory, { recursive: true });
  return { ...found, versions: without(dependencies, found.failed) };
}
