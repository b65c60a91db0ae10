/**
 * `npm run bench:check`: a short run that fails where a ratio to a peer in the same run has fallen clearly below the one in
 * bench/recorded.json. `--record` writes that file instead, from a run on a quiet machine.
 *
 *   npm run bench:check -- [--only http/hello,python/hello] [--all] [--rounds 7] [--record] [--recorded FILE]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { PlainError } from "../src/runtime/types.ts";
import { titleOf } from "./goals.ts";
import { program, programs, ROOT } from "./load/programs.ts";
import { FEW_ROUNDS } from "./load/stats.ts";
import type { BenchResult } from "./load/types.ts";
import { positive, runChild, runProgram } from "./program.ts";
import { table } from "./table.ts";
import { type Judged, judgeAll, mergeRatios, type Pair, type Recorded, ratiosOf, resolution } from "./verdict.ts";

const RECORDED = join(ROOT, "bench/recorded.json");

/** What is checked: few rows, the ones that a mistake in the parser, the cycle, the writer or the bridge would slow. */
const PAIRS: readonly Pair[] = [
  { suite: "http/hello", ours: "ringcorn-bun", theirs: "bun-serve" },
  { suite: "http/hello", ours: "ringcorn-deno", theirs: "deno-serve" },
  { suite: "web/upload@1", ours: "ringcorn-bun", theirs: "bun-serve" },
  { suite: "python/hello@1", ours: "ringcorn-bun-python", theirs: "uvicorn" },
];
/** With `--all`. */
const MORE_PAIRS: readonly Pair[] = [
  { suite: "http/pipelined", ours: "ringcorn-bun", theirs: "bun-serve" },
  { suite: "http/pipelined", ours: "ringcorn-deno", theirs: "deno-serve" },
  { suite: "web/upload@1", ours: "ringcorn-deno", theirs: "deno-serve" },
  { suite: "python/hello@1", ours: "ringcorn-deno-python", theirs: "uvicorn" },
  { suite: "python/echo-10kb@1", ours: "ringcorn-bun-python", theirs: "uvicorn" },
];

/** With one second, half of the server would not be compiled yet when the measurement begins. */
const WARMUP_SECONDS = "2";

const OPTIONS = {
  only: { type: "string" },
  all: { type: "boolean", default: false },
  rounds: { type: "string", default: "7" },
  seconds: { type: "string", default: "1" },
  cpus: { type: "string" },
  record: { type: "boolean", default: false },
  recorded: { type: "string", default: RECORDED },
  help: { type: "boolean", short: "h", default: false },
} as const;

const HELP = `npm run bench:check -- [options]          ends with 1 where a ratio to a peer has fallen, with 2 where nothing was judged

  --only NAMES      rows, of ${[...new Set([...PAIRS, ...MORE_PAIRS].map(({ suite }) => suite))].join(", ")}, or beginnings
                    such as python; separated by commas (those of a usual check)
  --all             all rows that there are
  --rounds N        interleaved rounds (7; ${FEW_ROUNDS} at least: fewer have no spread)
  --seconds N       whole seconds a load lasts (1)
  --cpus S:L        core of the server and cores of the load generator, such as 0:2,3
  --record          write what is measured instead of judging it; on a quiet machine
  --recorded FILE   where the recorded ratios are (bench/recorded.json)
  -h, --help
`;

/** The pairs of `--only`, of all: `python/hello@1` by this name, as `python/hello`, or as `python`. */
export function chosenPairs(only: string | undefined, all = false): Pair[] {
  const every = [...PAIRS, ...MORE_PAIRS];
  if (only === undefined) return all ? every : [...PAIRS];
  const parts = only.split(",").map((part) => part.trim());
  const names = (suite: string) => [suite, suite.split("@")[0], suite.split("/")[0]];
  const chosen = every.filter(({ suite }) => parts.some((part) => names(suite).includes(part)));
  if (chosen.length > 0) return chosen;
  throw new PlainError(`--only names none of ${[...new Set(every.map(({ suite }) => suite))].join(", ")}.`);
}

function readRecorded(path: string): Recorded | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Recorded;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw new PlainError(`${path} is not what --record writes.`);
  }
}

/** Runs the suite itself and reads its result. */
async function measure(pairs: readonly Pair[], values: Values): Promise<BenchResult> {
  const directory = mkdtempSync(join(tmpdir(), "ringcorn-check-"));
  const json = join(directory, "result.json");
  const suites = new Set(pairs.map(({ suite }) => suite.split("@")[0]));
  const servers = new Set(pairs.flatMap(({ ours, theirs }) => [ours, theirs]));
  const tool = programs().wrk === undefined ? "autocannon" : "wrk";
  const flags = [
    "--warmup",
    WARMUP_SECONDS,
    "--rounds",
    values.rounds,
    "--seconds",
    values.seconds,
    "--cores",
    "1",
    "--tools",
    tool,
    // A short run is not the latest result.
    "--scratch",
    "--json",
    json,
  ];
  const named = ["--only", [...suites].join(","), "--servers", [...servers].join(",")];
  const cpus = values.cpus === undefined ? [] : ["--cpus", values.cpus];
  const args = [join(ROOT, "bench/run.ts"), ...named, ...flags, ...cpus];
  try {
    const code = await runChild([program("bun"), ...args], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
    if (code !== 0) throw new PlainError(`The run ended with ${code}; nothing was judged.`);
    return JSON.parse(readFileSync(json, "utf8")) as BenchResult;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function row({ recorded, now, verdict }: Judged): string[] {
  const range = (values: { q1: number; median: number; q3: number }) =>
    values.q1 === values.q3
      ? values.median.toFixed(2)
      : `${values.median.toFixed(2)} (${values.q1.toFixed(2)} to ${values.q3.toFixed(2)})`;
  const what = `${titleOf(recorded.ours)} / ${titleOf(recorded.theirs)}`;
  return [recorded.suite, what, recorded.measure, range(recorded), now === undefined ? "–" : range(now), verdict];
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

async function main(): Promise<number> {
  const { values } = parseArgs({ args: argv.slice(2), options: OPTIONS });
  if (values.help) {
    stdout.write(HELP);
    return 0;
  }
  positive("seconds", values.seconds);
  if (positive("rounds", values.rounds) < FEW_ROUNDS) {
    throw new PlainError(`--rounds takes ${FEW_ROUNDS} or more: fewer rounds have no spread to judge by.`);
  }
  const pairs = chosenPairs(values.only, values.all);
  const recorded = readRecorded(values.recorded);
  const isChosen = (ratio: Pair) => pairs.some((pair) => isPair(ratio, pair));
  const known = recorded?.ratios.filter(isChosen) ?? [];
  if (!values.record && known.length === 0) {
    throw new PlainError("Nothing is recorded for these rows: run npm run bench:check -- --record on a quiet machine.");
  }
  const result = await measure(
    values.record ? pairs : pairs.filter((pair) => known.some((ratio) => isPair(ratio, pair))),
    values,
  );
  if (values.record) {
    const fresh: Recorded = {
      recordedAt: result.startedAt,
      cpu: result.machine.cpu,
      revision: result.machine.versions.ringcorn ?? "unknown",
      ratios: mergeRatios(recorded?.ratios ?? [], ratiosOf(result, pairs)),
    };
    writeFileSync(values.recorded, `${JSON.stringify(fresh, null, 2)}\n`);
    stderr.write(`${values.recorded} now holds ${fresh.ratios.length} ratios.\n`);
    return 0;
  }
  const judged = judgeAll(known, result);
  stdout.write(`${table([["suite", "ratio", "of", "recorded", "now", ""], ...judged.map(row)])}\n`);
  if (recorded!.cpu !== result.machine.cpu) stdout.write(`Recorded on another processor: ${recorded!.cpu}.\n`);
  stdout.write(
    `The widest spread of a ratio was ${(resolution(judged) * 100).toFixed(0)} %: smaller falls go unseen.\n`,
  );
  const failed = judged.filter((each) => each.failed).length;
  stdout.write(failed === 0 ? "No ratio has fallen.\n" : `${failed} of ${judged.length} ratios have fallen.\n`);
  return failed === 0 ? 0 : 1;
}

function isPair(one: Pair, other: Pair): boolean {
  return one.suite === other.suite && one.ours === other.ours && one.theirs === other.theirs;
}

if (import.meta.main) await runProgram(main);
