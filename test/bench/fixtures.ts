/** Results made up for the tests. */
import type { BenchResult, HttpSample, HttpSuiteResult } from "../../bench/load/types.ts";
import { settingsFrom } from "../../bench/options.ts";

export const SAMPLE: HttpSample = {
  round: 0,
  tool: "wrk",
  requests: 10_000,
  seconds: 1,
  requestsPerSecond: 10_000,
  p50Us: 100,
  p99Us: 1000,
  p999Us: 2000,
  errors: 0,
  serverCpuSeconds: 0.9,
  serverSystemSeconds: 0.4,
  serverUtilisation: 0.9,
  generatorUtilisation: 0.5,
  foreignUtilisation: 0,
  generatorForeignUtilisation: 0,
  peakRssBytes: 50_000_000,
  pssBytes: 40_000_000,
};

export function rates(...values: number[]): HttpSample[] {
  return values.map((requestsPerSecond, round) => ({ ...SAMPLE, round, requestsPerSecond }));
}

export function tails(...values: number[]): HttpSample[] {
  return values.map((p999Us, round) => ({ ...SAMPLE, round, p999Us }));
}

export function suite(samples: Record<string, HttpSample[]>, parts: Partial<HttpSuiteResult> = {}): HttpSuiteResult {
  return { pipelining: 1, connections: 64, samples, answers: {}, ...parts };
}

/** A row of a workload on `cores` cores. */
export function row(samples: Record<string, HttpSample[]>, cores = 1): HttpSuiteResult {
  return suite(samples, { cores, about: "GET", serverCpus: [0], generatorCpus: [2, 3], commands: {} });
}

export function result(http: Record<string, HttpSuiteResult>, parts: Partial<BenchResult> = {}): BenchResult {
  return {
    version: 1,
    startedAt: "2026-01-02T03:04:05.000Z",
    command: "npm run bench",
    machine: {
      cpu: "A processor",
      cores: 4,
      memoryBytes: 8 * 2 ** 30,
      kernel: "6.1",
      platform: "Linux x64",
      serverCpu: 0,
      generatorCpus: [2, 3],
      shared: false,
      loadAverage: 0,
      versions: { bun: "1.4.5" },
    },
    settings: settingsFrom({}),
    complete: true,
    notes: [],
    http,
    idle: {},
    memory: {},
    micro: [],
    ...parts,
  };
}
