/**
 * What the project sets itself for Python applications. The front on Bun is judged; the one on Deno is reported beside it.
 */
import { compare, type Outcome, titleOf } from "./goals.ts";
import { ratioText } from "./load/stats.ts";
import type { BenchResult, HttpSample } from "./load/types.ts";
import { PYTHON_WORKLOADS } from "./load/workloads.ts";

const OURS = "ringcorn-bun-python";

export interface RowGoal {
  /** `python/hello@2`. */
  readonly suite: string;
  readonly theirs: string;
  readonly measure: "requests/s" | "p99.9";
  /** Ours over theirs: at least this for requests/s, at most this for p99.9. */
  readonly bound: number;
}

const CORES = [1, 2, 3] as const;
/** Ahead of uvicorn by this on one core and on two, where the server is most of the work. */
const CLEARLY_AHEAD = 1.15;
const CLEARLY_AHEAD_ROWS = ["python/hello", "python/10kb"];
const GRANIAN_ROWS = ["fastapi", "starlette", "wait", "file", "slow-clients", "slow-mix"].map((row) => `python/${row}`);
/** The tail of the mix with slow requests, which dispatch by request is to shorten. */
const TAIL_SHARE = 0.5;
const TAIL_PEERS = ["uvicorn", "gunicorn-uvicorn", "gunicorn-asgi"];

function goalsOf(row: string, cores: number): RowGoal[] {
  const suite = `${row}@${cores}`;
  const rate = (theirs: string, bound: number): RowGoal => ({ suite, theirs, measure: "requests/s", bound });
  if (row === "python/flask") return [rate("granian-wsgi", 1)];
  const ahead = CLEARLY_AHEAD_ROWS.includes(row) && cores <= 2;
  const goals = [rate("uvicorn", ahead ? CLEARLY_AHEAD : 1)];
  if (GRANIAN_ROWS.includes(row)) goals.push(rate("granian", 1));
  if (row !== "python/slow-mix") return goals;
  return [...goals, ...TAIL_PEERS.map((theirs): RowGoal => ({ suite, theirs, measure: "p99.9", bound: TAIL_SHARE }))];
}

export const PYTHON_GOALS: readonly RowGoal[] = PYTHON_WORKLOADS.flatMap(({ name, cores }) =>
  (cores ?? CORES).flatMap((count) => goalsOf(name, count)),
);

export const p999: (sample: HttpSample) => number = (sample) => sample.p999Us ?? Number.NaN;

export function pythonOutcomes(result: BenchResult): Outcome[] {
  return PYTHON_GOALS.map(({ suite, theirs, measure, bound }) => {
    const tail = measure === "p99.9";
    const found = tail ? compare(result, suite, OURS, theirs, p999) : compare(result, suite, OURS, theirs);
    const [low, high] =
      found === undefined
        ? [Number.NaN, Number.NaN]
        : [Math.min(found.ofMedians, found.perRound.median), Math.max(found.ofMedians, found.perRound.median)];
    const known = !Number.isNaN(low) && found !== undefined;
    return {
      what: `${suite}, ${measure}: ${titleOf(OURS)} over ${titleOf(theirs)}`,
      goal: `${tail ? "≤" : "≥"} ${bound.toFixed(2)}`,
      measured: known ? ratioText(found) : "–",
      // Both views must agree: on a noisy machine one of them alone may be luck.
      reached: known ? (tail ? high <= bound : low >= bound) : undefined,
    };
  });
}
