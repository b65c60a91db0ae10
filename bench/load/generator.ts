/**
 * Runs a load generator on its cores and reads what it reports: wrk's text, autocannon's JSON, and those of oha and h2load.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlainError } from "../../src/runtime/types.ts";
import { watchBusy } from "./busy.ts";
import { endWithUs } from "./children.ts";
import { h2loadCommand, parseH2load } from "./h2load.ts";
import { ohaCommand, parseOha } from "./oha.ts";
import { endedChildrenSeconds } from "./procfs.ts";
import { program, ROOT } from "./programs.ts";
import type { LoadTool } from "./types.ts";
import type { RequestSpec } from "./workloads.ts";

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  /** Whole seconds: wrk takes no other. */
  readonly seconds: number;
  /** Requests written at once on each connection; 1 is no pipelining. */
  readonly pipelining: number;
  readonly cpus: readonly number[];
  readonly signal: AbortSignal;
  /** Arguments of request.lua: files that hold the requests. */
  readonly script?: readonly string[];
  /** The same request for the others, which make it from its parts. */
  readonly request?: RequestSpec;
  /** Where the request's body lies, and where h2load is to log; `runLoad` sets them. */
  readonly bodyFile?: string;
  readonly logFile?: string;
}

/** What a load generator counted. */
export interface LoadReport {
  readonly requests: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly errors: number;
  readonly p999Us?: number;
  /** The parts of `errors`. */
  readonly wrongStatus?: number;
  readonly socketErrors?: number;
}

export interface LoadRun extends LoadReport {
  /** Wall-clock seconds of the generator's process, its start included. */
  readonly wallSeconds: number;
  /** Share of its threads' time that it used while the load lasted. */
  readonly utilisation: number;
  /** How it was started. */
  readonly command: string;
}

const MICROSECONDS: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 60e6, h: 3600e6 };

/** Parses a duration as wrk prints it, such as "835.90us" or "1.01m", into microseconds. */
export function parseWrkDuration(text: string): number {
  const match = /^([\d.]+)(us|ms|s|m|h)$/.exec(text.trim());
  if (match === null) throw new PlainError(`"${text}" is not a duration that wrk prints.`);
  return Number(match[1]) * MICROSECONDS[match[2]];
}

/** wrk prints 0 for a percentile that its correction has moved below its least value: no number, then. */
function knownLatency(text: string): number {
  return parseWrkDuration(text) || Number.NaN;
}

/** @throws PlainError when the text is not a whole report of `wrk --latency`. */
export function parseWrk(text: string): LoadReport {
  const total = /(\d+) requests in ([\d.]+(?:us|ms|s|m|h)),/.exec(text);
  const p50 = /^\s*50%\s+(\S+)\s*$/m.exec(text);
  const p99 = /^\s*99%\s+(\S+)\s*$/m.exec(text);
  if (total === null || p50 === null || p99 === null) throw new PlainError(`wrk did not report:\n${text}`);
  const requests = Number(total[1]);
  const seconds = parseWrkDuration(total[2]) / 1e6;
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const wrongStatus = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  return {
    requests,
    seconds,
    requestsPerSecond: requests / seconds,
    p50Us: knownLatency(p50[1]),
    p99Us: knownLatency(p99[1]),
    errors: sockets.reduce((sum, count) => sum + Number(count), wrongStatus),
  };
}

/** What request.lua adds to wrk's report. @throws PlainError when it is not there */
export function parseWrkFigures(text: string): LoadReport {
  const line = /^figures (.*)$/m.exec(text);
  if (line === null) throw new PlainError(`request.lua did not report:\n${text}`);
  const figures = new Map(line[1].split(" ").map((part) => part.split("=") as [string, string]));
  const of = (name: string) => Number(figures.get(name) ?? Number.NaN);
  const socketErrors = of("connect") + of("read") + of("write") + of("timeout");
  const wrongStatus = of("status");
  return {
    ...parseWrk(text),
    p50Us: of("p50") || Number.NaN,
    p99Us: of("p99") || Number.NaN,
    p999Us: of("p99.9") || Number.NaN,
    errors: socketErrors + wrongStatus,
    wrongStatus,
    socketErrors,
  };
}

/**
 * wrk "corrects" its histogram for coordinated omission by the mean time between responses of a connection. When
 * pipelined, a sample is a whole batch and that time is a single response's, so that made-up samples outnumber real ones.
 */
export function withoutFalseLatencies(report: LoadReport, pipelining: number): LoadReport {
  return pipelining === 1 ? report : { ...report, p50Us: Number.NaN, p99Us: Number.NaN, p999Us: Number.NaN };
}

interface AutocannonJson {
  readonly duration: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly mismatches: number;
  readonly non2xx: number;
  readonly requests: { readonly total: number };
  readonly latency: { readonly p50: number; readonly p99: number; readonly p99_9?: number };
}

/** @throws PlainError when the text holds no result of `autocannon --json`. */
export function parseAutocannon(text: string): LoadReport {
  let result: AutocannonJson;
  try {
    result = JSON.parse(text.slice(text.indexOf("{"))) as AutocannonJson;
  } catch {
    throw new PlainError(`autocannon did not report:\n${text}`);
  }
  return {
    requests: result.requests.total,
    seconds: result.duration,
    requestsPerSecond: result.requests.total / result.duration,
    p50Us: result.latency.p50 * 1e3,
    p99Us: result.latency.p99 * 1e3,
    ...(result.latency.p99_9 === undefined ? {} : { p999Us: result.latency.p99_9 * 1e3 }),
    // autocannon counts time-outs among its errors.
    errors: result.errors + result.mismatches + result.non2xx,
  };
}

/** wrk's options for a script, and what comes behind the address. */
function wrkScript({ script, pipelining }: LoadOptions): [string[], string[]] {
  const [file, ...rest] = script === undefined ? ["pipeline.lua", String(pipelining)] : ["request.lua", ...script];
  return [
    ["-s", `${ROOT}bench/load/${file}`],
    ["--", ...rest],
  ];
}

function wrkCommand(options: LoadOptions): string[] {
  const { connections, seconds, cpus, url } = options;
  const [script, depth] = wrkScript(options);
  // It refuses more threads than connections.
  const threads = Math.min(cpus.length, connections);
  return ["-t", `${threads}`, "-c", `${connections}`, "-d", `${seconds}s`, "--latency", ...script, url, ...depth];
}

function autocannonCommand({ connections, seconds, pipelining, cpus, url, request, bodyFile }: LoadOptions): string[] {
  const fields = (request?.fields ?? []).flatMap(([name, value]) => ["-H", `${name}=${value}`]);
  const workers = Math.min(cpus.length, connections);
  return [
    ...["--json", "-c", `${connections}`, "-d", `${seconds}`, "-p", `${pipelining}`],
    ...(workers === 1 ? [] : ["-w", `${workers}`]),
    ...(request === undefined ? [] : ["-m", request.method, ...fields]),
    ...(bodyFile === undefined ? [] : ["-i", bodyFile]),
    url,
  ];
}

const COMMANDS: Readonly<Record<LoadTool, (options: LoadOptions) => string[]>> = {
  wrk: wrkCommand,
  autocannon: autocannonCommand,
  oha: (options) => ohaCommand(options),
  h2load: h2loadCommand,
};

/** The command line of a load. One thread of the generator for each of its cores. */
export function loadCommand(tool: LoadTool, options: LoadOptions): string[] {
  return [program(tool), ...COMMANDS[tool](options)];
}

function readWrk(text: string, { script, pipelining }: LoadOptions): LoadReport {
  const report = parseWrkFigures(text);
  return script === undefined ? withoutFalseLatencies(report, pipelining) : report;
}

function readReport(tool: LoadTool, text: string, options: LoadOptions): LoadReport {
  if (tool === "wrk") return readWrk(text, options);
  if (tool === "oha") return parseOha(text);
  if (tool === "autocannon") return parseAutocannon(text);
  const log =
    options.logFile !== undefined && existsSync(options.logFile) ? readFileSync(options.logFile, "latin1") : "";
  return parseH2load(text, log);
}

/** Descriptors beyond the connections: the generator's own. */
const DESCRIPTOR_SPARE = 256;

/**
 * Runs one load to its end.
 * @throws PlainError when the generator fails or was interrupted.
 */
export async function runLoad(tool: LoadTool, given: LoadOptions): Promise<LoadRun> {
  const scratch = mkdtempSync(join(tmpdir(), "ringcorn-load-"));
  try {
    const bodyFile = join(scratch, "body");
    if (given.request?.body !== undefined) writeFileSync(bodyFile, given.request.body, "latin1");
    return await runScratched(tool, {
      ...given,
      ...(given.request?.body === undefined ? {} : { bodyFile }),
      logFile: join(scratch, "log"),
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function runScratched(tool: LoadTool, options: LoadOptions): Promise<LoadRun> {
  const command = loadCommand(tool, options);
  const cpuBefore = endedChildrenSeconds();
  const startedMs = performance.now();
  const limit = `ulimit -n ${options.connections + DESCRIPTOR_SPARE} 2>/dev/null || ulimit -n "$(ulimit -Hn)"; `;
  const script = `${limit}exec taskset -c ${options.cpus.join(",")} "$@"`;
  // A group of its own: Ctrl-C in the terminal is this program's to handle.
  const child = endWithUs(
    spawn("/bin/sh", ["-c", script, "sh", ...command], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  const busy = watchBusy(child.pid === undefined ? [] : [child.pid]);
  const interrupt = () => child.kill("SIGKILL");
  options.signal.addEventListener("abort", interrupt);
  let out = "";
  let err = "";
  child.stdout.on("data", (piece: Buffer) => {
    out += piece.toString("utf8");
  });
  child.stderr.on("data", (piece: Buffer) => {
    err += piece.toString("utf8");
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).finally(() => busy.stop());
  options.signal.removeEventListener("abort", interrupt);
  if (options.signal.aborted) throw new PlainError("The load was interrupted.");
  if (code !== 0) throw new PlainError(`"${command.join(" ")}" failed:\n${err || out}`);
  // Before the report is read: h2load's is long.
  const endedMs = performance.now();
  const wallSeconds = (endedMs - startedMs) / 1e3;
  const report = readReport(tool, out, options);
  const busySeconds = endedChildrenSeconds() - cpuBefore;
  const utilisation =
    busy.share(report.seconds, options.cpus.length, endedMs) ?? busySeconds / (wallSeconds * options.cpus.length);
  return { ...report, wallSeconds, utilisation, command: command.join(" ") };
}
