/**
 * Two runs on one machine at once: neither installs into what the other is installing, and both say that they were not alone.
 */
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startTime } from "./procfs.ts";

const POLL_MS = 500;

/** A process, so that its number is not taken for another's. */
function nameOf(pid: number): string {
  return `${pid} ${startTime(pid) ?? ""}`;
}

/** Whether the process that wrote this still runs. */
function isAlive(text: string): boolean {
  const [pid, started = ""] = text.split(" ");
  return started !== "" && startTime(Number(pid)) === started;
}

function textAt(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Takes the lock, written before it has its name: nobody finds it empty. One whose process is gone is taken away first. */
function take(path: string): boolean {
  if (!isAlive(textAt(path))) rmSync(path, { force: true });
  const made = `${path}.${process.pid}`;
  writeFileSync(made, nameOf(process.pid));
  try {
    linkSync(made, path);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(made, { force: true });
  }
}

/**
 * Does the work while no other process does what `path` stands for; a lock whose process is gone counts for nothing.
 * @param waiting called once, when another has to be waited for
 */
export async function oneAtATime<T>(path: string, waiting: () => void, work: () => Promise<T>): Promise<T> {
  let told = false;
  while (!take(path)) {
    if (!told) waiting();
    told = true;
    await sleep(POLL_MS);
  }
  const leave = () => rmSync(path, { force: true });
  process.once("exit", leave);
  try {
    return await work();
  } finally {
    process.off("exit", leave);
    leave();
  }
}

/** Writes into `directory` that this process measures, until it leaves. Where nothing can be written, nobody is told. */
export function announce(directory: string): void {
  const own = join(directory, String(process.pid));
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(own, nameOf(process.pid));
  } catch {
    return;
  }
  process.once("exit", () => rmSync(own, { force: true }));
}

/** Other processes that have announced themselves there and still run. */
export function othersIn(directory: string): number[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name !== String(process.pid));
  return names.filter((name) => isAlive(textAt(join(directory, name)))).map(Number);
}
