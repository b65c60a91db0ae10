/**
 * The suite's entry: `npm run bench -- [options]`. Measures, prints Markdown, and keeps the raw samples in .bench/.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { PlainError } from "../src/runtime/types.ts";
import { runHttpSuite } from "./load/http.ts";
import { runIdleSuite } from "./load/idle.ts";
import { describeMachine } from "./load/machine.ts";
import { runMicroSuite } from "./load/micro.ts";
import { programs, ROOT } from "./load/programs.ts";
import { availableServers, EXTRA_SERVERS, SERVERS } from "./load/servers.ts";
import { runMemorySuite } from "./load/transfer.ts";
import type { BenchContext, BenchResult, ServerSpec, Settings } from "./load/types.ts";
import { chooseSuites, HELP, OPTIONS, settingsFrom } from "./options.ts";
import { renderFigures, renderReport, replaceFigures } from "./report.ts";

const RESULTS = join(ROOT, ".bench");
const LATEST = join(RESULTS, "latest.json");

type Suite = (context: BenchContext) => Promise<void>;

const SUITES: Readonly<Record<string, Suite>> = {
  micro: runMicroSuite,
  "http/hello": (context) => runHttpSuite(context, "http/hello", 1),
  "http/pipelined": (context) => runHttpSuite(context, "http/pipelined", 16),
  idle: runIdleSuite,
  memory: runMemorySuite,
};

function readResult(path: string): BenchResult {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as BenchResult;
  } catch {
    throw new PlainError(`${path} holds no result: run "npm run bench" first, or name a JSON file that --json wrote.`);
  }
}

/** Rewrites the README's figures from a result on disk. */
function updateReadme(from: string): void {
  const path = join(ROOT, "README.md");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, replaceFigures(text, renderFigures(readResult(from))));
  stderr.write(`README.md now shows the figures of ${from}\n`);
}

function chooseServers(names: string | undefined): ServerSpec[] {
  if (names === undefined) return [...SERVERS];
  const known = [...SERVERS, ...EXTRA_SERVERS];
  return names.split(",").map((name) => {
    const found = known.find((spec) => spec.id === name.trim());
    if (found !== undefined) return found;
    throw new PlainError(`There is no server "${name}": choose from ${known.map((spec) => spec.id).join(", ")}.`);
  });
}

function chooseTools(names: string | undefined): BenchContext["tools"] {
  const all = ["wrk", "autocannon"] as const;
  const wanted = names === undefined ? all : all.filter((tool) => names.split(",").includes(tool));
  const tools = wanted.filter((tool) => programs()[tool] !== undefined);
  if (tools.length > 0) return tools;
  throw new PlainError("No load generator is left: autocannon comes with npm ci, wrk with the system.");
}

interface Choices {
  readonly settings: Settings;
  readonly cpus: string | undefined;
  readonly wanted: readonly ServerSpec[];
  readonly tools: BenchContext["tools"];
}

function newContext({ settings, cpus, wanted, tools }: Choices, signal: AbortSignal): BenchContext {
  const { servers, missing } = availableServers(wanted);
  const machine = describeMachine(cpus);
  const notes = missing.map((spec) => `${spec.title} was left out: ${spec.runtime} is not installed.`);
  if (!tools.includes("wrk")) notes.push("autocannon alone measured, without wrk, and may be the bottleneck.");
  const result: BenchResult = {
    version: 1,
    startedAt: new Date().toISOString(),
    command: ["npm run bench", ...(argv.length > 2 ? ["--", ...argv.slice(2)] : [])].join(" "),
    machine,
    settings,
    complete: false,
    notes,
    http: {},
    idle: {},
    memory: {},
    micro: [],
  };
  return { settings, machine, result, servers, signal, tools, progress: (line) => stderr.write(`${line}\n`) };
}

/** Runs the suites in order. A suite that fails is noted and the next one runs. */
async function runSuites(context: BenchContext, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (context.signal.aborted) return;
    try {
      await SUITES[name](context);
    } catch (error) {
      if (context.signal.aborted) return;
      const reason = error instanceof PlainError ? error.message : String(error instanceof Error ? error.stack : error);
      context.progress(`${name} stopped: ${reason}`);
      context.result.notes.push(`${name} stopped: ${reason}`);
    }
  }
  context.result.complete = !context.signal.aborted;
}

function save(result: BenchResult, extra: string | undefined): void {
  const text = `${JSON.stringify(result, null, 1)}\n`;
  const dated = join(RESULTS, `${result.startedAt.replaceAll(":", "-").slice(0, 19)}.json`);
  mkdirSync(RESULTS, { recursive: true });
  for (const path of [dated, LATEST, ...(extra === undefined ? [] : [extra])]) writeFileSync(path, text);
  stderr.write(`Raw samples: ${dated}\n`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv.slice(2), options: OPTIONS, allowPositionals: true });
  if (values.help) {
    stdout.write(HELP);
    return 0;
  }
  if (values.readme) {
    updateReadme(positionals[0] ?? LATEST);
    return 0;
  }
  if (values.report) {
    stdout.write(`${renderReport(readResult(positionals[0] ?? LATEST))}\n`);
    return 0;
  }
  if (positionals.length > 0) throw new PlainError(`"${positionals[0]}" is not an option: see --help.`);
  const suites = chooseSuites(Object.keys(SUITES), values.only);
  if (values.list) {
    stdout.write(
      `Suites:  ${suites.join(", ")}\nServers: ${[...SERVERS, ...EXTRA_SERVERS].map((spec) => spec.id).join(", ")}\n`,
    );
    return 0;
  }
  const interruption = new AbortController();
  const choices = {
    settings: settingsFrom(values),
    cpus: values.cpus,
    wanted: chooseServers(values.servers),
    tools: chooseTools(values.tools),
  };
  const context = newContext(choices, interruption.signal);
  process.on("SIGINT", () => {
    if (interruption.signal.aborted) exit(130);
    stderr.write("\nInterrupted: what is done is kept. Once more to leave at once.\n");
    interruption.abort();
  });
  if (context.machine.loadAverage > 1) {
    context.progress(
      `The machine is busy (load average ${context.machine.loadAverage.toFixed(2)}): figures will suffer.`,
    );
  }
  await runSuites(context, suites);
  stdout.write(`${renderReport(context.result)}\n`);
  save(context.result, values.json);
  const failed = context.result.notes.some((note) => note.includes(" stopped: "));
  return interruption.signal.aborted ? 130 : failed ? 1 : 0;
}

try {
  exit(await main());
} catch (error) {
  const plain = error instanceof PlainError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  if (!plain) throw error;
  stderr.write(`${(error as Error).message}\n`);
  exit(2);
}
