/**
 * The load generators that come from elsewhere: which there are, what each can send, where they are had from, and what
 * their latencies leave out.
 */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PlainError } from "../../src/runtime/types.ts";
import { cacheDirectory } from "./cache.ts";
import { addProgram, programs } from "./programs.ts";
import type { LoadTool, ToolName } from "./types.ts";
import type { Workload } from "./workloads.ts";

/** In the order in which a row prefers them: the quicker before the slower. */
export const TOOLS: readonly LoadTool[] = ["wrk", "oha", "h2load", "autocannon"];

/** The system's package (Debian's names) that holds the program; autocannon comes with npm. */
const PACKAGES: Readonly<Partial<Record<LoadTool, string>>> = { wrk: "wrk", oha: "oha", h2load: "nghttp2-client" };

const INSTALL_TIMEOUT_MS = 60_000;

/** Coordinated omission: what becomes of the requests that a stalled server was not asked meanwhile. */
export const OMISSION: Readonly<Record<ToolName, string>> = {
  wrk: "wrk waits for an answer before it asks again; it adds what it should have asked meanwhile, at its mean pace, to its percentiles afterwards (wrongly when pipelined: they are left out there)",
  autocannon:
    "autocannon waits for an answer before it asks again, and leaves out what it should have asked meanwhile; its latencies are whole milliseconds",
  oha: "oha waits for an answer before it asks again, and leaves out what it should have asked meanwhile",
  h2load:
    "h2load waits for an answer before it asks again, and leaves out what it should have asked meanwhile; its percentiles are those of its log of every request",
  own: "the suite's own client, where no rate is named, waits for an answer before it asks again, and leaves out what it should have asked meanwhile",
  loop: "the closed loop waits for an answer before it asks again, and leaves out what it should have asked meanwhile",
  socket:
    "the WebSocket client waits for an echo before it sends again, and leaves out what it should have sent meanwhile",
};

/** True when the tool can send what the workload asks. */
export function canSend(tool: LoadTool, { request, mix }: Workload): boolean {
  if (tool === "wrk") return true;
  if (mix !== undefined || request.chunk !== undefined) return false;
  // h2load gives a client up whose connection the server closes.
  return tool !== "h2load" || !(request.fields ?? []).some(([name]) => name === "Connection");
}

/**
 * The tool of a row: the first of those at hand that can send its request.
 * @returns undefined when none can
 */
export function toolFor(workload: Workload, tools: readonly LoadTool[]): ToolName | undefined {
  if (workload.socket !== undefined) return "socket";
  if (workload.own) return "own";
  if (workload.exact) return "loop";
  return TOOLS.find((tool) => tools.includes(tool) && canSend(tool, workload));
}

/** The tools of `--tools`, in TOOLS' order; all without it. @throws PlainError for a name that is none */
export function wantedTools(names: readonly string[] | undefined): LoadTool[] {
  for (const name of names ?? []) {
    if (TOOLS.some((tool) => tool === name)) continue;
    throw new PlainError(`There is no load generator "${name}": choose from ${TOOLS.join(", ")}.`);
  }
  return TOOLS.filter((tool) => names === undefined || names.includes(tool));
}

function run(command: string, args: readonly string[], cwd: string): Promise<{ out: string; failed: boolean }> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, timeout: INSTALL_TIMEOUT_MS, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      resolve({ out: `${stdout}\n${stderr}`, failed: error !== null });
    });
  });
}

/** The packages that `apt-get install --print-uris` would fetch: 'URI' FILE_VERSION_ARCH.deb SIZE SUM. */
export function packagesToFetch(text: string): string[] {
  return [...text.matchAll(/^'\S+' ([^_\s]+)_\S+ \d+/gm)].map((match) => match[1]);
}

/** Unpacks the system's package, and those that it needs and that are not installed, into the cache. Needs no rights. */
async function unpack(tool: LoadTool, name: string): Promise<string | undefined> {
  const directory = join(cacheDirectory(), `tools-${tool}`);
  const started = join(directory, tool);
  if (existsSync(started)) {
    addProgram(tool, started);
    return undefined;
  }
  const made = `${directory}.${process.pid}`;
  mkdirSync(made, { recursive: true });
  try {
    const plan = await run("apt-get", ["install", "--print-uris", "-y", "--no-install-recommends", name], made);
    const packages = packagesToFetch(plan.out);
    if (plan.failed || packages.length === 0) return `not installed, and the system's packages have no "${name}"`;
    if ((await run("apt-get", ["download", ...packages], made)).failed) return `"apt-get download ${name}" failed`;
    for (const file of readdirSync(made).filter((each) => each.endsWith(".deb"))) {
      if ((await run("dpkg-deb", ["-x", file, "."], made)).failed) return `"dpkg-deb -x ${file}" failed`;
    }
    const libraries = existsSync(join(made, "usr/lib")) ? readdirSync(join(made, "usr/lib")) : [];
    const paths = libraries.filter((each) => each.includes("-linux-")).map((each) => join(directory, "usr/lib", each));
    const program = join(directory, "usr/bin", tool);
    writeFileSync(join(made, tool), `#!/bin/sh\nLD_LIBRARY_PATH=${paths.join(":")} exec ${program} "$@"\n`);
    chmodSync(join(made, tool), 0o755);
    rmSync(directory, { recursive: true, force: true });
    renameSync(made, directory);
    addProgram(tool, started);
    return undefined;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** Looks for the tools and unpacks what the system's packages have. @returns why others are missing */
export async function provideTools(
  wanted: readonly LoadTool[],
  progress: (line: string) => void,
): Promise<Partial<Record<LoadTool, string>>> {
  const missing: Partial<Record<LoadTool, string>> = {};
  for (const tool of wanted) {
    if (programs()[tool] !== undefined) continue;
    const name = PACKAGES[tool];
    const reason = name === undefined ? 'not installed: run "npm ci"' : await unpack(tool, name);
    if (reason === undefined) continue;
    missing[tool] = reason;
    progress(`The load generator ${tool} is missing: ${reason}.`);
  }
  return missing;
}
