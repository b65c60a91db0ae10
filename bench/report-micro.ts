/**
 * The micro benchmarks in Markdown: time, throughput and allocation, with how fast the machine was beside each.
 */
import type { BenchResult } from "./load/types.ts";
import {
  allocationText,
  STEADY_ROUNDS_LEAST,
  STEADY_SHARE,
  steadinessText,
  throughputText,
  timeText,
} from "./micro/rounds.ts";
import { table } from "./table.ts";

const HEAD = ["suite", "case", "runtime", "median (quartiles)", "throughput", "allocates", "calibration"];

export function microSection({ micro, calibration = {} }: BenchResult): string[] {
  if (micro.length === 0) return [];
  const rows = micro.map((row) => [
    ...[row.suite, row.name, row.runtime, timeText(row), throughputText(row), allocationText(row), steadinessText(row)],
  ]);
  const fastest = Object.entries(calibration).map(([runtime, rate]) => `${runtime} ${Math.round(rate)} M steps/s`);
  if (fastest.length === 0) return ["### micro", table([HEAD, ...rows])];
  const share = `${STEADY_SHARE * 100} %`;
  return [
    "### micro",
    `Beside each round stands a calibration, a fixed loop of arithmetic and table look-ups; its fastest rate was ${fastest.join(", ")}. Rounds beside less than ${share} of that are discarded from the medians, and stay in the raw figures. A row with fewer than ${STEADY_ROUNDS_LEAST} others is throttled: its figure is of all rounds, and says less about the code than about the machine. "Allocates" is bytes an operation, the collector turned off; of Python, the most that an operation holds at once.`,
    table([HEAD, ...rows]),
  ];
}
