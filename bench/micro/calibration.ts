/**
 * How fast the machine is at the moment: a fixed loop of arithmetic and table look-ups over a buffer, which stands beside
 * each round of the micro benchmarks. A processor that a hypervisor or a neighbour slows down runs it slower as well. Its
 * steps don't wait for each other, as a parser's don't: what a neighbour on the same physical core takes away are the
 * execution units, which a chain of dependent steps would hardly notice.
 *
 * The fastest rate seen is kept in the user's cache for a day, by processor and runtime, so that a run that is slow from
 * its beginning to its end is seen to be so.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pid, versions } from "node:process";
import { cacheDirectory } from "../load/cache.ts";
import { median } from "../load/stats.ts";

const BUFFER_BYTES = 16_384;
/** Together about a millisecond: shorter than a scheduler's slice. */
const PASSES = 128;
const SLICES = 9;
/** Until the compiler is done with it. */
const WARMUP_SLICES = 60;
const WARMUP_MS = 200;
const KEPT_MS = 24 * 3_600 * 1e3;

const buffer = new Uint8Array(BUFFER_BYTES);
const table = new Int32Array(256);
let seed = 1;
for (let i = 0; i < buffer.length; i++) {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  buffer[i] = seed >>> 16;
}
for (let i = 0; i < table.length; i++) table[i] = Math.imul(i, 2_654_435_761);

/** Kept, so that no compiler finds the loop useless. */
let state = 0;

function slice(): number {
  const startMs = performance.now();
  for (let pass = 0; pass < PASSES; pass++) {
    let sum = state;
    let mix = 1;
    let product = 2;
    let shifted = 3;
    for (let i = 0; i < BUFFER_BYTES; i += 4) {
      sum = (sum + table[buffer[i]]) | 0;
      mix = (mix ^ table[buffer[i + 1]] ^ i) | 0;
      product = (product + Math.imul(table[buffer[i + 2]], 31)) | 0;
      shifted = (shifted ^ (table[buffer[i + 3]] >>> 3)) | 0;
    }
    state = (sum + mix + product + shifted) | 0;
  }
  return (BUFFER_BYTES * PASSES) / ((performance.now() - startMs) * 1e3);
}

let warm = false;

/** Million steps a second just now: the median of some slices of a millisecond. */
export function calibrate(): number {
  const startMs = performance.now();
  for (let i = 0; !warm && (i < WARMUP_SLICES || performance.now() - startMs < WARMUP_MS); i++) slice();
  warm = true;
  return median(Array.from({ length: SLICES }, slice));
}

interface Kept {
  readonly rate: number;
  readonly atMs: number;
}

type Session = Record<string, Kept>;

export const SESSION_FILE: string = join(cacheDirectory(), "calibration.json");

function cpuModel(): string {
  try {
    return /^(?:model name|Model)\s*:\s*(.+)$/m.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[1] ?? "unknown";
  } catch {
    return "unknown";
  }
}

/** Which figures can be compared: those of one processor and one version of a runtime. */
export function sessionKey(
  cpu: string = cpuModel(),
  known: Readonly<Record<string, string | undefined>> = versions,
): string {
  const runtime = ["bun", "deno", "node"].find((name) => known[name] !== undefined) ?? "unknown";
  return `${cpu}, ${runtime} ${known[runtime] ?? ""}`.trim();
}

function readSession(file: string): Session {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Session;
  } catch {
    return {};
  }
}

/** The fastest rate of the last day; 0 when there is none. */
export function fastestKnown(
  file: string = SESSION_FILE,
  key: string = sessionKey(),
  nowMs: number = Date.now(),
): number {
  const kept = readSession(file)[key];
  return kept !== undefined && nowMs - kept.atMs < KEPT_MS ? kept.rate : 0;
}

/** Keeps a rate that is faster than what is known. @returns the fastest */
export function keepFastest(
  rate: number,
  file: string = SESSION_FILE,
  key: string = sessionKey(),
  nowMs: number = Date.now(),
): number {
  const known = fastestKnown(file, key, nowMs);
  if (rate <= known) return known;
  mkdirSync(join(file, ".."), { recursive: true });
  // Another run may be reading it.
  const made = `${file}.${pid}`;
  writeFileSync(made, JSON.stringify({ ...readSession(file), [key]: { rate, atMs: nowMs } }));
  renameSync(made, file);
  return rate;
}
