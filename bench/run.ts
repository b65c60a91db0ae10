/**
 * The suite's entry: `npm run bench -- [options]`. Measures, prints Markdown, and keeps the raw samples in .bench/.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { PlainError } from "../src/runtime/types.ts";
import { renderDifference } from "./compare.ts";
import { renderHtml } from "./html.ts";
import { announce, othersIn } from "./load/alone.ts";
import { cacheDirectory } from "./load/cache.ts";
import { runHttpSuite } from "./load/http.ts";
import { runIdleSuite } from "./load/idle.ts";
import { describeMachine } from "./load/machine.ts";
import { MICRO_FILES, runMicroFile } from "./load/micro.ts";
import { plannedText } from "./load/planned.ts";
import { programs, ROOT, shown } from "./load/programs.ts";
import { newPlan, type Planned } from "./load/progress.ts";
import { treeRevision } from "./load/revision.ts";
import { ROW_SERVERS, serversOf } from "./load/row-groups.ts";
import { isNamed, parseVariant, type RowServer, type Selection } from "./load/row-servers.ts";
import { paceFor, rowName, runRow } from "./load/rows.ts";
import { availableServers, EXTRA_SERVERS, SERVERS } from "./load/servers.ts";
import { runSocketIdle, SOCKET_IDLE_SUITES, type SocketIdleSuite } from "./load/socket-idle.ts";
import { provideTools, wantedTools } from "./load/tools.ts";
import { runMemorySuite, TRANSFERS } from "./load/transfer.ts";
import type { BenchContext, BenchResult, ServerSpec, Settings } from "./load/types.ts";
import { connectionsText, coresOf, WORKLOADS, type Workload } from "./load/workloads.ts";
import { merge } from "./merge.ts";
import { chooseSuites, HELP, listOf, OPTIONS, settingsFrom } from "./options.ts";
import { runProgram } from "./program.ts";
import { renderFigures, renderReport, replaceFigures } from "./report.ts";
import { checkFolderOf, datedName, readResult, textOf, writeAll } from "./results.ts";
import { argumentsOf, checkAlone, suitesLeft, withoutLoose } from "./resume.ts";
import { renderSummary } from "./summary.ts";

const RESULTS = join(ROOT, ".bench");
const LATEST = join(RESULTS, "latest.json");
/** Where runs announce themselves to each other. */
const RUNS = join(cacheDirectory(), "runs");

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

type Suite = (context: BenchContext) => Promise<void>;

const BEFORE: Readonly<Record<string, Suite>> = {
  ...Object.fromEntries(MICRO_FILES.map((file) => [file.name, (context: BenchContext) => runMicroFile(context, file)])),
  "http/hello": (context) => runHttpSuite(context, "http/hello", 1),
  "http/pipelined": (context) => runHttpSuite(context, "http/pipelined", 16),
  idle: runIdleSuite,
  memory: runMemorySuite,
};

/** After the WebSocket rows. */
const AFTER: Readonly<Record<string, Suite>> = Object.fromEntries(
  (Object.keys(SOCKET_IDLE_SUITES) as SocketIdleSuite[]).map((suite) => [
    suite,
    (context: BenchContext) => runSocketIdle(context, suite),
  ]),
);

async function runWorkload(context: BenchContext, workload: Workload): Promise<void> {
  for (const cores of coresOf(workload, context.settings.cores ?? [1])) {
    if (!context.signal.aborted) await runRow(context, workload, cores);
  }
}

const SUITES: Readonly<Record<string, Suite>> = {
  ...BEFORE,
  ...Object.fromEntries(
    WORKLOADS.map((workload) => [workload.name, (context: BenchContext) => runWorkload(context, workload)]),
  ),
  ...AFTER,
};

/** One, or several as one; the latest where none is named. */
function readResults(paths: readonly string[]): BenchResult {
  return merge((paths.length === 0 ? [LATEST] : paths).map(readResult));
}

/** What there is, and what each workload asks. */
function listText(suites: readonly string[]): string {
  const ids = [...SERVERS, ...EXTRA_SERVERS].map((spec) => spec.id);
  const group = (name: RowServer["group"]) => [
    ...new Set(ROW_SERVERS.filter((spec) => spec.group === name).map((spec) => spec.id)),
  ];
  const rows = WORKLOADS.filter((workload) => suites.includes(workload.name)).map(
    ({ name, about, connections }) => `  ${name.padEnd(26)} ${about}; ${connectionsText(connections)}\n`,
  );
  return [
    `Suites:  ${suites.filter((suite) => !WORKLOADS.some(({ name }) => name === suite)).join(", ")}; and each row\n`,
    `Servers: ${ids.join(", ")}\n`,
    `  of the web rows: ${group("web").join(", ")}\n`,
    `  of the websocket rows: ${group("websocket").join(", ")}\n`,
    `  of the python rows: ${group("python").join(", ")}\n`,
    ...(rows.length === 0 ? [] : ["Rows:\n", ...rows]),
    plannedText(),
  ].join("");
}

/** Rewrites the README's figures from results on disk. */
function updateReadme(from: readonly string[]): void {
  const path = join(ROOT, "README.md");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, replaceFigures(text, renderFigures(readResults(from))));
  stderr.write(`README.md now shows the figures of ${from.length === 0 ? LATEST : from.join(", ")}\n`);
}

/** The servers of the suites http, idle and memory. @throws PlainError for a name that no suite knows */
function chooseServers({ names, against }: Selection): ServerSpec[] {
  const known = [...SERVERS, ...EXTRA_SERVERS];
  const ids = [...new Set([...known, ...ROW_SERVERS].map((spec) => spec.id))];
  for (const name of names ?? []) {
    if (ids.includes(parseVariant(name).id)) continue;
    throw new PlainError(`There is no server "${name}": choose from ${ids.join(", ")}.`);
  }
  for (const name of against ?? []) {
    if (ids.some((id) => isNamed(id, [name]))) continue;
    throw new PlainError(`There is no peer "${name}": choose from ${ids.join(", ")}.`);
  }
  if (names !== undefined) return known.filter((spec) => names.includes(spec.id));
  return SERVERS.filter((spec) => spec.kind === "ringcorn" || against === undefined || isNamed(spec.id, against));
}

/** The tools that are wanted and at hand. @throws PlainError when there is none, though a suite needs one */
async function chooseTools(
  values: Values,
  suites: readonly string[],
): Promise<Pick<Choices, "tools" | "missingTools">> {
  const wanted = wantedTools(listOf("tools", values.tools));
  const loads = (suite: string) =>
    WORKLOADS.some(({ name, socket, own }) => name === suite && socket === undefined && !own);
  if (!suites.some((suite) => suite.startsWith("http/") || loads(suite))) return { tools: [], missingTools: {} };
  const missingTools = await provideTools(wanted, (line) => stderr.write(`${line}\n`));
  const tools = wanted.filter((tool) => programs()[tool] !== undefined);
  if (tools.length > 0) return { tools, missingTools };
  throw new PlainError("No load generator is left: autocannon comes with npm ci, wrk with the system.");
}

interface Choices {
  readonly settings: Settings;
  readonly cpus: string | undefined;
  readonly selection: Selection;
  readonly tools: BenchContext["tools"];
  readonly missingTools: Record<string, string>;
  readonly suites: readonly string[];
}

/** Seconds that the parts of a turn take besides its load: start, check, stop. */
const TURN_SECONDS = 2;
const IDLE_TURN_SECONDS = 25;
const MEMORY_TURN_SECONDS = 15;
const MICRO_FILE_SECONDS = 25;
/** Names of what comes next that the progress shows. */
const NEXT_NAMED = 3;

/** What is to be run, for the time to go. */
function planOf({ settings, suites, tools, selection }: Choices, servers: readonly ServerSpec[]): Planned[] {
  const { rounds, seconds, warmupSeconds } = settings;
  const turn = warmupSeconds + TURN_SECONDS;
  const ours = servers.filter((spec) => spec.kind === "ringcorn").length;
  return suites.flatMap((suite): Planned[] => {
    const micro = MICRO_FILES.find(({ name }) => name === suite);
    if (micro !== undefined) return [{ suite, turns: micro.runtimes.length, secondsEach: MICRO_FILE_SECONDS }];
    if (suite === "idle") {
      return [{ suite, turns: settings.idleRounds * servers.length, secondsEach: IDLE_TURN_SECONDS }];
    }
    if (suite === "memory") {
      return [{ suite, turns: settings.memoryRounds * ours * TRANSFERS.length, secondsEach: MEMORY_TURN_SECONDS }];
    }
    if (suite in SOCKET_IDLE_SUITES) {
      const count = serversOf(SOCKET_IDLE_SUITES[suite as SocketIdleSuite], selection).length;
      return [{ suite, turns: settings.idleRounds * count * 2, secondsEach: IDLE_TURN_SECONDS }];
    }
    const workload = WORKLOADS.find((each) => each.name === suite);
    if (workload === undefined) {
      return [{ suite, turns: rounds * servers.length, secondsEach: turn + seconds * tools.length }];
    }
    const turns = rounds * serversOf(workload, selection).length;
    return coresOf(workload, settings.cores ?? [1]).map((cores) => ({
      suite: rowName(workload, cores),
      turns,
      secondsEach: turn + seconds + (paceFor(workload, settings) === undefined ? 0 : seconds + 1),
    }));
  });
}

/** @param earlier the run that goes on; its result is added to */
function newContext(choices: Choices, signal: AbortSignal, earlier: BenchResult | undefined): BenchContext {
  const { settings, cpus, selection, tools } = choices;
  const wanted = chooseServers(selection);
  const { servers, missing } = availableServers(wanted);
  const machine = describeMachine(cpus);
  const notes = missing.map((spec) => `${spec.title} was left out: ${spec.runtime} is not installed.`);
  if (tools.length > 0 && !tools.includes("wrk")) {
    notes.push(`${tools.join(", ")} measured, without wrk, and may be the bottleneck.`);
  }
  const result: BenchResult = earlier ?? {
    version: 1,
    startedAt: new Date().toISOString(),
    command: shown(["npm run bench", ...(argv.length > 2 ? ["--", ...argv.slice(2)] : [])].join(" ")),
    args: argv.slice(2),
    machine,
    settings,
    complete: false,
    done: [],
    notes,
    ...(Object.keys(choices.missingTools).length === 0 ? {} : { missingTools: choices.missingTools }),
    http: {},
    idle: {},
    memory: {},
    micro: [],
  };
  const progress = (line: string) => stderr.write(`${line}\n`);
  const plan = newPlan(planOf(choices, servers));
  if (earlier !== undefined) earlier.notes.push(`The run was interrupted, and went on at ${new Date().toISOString()}.`);
  return { settings, machine: result.machine, result, servers, signal, tools, selection, plan, progress };
}

/** What comes next, not all of it. */
function thenText(names: readonly string[]): string {
  if (names.length === 0) return "done";
  const named = names.slice(0, NEXT_NAMED).join(", ");
  return names.length > NEXT_NAMED ? `${named} and ${names.length - NEXT_NAMED} others` : named;
}

/** Runs the suites in order. A suite that fails is noted and the next one runs. */
async function runSuites(context: BenchContext, names: readonly string[], keepDone: () => void): Promise<void> {
  const end = (name: string) => {
    context.plan.drop(name);
    context.result.done?.push(name);
    keepDone();
  };
  for (const name of names) {
    if (context.signal.aborted) return;
    if (name in BEFORE && context.servers.length === 0 && !name.startsWith("micro/")) {
      context.result.notes.push(`${name} was left out: none of the servers that are named serves it.`);
      end(name);
      continue;
    }
    const next = thenText(names.slice(names.indexOf(name) + 1));
    context.progress(`${name} (${context.plan.toGo()}; then ${next})`);
    try {
      await SUITES[name](context);
    } catch (error) {
      if (context.signal.aborted) return;
      const reason = error instanceof PlainError ? error.message : String(error instanceof Error ? error.stack : error);
      context.progress(`${name} stopped: ${reason}`);
      context.result.notes.push(`${name} stopped: ${reason}`);
    }
    if (!context.signal.aborted) end(name);
  }
  context.result.complete = !context.signal.aborted;
}

/** Writes the samples, and at the end the page. @returns how many files could not be written */
function keep(result: BenchResult, { json, scratch }: Values, atEnd = false): number {
  const text = textOf(result);
  const dated = datedName(RESULTS, result);
  const own = scratch ? [] : [`${dated}.json`, LATEST];
  const files = [...(json === undefined ? [] : [json]), ...own].map((path) => [path, text] as const);
  const page = atEnd && !scratch ? [[`${dated}.html`, renderHtml(result)] as const] : [];
  const failed = writeAll([...files, ...page], (line) => stderr.write(`${line}\n`));
  if (page.length > 0) stderr.write(`Raw samples: ${dated}.json; report with charts: ${dated}.html\n`);
  return failed;
}

/** Says in the result that another run is under way. */
function noteOthers({ result, progress }: BenchContext): void {
  for (const pid of othersIn(RUNS)) {
    const note = `Another run of the suite, process ${pid}, was under way: they disturb each other's figures.`;
    if (result.notes.includes(note)) continue;
    progress(note);
    result.notes.push(note);
  }
}

/** What needs no run. @returns undefined when one is wanted */
function withoutRun(values: Values, positionals: readonly string[], suites: readonly string[]): number | undefined {
  if (values.help) stdout.write(HELP);
  else if (values.readme) updateReadme(positionals);
  else if (values.report) {
    const result = readResults(positionals);
    stdout.write(`${renderReport(result)}\n`);
    if (values.json !== undefined) writeFileSync(values.json, textOf(result));
    if (values.html !== undefined) writeFileSync(values.html, renderHtml(result));
    if (values.summary !== undefined) writeFileSync(values.summary, `${renderSummary(result)}\n`);
    if (values.compare !== undefined) stdout.write(`\n${renderDifference(readResult(values.compare), result)}\n`);
  } else if (positionals.length > 0) throw new PlainError(`"${positionals[0]}" is not an option: see --help.`);
  else if (values.list) stdout.write(listText(suites));
  else if (values.html !== undefined || values.summary !== undefined) {
    throw new PlainError(
      "--html and --summary go with --report: each run leaves a page of its own beside its samples.",
    );
  } else return undefined;
  return 0;
}

function parsed(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
}

async function main(): Promise<number> {
  const given = parsed(argv.slice(2));
  if (given.values.resume) checkAlone(argv.slice(2));
  const interrupted = given.values.resume ? readResult(given.positionals[0] ?? LATEST) : undefined;
  const { values, positionals } = interrupted === undefined ? given : parsed(argumentsOf(interrupted, treeRevision()));
  const chosen = chooseSuites(Object.keys(SUITES), values.only);
  const settled = withoutRun(values, positionals, chosen);
  if (settled !== undefined) return settled;
  const suites = interrupted === undefined ? chosen : suitesLeft(chosen, interrupted);
  // Read before the run, which may take hours, and not after it.
  const earlier = values.compare === undefined ? undefined : readResult(values.compare);
  checkFolderOf("json", values.json);
  const interruption = new AbortController();
  const choices = {
    settings: settingsFrom(values),
    cpus: values.cpus,
    selection: { names: listOf("servers", values.servers), against: listOf("against", values.against) },
    ...(await chooseTools(values, suites)),
    suites,
  };
  const context = newContext(choices, interruption.signal, interrupted && withoutLoose(interrupted, suites));
  const interrupt = (how: string) => {
    stderr.write(`\nInterrupted: what is done is kept.${how}\n`);
    interruption.abort();
  };
  process.on("SIGINT", () => {
    if (interruption.signal.aborted) exit(130);
    interrupt(" Once more to leave at once.");
  });
  // A run that is ended from outside stops its servers too, which are groups of their own. timeout(1) asks twice.
  for (const name of ["SIGTERM", "SIGHUP"]) {
    process.on(name, () => {
      if (!interruption.signal.aborted) interrupt("");
    });
  }
  if (context.machine.loadAverage > 1) {
    context.progress(
      `The machine is busy (load average ${context.machine.loadAverage.toFixed(2)}): figures will suffer.`,
    );
  }
  announce(RUNS);
  noteOthers(context);
  await runSuites(context, suites, () => {
    noteOthers(context);
    keep(context.result, values);
  });
  stdout.write(`${renderReport(context.result)}\n`);
  if (earlier !== undefined) stdout.write(`\n${renderDifference(earlier, context.result)}\n`);
  const lost = keep(context.result, values, true) > 0;
  const failed = lost || context.result.notes.some((note) => note.includes(" stopped: "));
  return interruption.signal.aborted ? 130 : failed ? 1 : 0;
}

await runProgram(main);
