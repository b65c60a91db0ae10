/**
 * The difference between two runs, and which rows are too unsteady to say anything.
 */
import { preferredTool, requestsPerSecond, samplesOf, titleOf } from "./goals.ts";
import { type Spread, spread } from "./load/stats.ts";
import type { BenchResult, HttpSample } from "./load/types.ts";
import { table } from "./table.ts";

/** Quartiles further apart than this share of the median: the figure is a hint, not a measurement. */
export const WIDE_SHARE = 0.1;

/** True when the middle half of the rounds lies too far apart. */
export function isWide({ q1, median, q3 }: Spread): boolean {
  return median > 0 && (q3 - q1) / median > WIDE_SHARE;
}

export interface Change {
  readonly suite: string;
  readonly server: string;
  readonly tool: HttpSample["tool"];
  readonly before: Spread;
  readonly after: Spread;
  /** Medians: after over before. */
  readonly ratio: number;
  /** The quartiles of the two runs lie apart. Within one machine's noise otherwise. */
  readonly clear: boolean;
}

function rates(result: BenchResult, suite: string, id: string, tool: HttpSample["tool"]): Spread {
  return spread(samplesOf(result, suite, id, tool).map(requestsPerSecond));
}

/** Requests a second of what both runs measured, with the same tool. */
export function changes(before: BenchResult, after: BenchResult): Change[] {
  return Object.entries(after.http).flatMap(([suite, { samples }]) =>
    Object.entries(samples).flatMap(([server, these]): Change[] => {
      const tool = preferredTool(these);
      const old = rates(before, suite, server, tool);
      const now = rates(after, suite, server, tool);
      if (old.count === 0 || now.count === 0) return [];
      const clear = now.q1 > old.q3 || now.q3 < old.q1;
      return [{ suite, server, tool, before: old, after: now, ratio: now.median / old.median, clear }];
    }),
  );
}

/** Why two results can't be compared figure by figure; empty when they can. */
export function differentConditions(before: BenchResult, after: BenchResult): string[] {
  const found: string[] = [];
  const differ = (what: string, old: unknown, now: unknown) => {
    if (JSON.stringify(old) !== JSON.stringify(now)) found.push(`${what}: ${String(old)} then, ${String(now)} now`);
  };
  differ("processor", before.machine.cpu, after.machine.cpu);
  differ("cores", before.machine.cores, after.machine.cores);
  differ("kernel", before.machine.kernel, after.machine.kernel);
  differ("seconds of a load", before.settings.seconds, after.settings.seconds);
  for (const [name, version] of Object.entries(after.machine.versions)) {
    const old = before.machine.versions[name];
    if (name !== "ringcorn" && old !== undefined) differ(name, old, version);
  }
  return found;
}

const whole = (value: number) => Math.round(value).toLocaleString("en");

function cells({ suite, server, before, after, ratio, clear }: Change): string[] {
  const percent = `${ratio >= 1 ? "+" : ""}${((ratio - 1) * 100).toFixed(1)} %`;
  const said = clear ? (ratio > 1 ? "faster" : "slower") : "within the spread";
  return [suite, titleOf(server), whole(before.median), whole(after.median), percent, said];
}

/** Markdown: what changed since `before`. */
export function renderDifference(before: BenchResult, after: BenchResult): string {
  const found = changes(before, after);
  const revision = (result: BenchResult) => `${result.machine.versions.ringcorn ?? "?"}, ${result.startedAt}`;
  const heading = `### difference: ${revision(before)} -> ${revision(after)}`;
  if (found.length === 0) return `${heading}\n\nThe two runs have no row in common.`;
  const head = ["row", "server", "before, requests/s", "now", "change", ""];
  const conditions = differentConditions(before, after).map((line) => `- not the same: ${line}`);
  return [heading, table([head, ...found.map(cells)]), ...(conditions.length > 0 ? [conditions.join("\n")] : [])].join(
    "\n\n",
  );
}
