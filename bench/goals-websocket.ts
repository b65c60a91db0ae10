/**
 * What the project sets itself for WebSockets. For TypeScript applications Ringcorn on Bun is judged; the goal beside npm's ws
 * is also the one on Deno's. For Python applications the front on Bun is judged.
 */
import { compare, type Outcome, requestsPerSecond, samplesOf, titleOf } from "./goals.ts";
import { PYTHON_SOCKET_WORKLOADS, SOCKET_WORKLOADS } from "./load/socket-workloads.ts";
import { median, ratioText } from "./load/stats.ts";
import type { BenchResult } from "./load/types.ts";

interface SocketGoal {
  readonly suite: string;
  readonly ours: string;
  /** The goal is set beside the fastest of them. */
  readonly theirs: readonly string[];
  readonly atLeast: number;
}

const OVER_BUN = 0.9;
const OVER_WS = 1.5;
const OVER_UVICORN = 1.5;
const OVER_GRANIAN = 1;
const UVICORN = ["uvicorn-websockets", "uvicorn-websockets-sansio", "uvicorn-wsproto"];

const suiteOf = ({ name }: { readonly name: string }) => `${name}@1`;

export const SOCKET_GOALS: readonly SocketGoal[] = [
  ...SOCKET_WORKLOADS.flatMap((workload): SocketGoal[] => {
    const suite = suiteOf(workload);
    const overWs = ["ringcorn-bun", "ringcorn-deno"].map((ours) => ({
      ...{ suite, ours, theirs: ["ws-node"], atLeast: OVER_WS },
    }));
    // Bun's publish() hands a broadcast to native code as a whole: the goal is its echo.
    if (workload.socket?.mode === "broadcast") return overWs;
    return [{ suite, ours: "ringcorn-bun", theirs: ["bun-serve"], atLeast: OVER_BUN }, ...overWs];
  }),
  ...PYTHON_SOCKET_WORKLOADS.flatMap((workload): SocketGoal[] => {
    const goal = { suite: suiteOf(workload), ours: "ringcorn-bun-python" };
    return [
      { ...goal, theirs: UVICORN, atLeast: OVER_UVICORN },
      { ...goal, theirs: ["granian"], atLeast: OVER_GRANIAN },
    ];
  }),
];

/** Bytes of an idle, uncompressed WebSocket above the idle process. */
const IDLE_GOAL_BYTES = 8 * 1024;

/** The one that answered most; undefined when none was measured. */
function fastest(result: BenchResult, suite: string, ids: readonly string[]): string | undefined {
  const rates = ids.map((id) => ({ id, rate: median(samplesOf(result, suite, id).map(requestsPerSecond)) }));
  return rates.filter(({ rate }) => !Number.isNaN(rate)).sort((a, b) => b.rate - a.rate)[0]?.id;
}

function rateOutcome(result: BenchResult, { suite, ours, theirs, atLeast }: SocketGoal): Outcome {
  const best = fastest(result, suite, theirs) ?? theirs[0];
  const found = compare(result, suite, ours, best);
  const least = found === undefined ? Number.NaN : Math.min(found.ofMedians, found.perRound.median);
  return {
    what: `${suite}, messages/s: ${titleOf(ours)} over ${titleOf(best)}`,
    goal: `≥ ${atLeast.toFixed(1)}`,
    measured: found === undefined ? "–" : ratioText(found),
    // Both views must agree: on a noisy machine one of them alone may be luck.
    reached: Number.isNaN(least) ? undefined : least >= atLeast,
  };
}

function idleOutcome(result: BenchResult, ours: string): Outcome {
  const samples = (result.idleSockets?.[ours] ?? []).filter((sample) => !sample.compressed);
  const bytes = median(samples.map((sample) => sample.rssPerConnection));
  const count = samples[0]?.connections.toLocaleString("en");
  return {
    what: `idle WebSockets, bytes each, uncompressed: ${titleOf(ours)}`,
    goal: `≤ ${IDLE_GOAL_BYTES / 1024} KB`,
    measured: samples.length === 0 ? "–" : `${(bytes / 1024).toFixed(2)} KB (${count} sockets)`,
    reached: samples.length === 0 ? undefined : bytes <= IDLE_GOAL_BYTES,
  };
}

export function socketOutcomes(result: BenchResult): Outcome[] {
  return [
    ...SOCKET_GOALS.map((goal) => rateOutcome(result, goal)),
    ...["ringcorn-bun", "ringcorn-deno"].map((ours) => idleOutcome(result, ours)),
  ];
}
