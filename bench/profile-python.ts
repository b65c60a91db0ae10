/**
 * Profiles the Python processes of a server under load with py-spy, which samples them from outside: nothing is added to
 * what runs in them. The files are speedscope's (speedscope.app opens them, without sending them anywhere).
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { stderr } from "node:process";
import { PlainError } from "../src/runtime/types.ts";
import { endWithUs } from "./load/children.ts";
import { processTree } from "./load/procfs.ts";
import { type Job, type Observed, observed } from "./profile-server.ts";
import { type Speedscope, selfTimesOfStacks } from "./self-times.ts";

const RATE = 250;
/**
 * Samples without stopping the process: one that is stopped looks busy in whatever it waits for. A sample that is torn by
 * that is left out.
 */
const NONBLOCKING = "--nonblocking";
/** py-spy reads the symbols of the interpreter before it begins. */
const MARGIN_SECONDS = 1;
const LAST_LINES = 3;

/** The program that a process runs, whatever it calls itself. */
function executableOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}

/** Processes of the tree that run Python. */
export function pythonProcesses(pids: readonly number[], programOf = executableOf): number[] {
  return pids.filter((pid) => /\/(?:python[\d.]*|uwsgi)$/.test(programOf(pid)));
}

function record(program: string, pid: number, path: string, { seconds }: Job, cpu: number): Promise<string> {
  const duration = String(Math.ceil(seconds + MARGIN_SECONDS));
  const options = ["--pid", String(pid), "--rate", String(RATE), "--duration", duration, NONBLOCKING];
  const args = ["-c", String(cpu), program, "record", ...options, "--format", "speedscope", "--output", path];
  return new Promise((resolve, reject) => {
    const child = endWithUs(spawn("taskset", args, { detached: true, stdio: ["ignore", "pipe", "pipe"] }));
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (piece: Buffer) => {
        output += piece.toString("utf8");
      });
    }
    child.once("error", reject);
    child.once("close", () => resolve(output.trim().split("\n").slice(-LAST_LINES).join(" ")));
  });
}

function readStacks(path: string): Speedscope | undefined {
  if (!existsSync(path) || statSync(path).size === 0) return undefined;
  return JSON.parse(readFileSync(path, "utf8")) as Speedscope;
}

/** Runs the job. @returns the files, of those processes that did anything, the busiest first */
export async function profilePython(job: Job): Promise<string[]> {
  const found: { path: string; busy: number }[] = [];
  let said = "";
  const beside = async ({ pid, directory, generatorCpus }: Observed, load: () => Promise<void>) => {
    const program = join(directory, "venv/bin/py-spy");
    if (!existsSync(program)) throw new PlainError("py-spy is not there: it could not be installed (see --list).");
    const pids = pythonProcesses(processTree(pid));
    const paths = pids.map((each) => join(job.directory, `python-${each}.speedscope.json`));
    const recordings = pids.map((each, i) => record(program, each, paths[i], job, generatorCpus[0]));
    await load();
    said = (await Promise.all(recordings)).join(" ");
    for (const path of paths) {
      const stacks = readStacks(path);
      const busy =
        stacks === undefined ? 0 : selfTimesOfStacks(stacks).reduce((sum, each) => sum + each.microseconds, 0);
      if (busy > 0) found.push({ path, busy });
      else rmSync(path, { force: true });
    }
  };
  await observed(job, () => [], beside);
  if (found.length === 0) throw new PlainError(`py-spy recorded nothing; it said: ${said}`);
  stderr.write(`${found.length} Python ${found.length === 1 ? "process" : "processes"} recorded\n`);
  return found.sort((a, b) => b.busy - a.busy).map(({ path }) => path);
}
