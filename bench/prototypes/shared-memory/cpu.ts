/** Processor time from Linux's scheduler, finer than the ticks of /proc/PID/stat. */
import { readdirSync, readFileSync } from "node:fs";

/** Nanoseconds on a processor, all threads. */
export function cpuOf(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]);
  }
  return sum;
}
