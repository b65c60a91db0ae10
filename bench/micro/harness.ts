/**
 * Runs micro benchmarks with mitata's measuring loop and prints them: a table for people, one JSON line with `--json`.
 */
import { argv } from "node:process";
import { do_not_optimize, measure } from "mitata";

export interface MicroCase {
  readonly name: string;
  /** One call. What it returns is kept from the optimiser. */
  readonly run: () => unknown;
  /** Operations that one call does; the figures are for one operation. Default 1. */
  readonly operations?: number;
  /** Bytes that one operation works on; gives a throughput. */
  readonly bytes?: number;
}

export interface MicroFigures {
  readonly name: string;
  readonly p25Ns: number;
  readonly p50Ns: number;
  readonly p75Ns: number;
  readonly bytes?: number;
}

/** One line for people: "name  12.3 ns (12.1 to 12.6), 1.23 GB/s". */
export function formatFigures(figures: MicroFigures): string {
  const digits = (ns: number) => (ns < 100 ? ns.toFixed(1) : Math.round(ns).toLocaleString("en"));
  const rate = figures.bytes === undefined ? "" : `, ${(figures.bytes / figures.p50Ns).toFixed(2)} GB/s`;
  return `${figures.name}: ${digits(figures.p50Ns)} ns (${digits(figures.p25Ns)} to ${digits(figures.p75Ns)})${rate}`;
}

async function figuresOf(unit: MicroCase): Promise<MicroFigures> {
  const operations = unit.operations ?? 1;
  const probe = unit.run();
  const isAsync = probe instanceof Promise;
  await probe;
  // mitata looks at the function's source to see whether it must await it.
  const stats = isAsync
    ? await measure(async () => do_not_optimize(await unit.run()))
    : await measure(() => do_not_optimize(unit.run()));
  const figures = {
    name: unit.name,
    p25Ns: stats.p25 / operations,
    p50Ns: stats.p50 / operations,
    p75Ns: stats.p75 / operations,
  };
  return unit.bytes === undefined ? figures : { ...figures, bytes: unit.bytes };
}

/** Measures the cases in order and prints each as it is done. */
export async function runMicro(suite: string, cases: readonly MicroCase[]): Promise<void> {
  const json = argv.includes("--json");
  if (!json) console.log(suite);
  const results: MicroFigures[] = [];
  for (const unit of cases) {
    const figures = await figuresOf(unit);
    results.push(figures);
    if (!json) console.log(`  ${formatFigures(figures)}`);
  }
  if (json) console.log(JSON.stringify({ suite, results }));
}
