/** The regular look at a worker: what is found, and what is to be done about it. */
import type { LogLevel } from "../observe/log.ts";
import type { Runtime } from "../runtime/types.ts";
import { loadText } from "./carried.ts";
import type { WorkerHost } from "./host.ts";

export type CheckRuntime = Pick<Runtime, "defer" | "now" | "readTextFile">;

export interface CheckLimits {
  /** No turn of the loop and no processor time for this long: stuck. 0: never. */
  readonly workerTimeoutMs: number;
  /** Resident memory above which a worker is replaced; 0: any. */
  readonly maxRssBytes: number;
  /** Age at which a worker is replaced; 0: any. */
  readonly lifetimeMs: number;
}

export interface Finding {
  readonly act: "nothing" | "replace" | "kill";
  readonly level: Extract<LogLevel, "debug" | "info" | "warning" | "error"> | undefined;
  readonly text: string;
}

/** Linux counts processor time for users in hundredths of a second (USER_HZ), whatever the kernel's own clock. */
const TICK_MS = 10;
const MEGABYTE = 1024 * 1024;
/** A worker is never ended for loading; that it takes so long may be news. */
export const SLOW_LOAD_MS = 60_000;
/** Between the end of WebSockets that have outstayed a drain and that of their worker. */
const SOCKETS_GRACE_MS = 1_000;
/** An application that is above the limit when it has just started is let grow by this factor: else it would be replaced without end. */
const GROWTH = 1.1;

/** How a worker fares; undefined when there is nothing to say. Sets `isBusy`. */
export function checkUp(
  host: WorkerHost,
  now: number,
  runtime: CheckRuntime,
  limits: CheckLimits,
): Finding | undefined {
  if (host.state === "draining" && now >= host.drainBy) {
    if (host.outstay()) {
      // Their applications are told, and may end as they like, the lifespan's shutdown too.
      host.drainBy = now + SOCKETS_GRACE_MS;
      return undefined;
    }
    const text = `Worker ${host.pid} did not finish in time and is killed, with ${host.inFlight} requests in flight.`;
    return { act: "kill", level: "warning", text };
  }
  if (host.state === "loading") return slowLoad(host, now);
  if (host.state !== "ready") return undefined;
  const cpu = host.pulse.isSilent(now) ? processorMs(runtime, host.pid) : undefined;
  let health = host.pulse.judge(now, limits.workerTimeoutMs, cpu);
  // Between two beats a worker may compute for longer than a short timeout: nobody is killed before the system is asked.
  if (health === "stuck" && cpu === undefined) {
    health = host.pulse.judge(now, limits.workerTimeoutMs, processorMs(runtime, host.pid));
  }
  host.isBusy = health === "busy";
  if (health === "stuck") {
    const seconds = limits.workerTimeoutMs / 1000;
    const text =
      `Worker ${host.pid} is stuck: its event loop has not turned for ${seconds} s and it has used no processor time. ` +
      `It is killed and replaced, with ${loadText(host.inFlight, host.sockets) || "nothing in flight"}.`;
    return { act: "kill", level: "error", text };
  }
  return host.leaving === undefined ? limitReached(host, now, runtime, limits) : undefined;
}

function slowLoad(host: WorkerHost, now: number): Finding | undefined {
  if (host.isSlowTold || now - host.loadedAt < SLOW_LOAD_MS) return undefined;
  host.isSlowTold = true;
  const text = `Worker ${host.pid} has been loading the application for ${SLOW_LOAD_MS / 1000} s; it is waited for.`;
  return { act: "nothing", level: "warning", text };
}

function limitReached(
  host: WorkerHost,
  now: number,
  runtime: CheckRuntime,
  { lifetimeMs, maxRssBytes }: CheckLimits,
): Finding | undefined {
  if (lifetimeMs > 0 && now - host.readyAt >= lifetimeMs) {
    return { act: "replace", level: "debug", text: `Worker ${host.pid} has reached its lifetime and is replaced.` };
  }
  const resident = maxRssBytes > 0 ? residentBytes(runtime, host.pid) : 0;
  const limit = Math.max(maxRssBytes, host.bornBytes > maxRssBytes ? GROWTH * host.bornBytes : 0);
  if (resident <= limit) return undefined;
  const [used, most] = [resident, limit].map((bytes) => `${(bytes / MEGABYTE).toFixed(1)} MB`);
  const text = `Worker ${host.pid} uses ${used} of memory, more than ${most}, and is replaced.`;
  return { act: "replace", level: "info", text };
}

function fileOf(runtime: CheckRuntime, pid: number, name: string): string {
  try {
    return runtime.readTextFile(`/proc/${pid}/${name}`);
  } catch {
    // The process is gone, or the system has no such files.
    return "";
  }
}

/** Processor time of a process, or undefined where the system does not tell. proc(5): utime and stime of `stat`. */
export function processorMs(runtime: CheckRuntime, pid: number): number | undefined {
  const stat = fileOf(runtime, pid, "stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return Number.isNaN(ticks) ? undefined : ticks * TICK_MS;
}

/** Resident memory of a process, 0 where the system does not tell. proc(5): VmRSS of `status`, which knows the pages' size. */
export function residentBytes(runtime: CheckRuntime, pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(fileOf(runtime, pid, "status"));
  return found === null ? 0 : Number(found[1]) * 1024;
}
