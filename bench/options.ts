/**
 * The suite's command line.
 */
import { PlainError } from "../src/runtime/types.ts";
import { NOT_SPOKEN, PLANNED_ROWS } from "./load/planned.ts";
import type { RateChoice } from "./load/schedule.ts";
import type { Settings } from "./load/types.ts";

/** For `parseArgs` of node:util. */
export const OPTIONS = {
  only: { type: "string" },
  servers: { type: "string" },
  against: { type: "string" },
  cores: { type: "string" },
  compare: { type: "string" },
  html: { type: "string" },
  summary: { type: "string" },
  scratch: { type: "boolean", default: false },
  tune: { type: "boolean", default: false },
  tools: { type: "string" },
  rate: { type: "string" },
  rounds: { type: "string" },
  seconds: { type: "string" },
  warmup: { type: "string" },
  cpus: { type: "string" },
  json: { type: "string" },
  quick: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  readme: { type: "boolean", default: false },
  report: { type: "boolean", default: false },
  resume: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

export const HELP = `npm run bench -- [options]

  --only NAMES        suites to run, by name or beginning, separated by commas: micro, micro/parser, http, idle, memory,
                      web, http1 (http and web), python, python/hello, scaling, python-scaling, websocket, python-websocket
  --servers IDS       servers to compare, separated by commas (--list names them); granian*2 is granian with two workers,
                      ringcorn-bun-python*4/2 Ringcorn with four that two fronts share
  --against PEERS     Ringcorn and these peers only, by name or beginning: uvicorn,granian
  --cores N[,N]       numbers of server cores of the python rows (1,2,3, as far as one is left for the load generator)
  --tune              find each server's number of workers (and ours of fronts) for each python row first, by trying
  --tools NAMES       load generators, of wrk, oha, h2load and autocannon: all that are installed, or that the system's
                      packages have, in the suites http; rows take the first of them that can send their request
  --rate N|N%|none    measure every row that can keep to one at a fixed rate besides: so many requests a second, or a
                      share of what the server has just reached (70% in the rows that say so; none: in no row)
  --quick             fewer and shorter rounds: to see that all works, not for figures
  --rounds N          interleaved rounds (7; quick 3)
  --seconds N         whole seconds a load lasts (3; quick 1)
  --warmup N          whole seconds of load before it (3; quick 1)
  --cpus S:L          core of the server and cores of the load generator, such as 0:2,3, where the server has one core
  --json FILE         write the raw samples there too (always kept in .bench/, with an HTML report beside them)
  --scratch           keep nothing in .bench/: a trial must not become the latest result
  --compare FILE      print the difference to an earlier result
  --list              name the suites and servers
  --report [FILE...]  print the report of an earlier result (.bench/latest.json), or one of several runs of one commit,
                      whose rounds then stand together; --json and --html write it there, --summary one line of each row
                      in Markdown; a file may be compressed (.json.gz)
  --resume [FILE]     go on with an interrupted run (.bench/latest.json), with its options
  --readme [FILE...]  put an earlier result's figures into README.md
  -h, --help

Ctrl-C keeps what is done; --resume goes on with it.
`;

/** Fewer rounds than this give no quartiles worth the name. */
const FULL_ROUNDS = 7;

const FULL: Settings = {
  rounds: FULL_ROUNDS,
  seconds: 3,
  // Compilers share the one core with the server: less leaves half of it uncompiled.
  warmupSeconds: 3,
  connections: 64,
  idleConnections: 10_000,
  idleRounds: 3,
  transferBytes: 2 * 1024 ** 3,
  slowBytesPerSecond: 256 * 1024 ** 2,
  memoryRounds: 1,
  patienceSeconds: 300,
  cores: [1, 2, 3],
};

const QUICK: Settings = {
  ...FULL,
  rounds: 3,
  seconds: 1,
  warmupSeconds: 1,
  idleConnections: 2_000,
  idleRounds: 1,
  transferBytes: 256 * 1024 ** 2,
  slowBytesPerSecond: 128 * 1024 ** 2,
  patienceSeconds: 0,
};

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d*$/.test(text)) throw new PlainError(`--${name} takes a whole number from 1, not "${text}".`);
  return Number(text);
}

/** `--rate`: undefined leaves it to the rows, null is none. @throws PlainError for what is neither */
export function rateFrom(text: string | undefined): RateChoice | null | undefined {
  if (text === undefined) return undefined;
  if (text === "none") return null;
  const match = /^([1-9]\d*)(%?)$/.exec(text);
  const number = Number(match?.[1]);
  if (match !== null && match[2] === "") return { perSecond: number };
  if (match !== null && number <= 100) return { share: number / 100 };
  throw new PlainError(
    `--rate takes requests a second, such as 5000, a share of the peak, such as 70%, or none, not "${text}".`,
  );
}

export interface SettingValues {
  readonly rate?: string;
  readonly quick?: boolean;
  readonly rounds?: string;
  readonly seconds?: string;
  readonly warmup?: string;
  readonly cores?: string;
  readonly tune?: boolean;
}

/** Names with commas between them; undefined stays undefined. @throws PlainError when one is empty */
export function listOf(option: string, text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new PlainError(`--${option} takes names with commas between them, not "${text}".`);
  return names;
}

/** @throws PlainError when a number is none. */
export function settingsFrom(values: SettingValues): Settings {
  const base = values.quick ? QUICK : FULL;
  return {
    ...base,
    rounds: positive("rounds", values.rounds) ?? base.rounds,
    seconds: positive("seconds", values.seconds) ?? base.seconds,
    warmupSeconds: positive("warmup", values.warmup) ?? base.warmupSeconds,
    tune: values.tune ?? false,
    ...(values.rate === undefined ? {} : { rate: rateFrom(values.rate) }),
    cores: listOf("cores", values.cores)?.map((each) => positive("cores", each)!) ?? base.cores,
  };
}

/** Names of `--only` for several beginnings. */
const FAMILIES: Readonly<Record<string, readonly string[]>> = { http1: ["http", "web"] };

/**
 * The suites that `--only` names: each part is a whole name, a beginning up to a slash, or a family.
 * @throws PlainError when a part names nothing
 */
export function chooseSuites(all: readonly string[], only: string | undefined): string[] {
  if (only === undefined) return [...all];
  const parts = only.split(",").flatMap((part) => FAMILIES[part.trim()] ?? [part.trim()]);
  const matches = (name: string, part: string) => name === part || name.startsWith(`${part}/`);
  for (const part of parts) {
    if (PLANNED_ROWS.some(({ name }) => matches(name, part))) {
      throw new PlainError(`"${part}" has its place in the suite, but is ${NOT_SPOKEN}: --list names such rows.`);
    }
    if (!all.some((name) => matches(name, part))) {
      const families = [...new Set(all.map((name) => name.split("/")[0])), ...Object.keys(FAMILIES)];
      throw new PlainError(`There is no suite "${part}": choose from ${families.join(", ")}; --list names their rows.`);
    }
  }
  return all.filter((name) => parts.some((part) => matches(name, part)));
}
