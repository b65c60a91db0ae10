/**
 * Which cores the server and the load generator get, and a description of the machine for the report.
 */
import { readFileSync } from "node:fs";
import { arch, loadavg, release, totalmem, type } from "node:os";
import { PlainError } from "../../src/runtime/types.ts";
import { type ProgramName, programs, version } from "./programs.ts";
import { treeRevision } from "./revision.ts";
import type { Machine } from "./types.ts";

/** Parses the kernel's list format, such as "0-3,6". */
export function parseCpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.trim().split(",")) {
    if (part === "") continue;
    const range = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    if (range === null) throw new PlainError(`"${part}" is not a core number or a range such as 2-3.`);
    for (let cpu = Number(range[1]); cpu <= Number(range[2] ?? range[1]); cpu++) cpus.push(cpu);
  }
  return cpus;
}

export interface CpuChoice {
  readonly server: number;
  readonly generator: readonly number[];
  readonly shared: boolean;
}

/**
 * The first permitted core is the server's. The load generator gets the upper half of the others that are not the
 * server's hyperthread sibling, or all of them where that leaves none.
 *
 * @param allowed cores this process may use, ascending
 * @param siblings of a core: the cores on the same physical core, itself included
 */
export function chooseCpus(allowed: readonly number[], siblings: (cpu: number) => readonly number[]): CpuChoice {
  const server = allowed[0];
  const others = allowed.filter((cpu) => cpu !== server);
  if (others.length === 0) return { server, generator: [server], shared: true };
  const beside = siblings(server);
  const separate = others.filter((cpu) => !beside.includes(cpu));
  const candidates = separate.length > 0 ? separate : others;
  const count = Math.max(1, Math.min(candidates.length, Math.floor(allowed.length / 2)));
  return { server, generator: candidates.slice(-count), shared: false };
}

export interface Layout {
  readonly serverCpus: readonly number[];
  readonly generatorCpus: readonly number[];
}

/**
 * The cores of a row whose server has `cores` of them; one core is laid out as `one` says. The load generator gets the
 * upper half of all cores, or what is left.
 * @returns undefined when none would be left for the load generator
 */
export function layoutFor(
  cores: number,
  allowed: readonly number[],
  one: Pick<CpuChoice, "server" | "generator">,
): Layout | undefined {
  if (cores === 1) return { serverCpus: [one.server], generatorCpus: one.generator };
  const serverCpus = [one.server, ...allowed.filter((cpu) => cpu !== one.server)].slice(0, cores);
  const left = allowed.filter((cpu) => !serverCpus.includes(cpu));
  if (serverCpus.length < cores || left.length === 0) return undefined;
  return { serverCpus, generatorCpus: left.slice(-Math.max(1, Math.floor(allowed.length / 2))) };
}

/** Parses `--cpus SERVER:GENERATOR`, such as "0:2,3". */
export function parseCpuChoice(text: string): CpuChoice {
  const [server, generator, ...rest] = text.split(":");
  if (rest.length > 0 || generator === undefined || !/^\d+$/.test(server)) {
    throw new PlainError(`--cpus takes the server's core and the load generator's, such as 0:2,3, not "${text}".`);
  }
  const cpus = parseCpuList(generator);
  if (cpus.length === 0) throw new PlainError("--cpus names no core for the load generator.");
  return { server: Number(server), generator: cpus, shared: cpus.includes(Number(server)) };
}

/** Cores that this process may use, ascending. */
export function allowedCpus(): number[] {
  const match = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "latin1"));
  return match === null ? [0] : parseCpuList(match[1]);
}

/** @throws PlainError when a core is named that the machine has not */
export function checkCpus({ server, generator }: CpuChoice, online: readonly number[]): void {
  const wrong = [server, ...generator].find((cpu) => !online.includes(cpu));
  if (wrong === undefined) return;
  throw new PlainError(`--cpus names core ${wrong}, and this machine has ${online.join(", ")}.`);
}

/** Cores that run; a process may be bound to others than it has now. */
function onlineCpus(): number[] {
  try {
    return parseCpuList(readFileSync("/sys/devices/system/cpu/online", "latin1"));
  } catch {
    return allowedCpus();
  }
}

function siblingsOf(cpu: number): number[] {
  try {
    return parseCpuList(readFileSync(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, "latin1"));
  } catch {
    return [cpu];
  }
}

function cpuModel(): string {
  const text = readFileSync("/proc/cpuinfo", "latin1");
  return /^model name\s*:\s*(.+)$/m.exec(text)?.[1] ?? /^Model\s*:\s*(.+)$/m.exec(text)?.[1] ?? "unknown";
}

/** @param cpus the value of `--cpus`, if given */
export function describeMachine(cpus: string | undefined): Machine {
  if (type() !== "Linux") {
    throw new PlainError("The load suites read /proc and pin cores with taskset: run them on Linux.");
  }
  const allowed = allowedCpus();
  const choice = cpus === undefined ? chooseCpus(allowed, siblingsOf) : parseCpuChoice(cpus);
  if (cpus !== undefined) checkCpus(choice, onlineCpus());
  const versions: Record<string, string> = { ringcorn: treeRevision() };
  for (const name of Object.keys(programs()) as ProgramName[]) {
    const found = version(name);
    if (found !== undefined) versions[name] = found;
  }
  return {
    cpu: cpuModel(),
    cores: allowed.length,
    memoryBytes: totalmem(),
    kernel: release(),
    platform: `${type()} ${arch()}`,
    serverCpu: choice.server,
    generatorCpus: choice.generator,
    shared: choice.shared,
    loadAverage: loadavg()[0],
    versions,
  };
}
