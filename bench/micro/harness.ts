/**
 * Runs micro benchmarks with mitata's measuring loop and prints them: a table for people, one JSON line with `--json`.
 *
 * The cases take turns, round after round, with a calibration of the machine between them. Rounds during which that ran
 * clearly slower than the fastest one known are set aside, and repeated later, as long as `--patience` seconds allow.
 */
import { argv, cpuUsage, stderr } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { do_not_optimize, measure } from "mitata";
import { ALLOCATIONS_FLAG, allocationsHere, allocationsOf } from "./allocation.ts";
import { calibrate, fastestKnown, keepFastest } from "./calibration.ts";
import { formatFigures, isFast, isSteady, type MicroFigures, type MicroRound, settle } from "./rounds.ts";

export interface MicroCase {
  readonly name: string;
  /** One call. What it returns is kept from the optimiser. */
  readonly run: () => unknown;
  /** Operations that one call does; the figures are for one operation. Default 1. */
  readonly operations?: number;
  /** Bytes that one operation works on; gives a throughput. */
  readonly bytes?: number;
}

/** What one file prints with `--json`. */
export interface MicroReport {
  readonly suite: string;
  /** The fastest calibration known, million steps a second. */
  readonly fastest: number;
  /** What waiting for the machine took. */
  readonly waitedSeconds: number;
  /** What could not be measured, and why. */
  readonly missing: readonly string[];
  readonly results: readonly MicroFigures[];
}

const ROUNDS = 9;
const ROUND_BUDGET_NS = 60e6;
const WARMUP_BUDGET_NS = 100e6;
const ESTIMATE_MS = 20;
/** A sample is long for the clock and short for the scheduler: one that another process got into is an outlier. */
const SAMPLE_NS = 200e3;
const MOST_CALLS = 4_096;
/** mitata's. */
const CALLS_UNROLLED = 4;
/** A row with as many undisturbed rounds is not repeated. */
const STEADY_ROUNDS_WANTED = 5;
const PAUSE_MS = 5_000;
const DEFAULT_PATIENCE_SECONDS = 300;

interface Running {
  readonly unit: MicroCase;
  readonly isAsync: boolean;
  /** Calls between two looks at the clock. */
  readonly batch: number;
  readonly rounds: MicroRound[];
}

async function timed(
  { unit, isAsync, batch }: Omit<Running, "rounds">,
  budgetNs: number,
): Promise<Omit<MicroRound, "round" | "calibration">> {
  const operations = unit.operations ?? 1;
  const options = { min_cpu_time: budgetNs, batch_samples: batch };
  const [cpuBefore, startMs] = [cpuUsage(), performance.now()];
  // mitata looks at the function's source to see whether it must await it.
  const stats = isAsync
    ? await measure(async () => do_not_optimize(await unit.run()), options)
    : await measure(() => do_not_optimize(unit.run()), options);
  const { user, system } = cpuUsage(cpuBefore);
  return {
    p25Ns: stats.p25 / operations,
    p50Ns: stats.p50 / operations,
    p75Ns: stats.p75 / operations,
    busy: (user + system) / 1e3 / (performance.now() - startMs),
  };
}

/** Nanoseconds of a call, more or less. */
async function estimate(run: () => unknown): Promise<number> {
  let calls = 0;
  const startMs = performance.now();
  for (; performance.now() - startMs < ESTIMATE_MS; calls++) await run();
  return ((performance.now() - startMs) * 1e6) / calls;
}

async function start(unit: MicroCase): Promise<Running> {
  const probe = unit.run();
  const isAsync = probe instanceof Promise;
  await probe;
  const batch =
    Math.ceil(Math.min(MOST_CALLS, SAMPLE_NS / (await estimate(unit.run))) / CALLS_UNROLLED) * CALLS_UNROLLED;
  await timed({ unit, isAsync, batch }, WARMUP_BUDGET_NS);
  return { unit, isAsync, batch, rounds: [] };
}

/** One round of each. @returns the fastest calibration known after it */
async function roundOf(rows: readonly Running[], round: number, fastest: number): Promise<number> {
  let best = fastest;
  let before = calibrate();
  for (const row of rows) {
    const figures = await timed(row, ROUND_BUDGET_NS);
    const after = calibrate();
    row.rounds.push({ round, ...figures, calibration: Math.min(before, after) });
    best = Math.max(best, before, after);
    before = after;
  }
  return best;
}

const lacks = (row: Running, fastest: number) =>
  row.rounds.filter((round) => isSteady(round, fastest)).length < STEADY_ROUNDS_WANTED;

function patienceSeconds(): number {
  const at = argv.indexOf("--patience");
  return at < 0 ? DEFAULT_PATIENCE_SECONDS : Number(argv[at + 1]);
}

/** Repeats the rows that were disturbed, when the machine is itself again. @returns the fastest and the time it took */
async function repeatDisturbed(rows: readonly Running[], known: number): Promise<{ fastest: number; seconds: number }> {
  const startMs = performance.now();
  const deadlineMs = startMs + patienceSeconds() * 1e3;
  let fastest = known;
  let round = ROUNDS;
  for (;;) {
    const disturbed = rows.filter((row) => lacks(row, fastest));
    if (disturbed.length === 0 || performance.now() >= deadlineMs) break;
    if (isFast(calibrate(), fastest)) fastest = await roundOf(disturbed, round++, fastest);
    else await sleep(Math.max(0, Math.min(PAUSE_MS, deadlineMs - performance.now())));
  }
  return { fastest, seconds: (performance.now() - startMs) / 1e3 };
}

function figuresOf({ unit, rounds }: Running, fastest: number, allocatedBytes: number | undefined): MicroFigures {
  return {
    name: unit.name,
    ...settle(rounds, fastest),
    ...(unit.bytes === undefined ? {} : { bytes: unit.bytes }),
    ...(allocatedBytes === undefined ? {} : { allocatedBytes }),
    rounds,
  };
}

/**
 * Measures the cases in turns, and prints them.
 * @param missing what could not be had, each with the reason
 */
export async function runMicro(
  suite: string,
  cases: readonly MicroCase[],
  missing: readonly string[] = [],
): Promise<MicroReport | undefined> {
  if (argv.includes(ALLOCATIONS_FLAG)) {
    console.log(JSON.stringify({ allocations: await allocationsHere(cases) }));
    return undefined;
  }
  const json = argv.includes("--json");
  const tell = (text: string) => stderr.isTTY && !json && stderr.write(`\r\u001b[K${text}`);
  const rows: Running[] = [];
  let fastest = Math.max(fastestKnown(), calibrate());
  for (const unit of cases) rows.push(await start(unit));
  for (let round = 0; round < ROUNDS; round++) {
    tell(`${suite}: round ${round + 1} of ${ROUNDS}`);
    fastest = await roundOf(rows, round, fastest);
  }
  tell(`${suite}: repeating what was disturbed`);
  const repeated = await repeatDisturbed(rows, fastest);
  fastest = keepFastest(repeated.fastest);
  tell(`${suite}: allocations`);
  const allocated = await allocationsOf(cases);
  tell("");
  const results = rows.map((row) => figuresOf(row, fastest, allocated[row.unit.name]));
  const report: MicroReport = { suite, fastest, waitedSeconds: repeated.seconds, missing, results };
  if (json) console.log(JSON.stringify(report));
  else {
    console.log(`${suite} (calibration: at most ${Math.round(fastest)} M steps/s)`);
    for (const figures of results) console.log(`  ${formatFigures(figures)}`);
    for (const each of missing) console.log(`  missing: ${each}`);
  }
  return report;
}
