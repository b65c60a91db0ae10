/**
 * Bytes that an operation allocates, with the garbage collector out of the way: nothing that it takes back may be missing.
 *
 * V8 counts the heap exactly, so that a burst too short for a collection is enough. JavaScriptCore's counters stand still
 * between collections; there a process of its own is run with the collector turned off (JSC_useGC), and its memory's
 * growth counted, which goes by pages: what is below the resolution is given as nothing.
 */
import { spawnSync } from "node:child_process";
import { argv, env, execPath, memoryUsage, versions } from "node:process";
import { median } from "../load/stats.ts";

/** The flag with which a benchmark's file prints allocations only. */
export const ALLOCATIONS_FLAG = "--allocations";

interface Measured {
  readonly name: string;
  readonly run: () => unknown;
  readonly operations?: number;
}

interface Method {
  /** A burst is long enough when it allocates so much, or takes so long. */
  readonly enoughBytes: number;
  readonly enoughMs: number;
  readonly warmupBytes: number;
  readonly warmupMs: number;
  readonly bursts: number;
  /** Growth of less is noise. */
  readonly noiseBytes: number;
  current(): number;
  collect(): void;
}

const KB = 1024;
const MB = 1024 * KB;
const JSC: Method = {
  enoughBytes: 4 * MB,
  enoughMs: 60,
  warmupBytes: 24 * MB,
  warmupMs: 150,
  bursts: 3,
  noiseBytes: 192 * KB,
  current: () => memoryUsage.rss(),
  collect() {},
};
/** Far below V8's smallest young generation of 1 MB. */
const V8: Method = {
  enoughBytes: 192 * KB,
  enoughMs: 10,
  warmupBytes: Number.POSITIVE_INFINITY,
  warmupMs: 150,
  bursts: 7,
  noiseBytes: 1 * KB,
  current() {
    const { heapUsed, external } = memoryUsage();
    return heapUsed + external;
  },
  collect() {
    (globalThis as { gc?: () => void }).gc?.();
  },
};

async function repeat(run: () => unknown, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const pending = run();
    if (pending instanceof Promise) await pending;
  }
}

/** Runs until it has allocated or taken enough. @returns bytes a call in the last, longest burst */
async function burst(method: Method, run: () => unknown): Promise<number> {
  for (let calls = 1; ; calls *= 2) {
    method.collect();
    const startMs = performance.now();
    const before = method.current();
    await repeat(run, calls);
    const grown = method.current() - before;
    if (grown < method.enoughBytes && performance.now() - startMs < method.enoughMs) continue;
    return grown < method.noiseBytes ? 0 : grown / calls;
  }
}

async function allocationOf(method: Method, { run, operations = 1 }: Measured): Promise<number> {
  const before = method.current();
  const startMs = performance.now();
  while (performance.now() - startMs < method.warmupMs && method.current() - before < method.warmupBytes) {
    await repeat(run, 16);
  }
  const found: number[] = [];
  for (let i = 0; i < method.bursts; i++) found.push(await burst(method, run));
  return median(found) / operations;
}

/** Bytes by the case's name. */
export async function allocationsHere(cases: readonly Measured[]): Promise<Record<string, number>> {
  const method = versions.bun === undefined ? V8 : JSC;
  const found: Record<string, number> = {};
  for (const unit of cases) found[unit.name] = await allocationOf(method, unit);
  return found;
}

/** The JSON line that a file prints with the flag. */
export function parseAllocations(text: string): Record<string, number> {
  const line = text.split("\n").find((each) => each.startsWith('{"allocations":'));
  if (line === undefined) return {};
  return (JSON.parse(line) as { allocations: Record<string, number> }).allocations;
}

/** On Bun by way of a process of its own. What that can't tell is missing from the answer. */
export async function allocationsOf(cases: readonly Measured[]): Promise<Record<string, number>> {
  if (versions.bun === undefined) return allocationsHere(cases);
  const child = spawnSync(execPath, [argv[1], ALLOCATIONS_FLAG], {
    env: { ...env, BUN_JSC_useGC: "0" },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return parseAllocations(child.stdout ?? "");
}
