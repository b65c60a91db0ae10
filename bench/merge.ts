/**
 * One result out of several runs of one commit: `npm run bench -- --report a.json b.json`. A machine that others disturb for
 * minutes at a time is better asked in several short runs than in one long one, whose rows each saw one of its moods.
 */
import { PlainError } from "../src/runtime/types.ts";
import type { BenchResult, HttpSuiteResult, MicroResult, Settings } from "./load/types.ts";
import { resettle } from "./micro/rounds.ts";

/** What has to be the same for rounds to stand in one row. */
const CONDITIONS = [
  "seconds",
  "warmupSeconds",
  "connections",
  "idleConnections",
  "transferBytes",
  "slowBytesPerSecond",
  "rate",
  "tune",
] as const satisfies readonly (keyof Settings)[];

interface Numbered {
  readonly round: number;
}

/** Behind the rounds that are there, so that none is compared with another run's. */
function behind<T extends Numbered>(earlier: readonly T[], later: readonly T[], from: number): T[] {
  return [...earlier, ...later.map((sample) => ({ ...sample, round: sample.round + from }))];
}

function afterLast(samples: readonly (readonly Numbered[])[]): number {
  return 1 + Math.max(-1, ...samples.flat().map(({ round }) => round));
}

/** By server. The later run's round 0 is the same number for all of them, also for one that the earlier run lacks. */
function mergeSamples<T extends Numbered>(
  earlier: Readonly<Record<string, readonly T[]>>,
  later: Readonly<Record<string, readonly T[]>>,
): Record<string, T[]> {
  const from = afterLast(Object.values(earlier));
  const ids = [...new Set([...Object.keys(earlier), ...Object.keys(later)])];
  return Object.fromEntries(ids.map((id) => [id, behind(earlier[id] ?? [], later[id] ?? [], from)]));
}

function mergeRow(earlier: HttpSuiteResult | undefined, later: HttpSuiteResult | undefined): HttpSuiteResult {
  const [first, second] = earlier === undefined ? [later!, undefined] : [earlier, later];
  if (second === undefined) return first;
  return {
    ...first,
    samples: mergeSamples(first.samples, second.samples),
    answers: { ...second.answers, ...first.answers },
    ...(first.commands === undefined ? {} : { commands: { ...second.commands, ...first.commands } }),
    ...(first.loads === undefined ? {} : { loads: { ...second.loads, ...first.loads } }),
  };
}

function mergeRows(earlier: BenchResult["http"], later: BenchResult["http"]): BenchResult["http"] {
  const names = [...new Set([...Object.keys(earlier), ...Object.keys(later)])];
  return Object.fromEntries(names.map((name) => [name, mergeRow(earlier[name], later[name])]));
}

function mergeMicro(earlier: readonly MicroResult[], later: readonly MicroResult[]): MicroResult[] {
  const key = ({ suite, runtime, name }: MicroResult) => [suite, runtime, name].join("\n");
  const found = new Map(later.map((row) => [key(row), row]));
  // One number for all: rows that took turns are compared round by round.
  const from = afterLast(earlier.map(({ rounds }) => rounds ?? []));
  const both = earlier.map((row) => {
    const other = found.get(key(row));
    found.delete(key(row));
    if (row.rounds === undefined || other?.rounds === undefined) return row;
    return { ...row, rounds: behind(row.rounds, other.rounds, from) };
  });
  return [...both, ...found.values()];
}

function fastest(earlier: Readonly<Record<string, number>>, later: Readonly<Record<string, number>>) {
  const names = [...new Set([...Object.keys(earlier), ...Object.keys(later)])];
  return Object.fromEntries(names.map((name) => [name, Math.max(earlier[name] ?? 0, later[name] ?? 0)]));
}

/** @throws PlainError when their figures can't stand in one report */
function checkAlike(first: BenchResult, other: BenchResult): void {
  const revision = ({ machine }: BenchResult) => machine.versions.ringcorn ?? "?";
  const differ = (what: string, [a, b]: readonly [unknown, unknown]) => {
    if (JSON.stringify(a) === JSON.stringify(b)) return;
    throw new PlainError(`Only runs of one kind make one report, and these differ in ${what}: ${a} and ${b}.`);
  };
  differ("their commit", [revision(first), revision(other)]);
  differ("the processor", [first.machine.cpu, other.machine.cpu]);
  differ("the number of cores", [first.machine.cores, other.machine.cores]);
  differ("the server's core", [first.machine.serverCpu, other.machine.serverCpu]);
  differ("the load generator's cores", [first.machine.generatorCpus, other.machine.generatorCpus]);
  for (const name of CONDITIONS) differ(name, [first.settings[name], other.settings[name]]);
}

function mergeTwo(earlier: BenchResult, later: BenchResult): BenchResult {
  checkAlike(earlier, later);
  const calibration = fastest(earlier.calibration ?? {}, later.calibration ?? {});
  const missing = { ...earlier.missing, ...later.missing };
  const missingTools = { ...earlier.missingTools, ...later.missingTools };
  const most = (name: "rounds" | "idleRounds" | "memoryRounds") => earlier.settings[name] + later.settings[name];
  const { args: _, ...rest } = earlier;
  return {
    ...rest,
    command: `${earlier.command} && ${later.command}`,
    machine: { ...earlier.machine, versions: { ...later.machine.versions, ...earlier.machine.versions } },
    settings: {
      ...earlier.settings,
      rounds: most("rounds"),
      idleRounds: most("idleRounds"),
      memoryRounds: most("memoryRounds"),
    },
    complete: earlier.complete && later.complete,
    done: [...new Set([...(earlier.done ?? []), ...(later.done ?? [])])],
    notes: [...new Set([...earlier.notes, ...later.notes, `Rounds of a run of ${later.startedAt} are among these.`])],
    ...(Object.keys(missing).length === 0 ? {} : { missing }),
    ...(Object.keys(missingTools).length === 0 ? {} : { missingTools }),
    http: mergeRows(earlier.http, later.http),
    idle: mergeSamples(earlier.idle, later.idle),
    idleSockets: mergeSamples(earlier.idleSockets ?? {}, later.idleSockets ?? {}),
    memory: mergeSamples(earlier.memory, later.memory),
    micro: mergeMicro(earlier.micro, later.micro).flatMap((row) => resettle([row], calibration[row.runtime] ?? 0)),
    commands: { ...later.commands, ...earlier.commands },
    waitedSeconds: (earlier.waitedSeconds ?? 0) + (later.waitedSeconds ?? 0),
    calibration,
  };
}

/**
 * The rounds of all, in the order given; each row has those of the runs that measured it.
 * @throws PlainError when they are of several commits, machines or kinds of round
 */
export function merge(results: readonly BenchResult[]): BenchResult {
  const [first, ...others] = results;
  return others.reduce(mergeTwo, first);
}
