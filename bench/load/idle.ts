/**
 * The suite idle: what a keep-alive connection costs that has made one request and now waits.
 *
 * Memory is the server process's own (smaps_rollup); the kernel's socket buffers are not in it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, startClient } from "./client.ts";
import { type Memory, memory } from "./procfs.ts";
import { shown } from "./programs.ts";
import { serverCommand, startServer } from "./servers.ts";
import { rotated } from "./stats.ts";
import type { BenchContext, IdleSample, ServerSpec } from "./types.ts";

const HELLO_APP = "bench/apps/hello.ts";
/** Descriptors beyond the connections: the runtime's own. */
const DESCRIPTOR_SPARE = 512;
/** So few that they hardly grow the heap, enough that the code is loaded and has run. */
const WARM_CONNECTIONS = 100;
const OPEN_TIMEOUT_MS = 120_000;

const SETTLE_INTERVAL_MS = 500;
const SETTLE_READINGS = 4;
const SETTLE_TOLERANCE = 0.005;
const SETTLE_LIMIT_MS = 12_000;

/** True when the last few readings lie close together. */
export function isSettled(readings: readonly number[]): boolean {
  if (readings.length < SETTLE_READINGS) return false;
  const last = readings.slice(-SETTLE_READINGS);
  return Math.max(...last) - Math.min(...last) <= Math.max(...last) * SETTLE_TOLERANCE;
}

async function settledMemory(pid: number, signal: AbortSignal): Promise<Memory> {
  const readings: number[] = [];
  let now = memory(pid);
  for (let waited = 0; waited < SETTLE_LIMIT_MS && !signal.aborted; waited += SETTLE_INTERVAL_MS) {
    await sleep(SETTLE_INTERVAL_MS);
    now = memory(pid);
    readings.push(now.rssBytes);
    if (isSettled(readings)) break;
  }
  return now;
}

/** Bytes a connection, from two memory readings. */
export function idleSample(round: number, connections: number, idle: Memory, held: Memory): IdleSample {
  return {
    round,
    connections,
    idleRssBytes: idle.rssBytes,
    idleAnonymousBytes: idle.anonymousBytes,
    heldRssBytes: held.rssBytes,
    heldAnonymousBytes: held.anonymousBytes,
    rssPerConnection: (held.rssBytes - idle.rssBytes) / connections,
    anonymousPerConnection: (held.anonymousBytes - idle.anonymousBytes) / connections,
  };
}

export interface Holding {
  /** When a few connections had come and gone, and with all of them. */
  readonly idle: Memory;
  readonly held: Memory;
  /** What the client said when all had been answered. */
  readonly ready: string;
  /** How many it still held at the end. */
  readonly standing: number;
}

/** @param client starts one that holds so many connections, and prints as standing.mjs does */
export async function hold(
  client: (count: number) => Client,
  connections: number,
  pid: number,
  signal: AbortSignal,
): Promise<Holding> {
  const warm = client(WARM_CONNECTIONS);
  await warm.line(OPEN_TIMEOUT_MS);
  await warm.finish();
  const idle = await settledMemory(pid, signal);
  const holder = client(connections);
  try {
    const ready = await holder.line(OPEN_TIMEOUT_MS);
    const held = await settledMemory(pid, signal);
    const closing = holder.line(OPEN_TIMEOUT_MS);
    await holder.finish();
    return { idle, held, ready, standing: Number((await closing).split(" ")[1]) };
  } finally {
    await holder.finish();
  }
}

/** Keeps how a server of a suite without rows was started. */
export function noteCommand({ result }: BenchContext, what: string, command: readonly string[]): void {
  result.commands ??= {};
  result.commands[what] ??= shown(command.join(" "));
}

async function measure(context: BenchContext, spec: ServerSpec, round: number): Promise<IdleSample> {
  const { machine, settings, signal } = context;
  const connections = settings.idleConnections;
  const descriptors = connections + DESCRIPTOR_SPARE;
  noteCommand(context, `idle, ${spec.title}`, serverCommand(spec, HELLO_APP));
  const server = await startServer(spec, { app: HELLO_APP, cpu: machine.serverCpu, descriptors });
  const client = (count: number) =>
    startClient({
      file: "idle-client.mjs",
      parameters: [server.port, count],
      cpus: machine.generatorCpus,
      descriptors,
      signal,
    });
  try {
    const { idle, held, standing } = await hold(client, connections, server.pid, signal);
    if (standing !== connections) {
      context.result.notes.push(
        `idle: ${spec.title} had closed ${connections - standing} of ${connections} connections.`,
      );
    }
    return idleSample(round, connections, idle, held);
  } finally {
    await server.stop();
  }
}

export async function runIdleSuite(context: BenchContext): Promise<void> {
  const { settings, result } = context;
  for (let round = 0; round < settings.idleRounds; round++) {
    for (const spec of rotated(context.servers, round)) {
      if (context.signal.aborted) return;
      const sample = await measure(context, spec, round);
      result.idle[spec.id] ??= [];
      result.idle[spec.id].push(sample);
      const bytes = Math.round(sample.rssPerConnection).toLocaleString("en");
      context.plan.turn("idle");
      context.progress(`idle ${round + 1}/${settings.idleRounds} ${spec.title}: ${bytes} bytes a connection`);
    }
  }
}
