/**
 * The suite memory: whether long uploads and downloads run in flat memory, also when one side is slow.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { PlainError } from "../../src/runtime/types.ts";
import { startClient } from "./client.ts";
import { noteCommand } from "./idle.ts";
import { peakResidentBytes, resetPeak, residentBytes, watchResident } from "./procfs.ts";
import { type RunningServer, serverCommand, startServer } from "./servers.ts";
import type { BenchContext, MemorySample, TransferName } from "./types.ts";

const TRANSFER_APP = "bench/apps/transfer.ts";
const SAMPLE_INTERVAL_MS = 50;
const SETTLE_MS = 1_000;
const TRANSFER_TIMEOUT_MS = 180_000;
/** Moved once each way before the idle reading, so that the code is loaded and has run. */
const WARM_BYTES = 1024 * 1024;

interface Transfer {
  readonly name: TransferName;
  readonly direction: "upload" | "download";
  readonly slow: boolean;
}

export const TRANSFERS: readonly Transfer[] = [
  { name: "upload", direction: "upload", slow: false },
  { name: "download", direction: "download", slow: false },
  { name: "upload, slow app", direction: "upload", slow: true },
  { name: "download, slow reader", direction: "download", slow: true },
];

async function move(context: BenchContext, server: RunningServer, transfer: Transfer, bytes: number): Promise<void> {
  const rate = transfer.slow ? context.settings.slowBytesPerSecond : 0;
  const client = startClient({
    file: "transfer-client.mjs",
    parameters: [server.port, transfer.direction, bytes, rate],
    cpus: context.machine.generatorCpus,
    signal: context.signal,
  });
  try {
    const line = await client.line(TRANSFER_TIMEOUT_MS);
    if (line !== `moved ${bytes}`)
      throw new PlainError(`${server.spec.title}, ${transfer.name}: ${line} of ${bytes} bytes.`);
  } finally {
    await client.finish();
  }
}

async function measure(
  context: BenchContext,
  server: RunningServer,
  transfer: Transfer,
  round: number,
): Promise<MemorySample> {
  const bytes = context.settings.transferBytes;
  for (const warm of TRANSFERS) if (!warm.slow) await move(context, server, warm, WARM_BYTES);
  await sleep(SETTLE_MS);
  const idleRssBytes = residentBytes(server.pid);
  // The kernel's own high-water mark misses nothing between two samples.
  const exact = resetPeak(server.pid);
  const watch = watchResident(server.pid, SAMPLE_INTERVAL_MS);
  const startedMs = performance.now();
  let sampled: number;
  try {
    await move(context, server, transfer, bytes);
  } finally {
    sampled = watch.stop();
  }
  const seconds = (performance.now() - startedMs) / 1e3;
  const peakRssBytes = exact ? Math.max(sampled, peakResidentBytes(server.pid)) : sampled;
  return {
    round,
    transfer: transfer.name,
    bytes,
    seconds,
    idleRssBytes,
    peakRssBytes,
    growthBytes: peakRssBytes - idleRssBytes,
  };
}

/** Ringcorn only: the goal is flat memory, not a comparison. */
export async function runMemorySuite(context: BenchContext): Promise<void> {
  const { machine, settings, result, signal } = context;
  for (let round = 0; round < settings.memoryRounds; round++) {
    for (const spec of context.servers.filter((server) => server.kind === "ringcorn")) {
      for (const transfer of TRANSFERS) {
        if (signal.aborted) return;
        noteCommand(context, `memory, ${spec.title}`, serverCommand(spec, TRANSFER_APP));
        const server = await startServer(spec, { app: TRANSFER_APP, cpu: machine.serverCpu });
        try {
          const sample = await measure(context, server, transfer, round);
          result.memory[spec.id] ??= [];
          result.memory[spec.id].push(sample);
          const growth = (sample.growthBytes / 1e6).toFixed(1);
          context.plan.turn("memory");
          context.progress(`memory ${spec.title}, ${transfer.name}: ${growth} MB in ${sample.seconds.toFixed(1)} s`);
        } finally {
          await server.stop();
        }
      }
    }
  }
}
