/**
 * Curves through the scaling rows: processor time for a request, by connections or by the body's size.
 */
import { cpuPerRequest, samplesOf, titleOf } from "./goals.ts";
import { type Spread, spread } from "./load/stats.ts";
import type { BenchResult } from "./load/types.ts";

export interface Curve {
  readonly name: string;
  /** What grows, such as "connections". */
  readonly by: string;
  readonly labels: readonly string[];
  /** Microseconds a request; null where a server was not measured. */
  readonly lines: readonly {
    readonly id: string;
    readonly title: string;
    readonly points: readonly (Spread | null)[];
  }[];
}

/** The curves of a run, their points in the order in which they were measured. */
export function curvesOf(result: BenchResult): Curve[] {
  const byName = new Map<string, { readonly suite: string; readonly label: string; readonly by: string }[]>();
  for (const [suite, { curve }] of Object.entries(result.http)) {
    if (curve === undefined) continue;
    const found = byName.get(curve.name) ?? [];
    found.push({ suite, label: curve.label, by: curve.by });
    byName.set(curve.name, found);
  }
  return [...byName].flatMap(([name, points]): Curve[] => {
    const ids = [...new Set(points.flatMap(({ suite }) => Object.keys(result.http[suite].samples)))];
    if (ids.length === 0) return [];
    const at = (suite: string, id: string): Spread | null => {
      const samples = samplesOf(result, suite, id).filter((sample) => sample.requests > 0);
      return samples.length === 0 ? null : spread(samples.map((sample) => cpuPerRequest(sample) * 1e6));
    };
    const lines = ids.map((id) => ({ id, title: titleOf(id), points: points.map(({ suite }) => at(suite, id)) }));
    return [{ name, by: points[0].by, labels: points.map(({ label }) => label), lines }];
  });
}
