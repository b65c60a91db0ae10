/**
 * Processor time and memory of processes, from Linux's /proc (proc(5)).
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Ticks a second of the times in /proc; fixed at 100 for user space on every Linux architecture in use (USER_HZ). */
const TICKS_PER_SECOND = 100;
const KILOBYTE = 1024;

export interface StatTimes {
  /** Seconds of the process itself in user mode, and in the kernel. */
  readonly user: number;
  readonly system: number;
  /** User and system seconds of its children that have ended and been waited for. */
  readonly children: number;
}

/** Reads `/proc/PID/stat`. The command in parentheses may itself hold spaces and parentheses. */
export function parseStat(text: string): StatTimes {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // proc(5) counts from 1 and `fields` starts at number 3: utime 14, stime 15, cutime 16, cstime 17.
  const ticks = (number: number) => Number(fields[number - 3]);
  return {
    user: ticks(14) / TICKS_PER_SECOND,
    system: ticks(15) / TICKS_PER_SECOND,
    children: (ticks(16) + ticks(17)) / TICKS_PER_SECOND,
  };
}

/** The value in bytes of a `Name:   123 kB` line, as in `/proc/PID/status` and `smaps_rollup`; 0 when absent. */
export function parseKilobytes(text: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text);
  return match === null ? 0 : Number(match[1]) * KILOBYTE;
}

/**
 * Seconds of core `cpu` that processes used (user, nice, system) or that a hypervisor took away (steal), from
 * `/proc/stat`. Interrupts are not in it: much of the server's own networking runs there.
 */
export function parseCoreBusy(text: string, cpu: number): number {
  const line = new RegExp(`^cpu${cpu} (.*)$`, "m").exec(text);
  if (line === null) return 0;
  const [user, nice, system, , , , , steal] = line[1].split(" ").map(Number);
  return (user + nice + system + (steal || 0)) / TICKS_PER_SECOND;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** The process and everything it has started: a server may run as a supervisor with one worker. */
export function processTree(pid: number): number[] {
  const found = [pid];
  for (const parent of found) {
    let threads: string[];
    try {
      threads = readdirSync(`/proc/${parent}/task`);
    } catch {
      continue;
    }
    for (const thread of threads) {
      for (const child of readOrEmpty(`/proc/${parent}/task/${thread}/children`).split(" ")) {
        if (child.trim() !== "") found.push(Number(child));
      }
    }
  }
  return found;
}

/** When a process began, in ticks since boot: with it a process id is unmistakable. Undefined when it is gone. */
export function startTime(pid: number): string | undefined {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  return text === "" ? undefined : text.slice(text.lastIndexOf(")") + 2).split(" ")[22 - 3];
}

/** Processor seconds of a process tree so far. */
export function cpuSeconds(pid: number): { user: number; system: number } {
  let user = 0;
  let system = 0;
  for (const member of processTree(pid)) {
    const text = readOrEmpty(`/proc/${member}/stat`);
    if (text === "") continue;
    const times = parseStat(text);
    user += times.user;
    system += times.system;
  }
  return { user, system };
}

/** Processor seconds of this process's children that have ended. */
export function endedChildrenSeconds(): number {
  return parseStat(readFileSync("/proc/self/stat", "latin1")).children;
}

export function coreBusySeconds(cpu: number): number {
  return parseCoreBusy(readOrEmpty("/proc/stat"), cpu);
}

export interface Memory {
  readonly rssBytes: number;
  /** Heap, stacks and the like, without pages of files such as the program's code. */
  readonly anonymousBytes: number;
}

/**
 * Exact memory of a process tree; walks every page table entry, so not for sampling. Proportional set size is not used:
 * it falls when any other process runs the same program.
 */
export function memory(pid: number): Memory {
  let rssBytes = 0;
  let anonymousBytes = 0;
  for (const member of processTree(pid)) {
    const text = readOrEmpty(`/proc/${member}/smaps_rollup`);
    rssBytes += parseKilobytes(text, "Rss");
    anonymousBytes += parseKilobytes(text, "Anonymous");
  }
  return { rssBytes, anonymousBytes };
}

/** Proportional set size: what several processes share is counted once, if all of them are in the tree. */
export function proportionalBytes(pid: number): number {
  let total = 0;
  for (const member of processTree(pid)) total += parseKilobytes(readOrEmpty(`/proc/${member}/smaps_rollup`), "Pss");
  return total;
}

function statusBytes(pid: number, name: string): number {
  let total = 0;
  for (const member of processTree(pid)) total += parseKilobytes(readOrEmpty(`/proc/${member}/status`), name);
  return total;
}

/** Resident bytes now: cheap. */
export function residentBytes(pid: number): number {
  return statusBytes(pid, "VmRSS");
}

/** The most that was ever resident, or since `resetPeak`. */
export function peakResidentBytes(pid: number): number {
  return statusBytes(pid, "VmHWM");
}

/** Lets the peak start again from now. False where the kernel does not permit it. */
export function resetPeak(pid: number): boolean {
  try {
    for (const member of processTree(pid)) writeFileSync(`/proc/${member}/clear_refs`, "5");
    return true;
  } catch {
    return false;
  }
}

/** Samples resident memory on a timer and keeps the highest value. */
export function watchResident(pid: number, intervalMs: number): { stop(): number } {
  let highest = residentBytes(pid);
  const timer = setInterval(() => {
    highest = Math.max(highest, residentBytes(pid));
  }, intervalMs);
  return {
    stop() {
      clearInterval(timer);
      return Math.max(highest, residentBytes(pid));
    },
  };
}
