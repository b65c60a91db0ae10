/**
 * Starts a server of a workload row on its cores, waits until it answers, and ends it with all its processes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { PlainError } from "../../src/runtime/types.ts";
import { ask } from "./ask.ts";
import { endWithUs } from "./children.ts";
import { processTree, startTime } from "./procfs.ts";
import { ROOT } from "./programs.ts";
import type { Launch } from "./row-servers.ts";
import type { RequestSpec } from "./workloads.ts";

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 4_000;
const POLL_MS = 50;
/** Workers of a server that has begun to answer may still be starting: the warm-up must not find half of them. */
const SETTLE_MS = 300;
const OUTPUT_KEPT_CHARACTERS = 4_000;
/** Sockets of the row with the most clients, and what a runtime needs itself. */
const DESCRIPTORS = 12_000;

export interface LaunchedServer {
  readonly pid: number;
  readonly port: number;
  /** SIGTERM, then SIGKILL to the whole group. Resolves when the first process is gone. */
  stop(): Promise<void>;
}

/** A port that nothing listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Already gone.
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const begun = processTree(child.pid!).map((pid) => ({ pid, startedAt: startTime(pid) }));
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }
  // What it started has been told by it; what did not listen ends here, if its id is still its own.
  for (const { pid, startedAt } of begun) {
    if (startedAt !== undefined && startTime(pid) === startedAt) killQuietly(pid);
  }
}

/** A probe that wants `request` answered, by anything but a status from 500. */
export function answers(request: RequestSpec): (port: number) => Promise<void> {
  return async (port) => {
    const { status } = await ask(port, request);
    if (status >= 500) throw new PlainError(`It answers with status ${status}.`);
  };
}

/**
 * @param probe asks the server for something; a rejection says that it is not ready
 * @throws PlainError with the end of the server's output when it does not come up
 */
export async function launchServer(
  launch: Launch & { readonly title: string },
  place: {
    readonly cpus: readonly number[];
    readonly port: number;
    readonly signal: AbortSignal;
    readonly descriptors?: number;
  },
  probe: (port: number) => Promise<unknown>,
): Promise<LaunchedServer> {
  const script = `ulimit -n ${place.descriptors ?? DESCRIPTORS} 2>/dev/null; exec taskset -c ${place.cpus.join(",")} "$@"`;
  const child = spawn("/bin/sh", ["-c", script, "sh", ...launch.command], {
    cwd: launch.cwd ?? ROOT,
    env: { ...process.env, NODE_ENV: "production", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...launch.env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithUs(child);
  let output = "";
  const hear = (piece: Buffer) => {
    output = (output + piece.toString("utf8")).slice(-OUTPUT_KEPT_CHARACTERS);
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  let problem = "";
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (
    performance.now() < deadline &&
    child.exitCode === null &&
    child.signalCode === null &&
    !place.signal.aborted
  ) {
    try {
      await probe(place.port);
      await sleep(SETTLE_MS);
      return { pid: child.pid!, port: place.port, stop: () => stop(child) };
    } catch (error) {
      problem = `${(error as Error).message} `;
    }
    await sleep(POLL_MS);
  }
  await stop(child);
  const said = `${problem}It printed:\n${output}`;
  throw new PlainError(`${launch.title} did not start with "${launch.command.join(" ")}". ${said}`);
}
