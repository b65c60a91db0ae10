/**
 * Whether long uploads to Python applications and long downloads from them run in flat memory: the growth of the front
 * and of its worker, from after a warm-up to their most.
 *
 *   bun bench/python-memory.ts [--gigabytes 4] [--runtimes bun,deno] [--warm-megabytes 64] [--loop auto] [--cpus 0:2,3]
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { argv, stdout } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { startClient } from "./load/client.ts";
import { freePort, launchServer } from "./load/launch.ts";
import { describeMachine } from "./load/machine.ts";
import { parseKilobytes, processTree, resetPeak } from "./load/procfs.ts";
import { program, ROOT } from "./load/programs.ts";
import { parsedOrLeave } from "./program.ts";

const HELP = `bun bench/python-memory.ts [--gigabytes 4] [--runtimes bun,deno] [--warm-megabytes 64] [--loop auto] [--cpus 0:2,3]
`;
const { values } = parsedOrLeave(
  {
    args: argv.slice(2),
    options: {
      gigabytes: { type: "string", default: "4" },
      runtimes: { type: "string", default: "bun,deno" },
      "warm-megabytes": { type: "string", default: "64" },
      loop: { type: "string", default: "auto" },
      cpus: { type: "string" },
    },
  },
  HELP,
);
const MEGABYTE = 1024 * 1024;
const BYTES = Number(values.gigabytes) * 1024 * MEGABYTE;
const WARM_BYTES = Number(values["warm-megabytes"]) * MEGABYTE;
const SETTLE_MS = 1_000;
const TRANSFER_TIMEOUT_MS = 300_000;
const machine = describeMachine(values.cpus);
const { signal } = new AbortController();

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  bun: [program("bun"), "--no-env-file", "--no-install"],
  deno: [program("deno"), "run", "-A", "--unstable-net"],
};

async function move(port: number, direction: string, bytes: number): Promise<void> {
  const client = startClient({
    file: "transfer-client.mjs",
    parameters: [port, direction, bytes, 0],
    cpus: machine.generatorCpus,
    signal,
  });
  try {
    const line = await client.line(TRANSFER_TIMEOUT_MS);
    if (line !== `moved ${bytes}`) throw new Error(`${direction}: ${line} of ${bytes} bytes`);
  } finally {
    await client.finish();
  }
}

/** Megabytes of each process of the server: `VmRSS` now, or `VmHWM`, the most since the last reset. */
function megabytes(pid: number, name: "VmRSS" | "VmHWM"): number[] {
  return processTree(pid).map((each) => {
    const text = readFileSync(`/proc/${each}/status`, "latin1");
    return parseKilobytes(text, name) / MEGABYTE;
  });
}

const text = (values: readonly number[]): string => values.map((value) => value.toFixed(0)).join(" + ");

async function measure(runtime: string): Promise<void> {
  const port = await freePort();
  const command = [
    ...(COMMANDS[runtime] ?? []),
    join(ROOT, "src/cli/main.ts"),
    ...["transfer:app", "--app-dir", join(ROOT, "bench/apps/python"), "--loop", values.loop],
    ...["--host", "127.0.0.1", "--port", String(port), "--no-access-log", "--log-level", "warning"],
    ...["--no-exit-with-parent", "--lifespan", "off"],
  ];
  const place = { cpus: [machine.serverCpu], port, signal };
  const server = await launchServer({ command, title: runtime }, place, (at) => move(at, "download", 1000));
  try {
    for (const direction of ["upload", "download"]) {
      await move(port, direction, WARM_BYTES);
      await sleep(SETTLE_MS);
      const before = megabytes(server.pid, "VmRSS");
      resetPeak(server.pid);
      await move(port, direction, BYTES);
      const most = megabytes(server.pid, "VmHWM");
      const growth = most.map((value, i) => value - before[i]);
      stdout.write(`| ${runtime} | ${direction} | ${text(before)} | ${text(most)} | +${text(growth)} |\n`);
    }
  } finally {
    await server.stop();
  }
}

stdout.write(`| ${values.gigabytes} GB | | before, front + worker, MB | most | growth |\n| - | - | -: | -: | -: |\n`);
for (const runtime of values.runtimes.split(",")) await measure(runtime);
