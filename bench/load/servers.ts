/**
 * The servers under test: how each is started, pinned to its core, found, and stopped.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { PlainError } from "../../src/runtime/types.ts";
import { endWithUs } from "./children.ts";
import { type ProgramName, program, programs, ROOT } from "./programs.ts";
import type { ServerSpec } from "./types.ts";

/** A server that has not named its address after this long is taken for broken. */
const START_TIMEOUT_MS = 15_000;
/** A server that has not left this long after SIGTERM is killed. */
const STOP_TIMEOUT_MS = 3_000;
/** Kept of what a server prints, for the message when it fails. */
const OUTPUT_KEPT_CHARACTERS = 4_000;

export const SERVERS: readonly ServerSpec[] = [
  { id: "ringcorn-bun", title: "Ringcorn on Bun", runtime: "bun", kind: "ringcorn" },
  { id: "bun-serve", title: "Bun.serve", runtime: "bun", kind: "peer" },
  { id: "ringcorn-deno", title: "Ringcorn on Deno", runtime: "deno", kind: "ringcorn" },
  { id: "deno-serve", title: "Deno.serve", runtime: "deno", kind: "peer" },
  { id: "node-http", title: "node:http", runtime: "node", kind: "peer" },
];

/** Not part of a usual run, since they answer without an application or without reading; `--servers` can name them. */
export const EXTRA_SERVERS: readonly ServerSpec[] = [
  { id: "bun-serve-static", title: "Bun.serve, static route", runtime: "bun", kind: "peer" },
  { id: "floor-bun", title: "bare Bun.listen", runtime: "bun", kind: "floor" },
  { id: "floor-deno", title: "bare Deno.listen", runtime: "deno", kind: "floor" },
];

const PEER_FILES: Readonly<Record<string, string>> = {
  "bun-serve": "bench/peers/bun-serve.ts",
  "bun-serve-static": "bench/peers/bun-serve-static.ts",
  "deno-serve": "bench/peers/deno-serve.ts",
  "floor-bun": "bench/peers/floor-bun.ts",
  "floor-deno": "bench/peers/floor-deno.ts",
  "node-http": "bench/peers/node-http.mjs",
};

const RUN: Readonly<Record<ServerSpec["runtime"], readonly string[]>> = {
  bun: [],
  deno: ["run", "-A", "--unstable-net"],
  node: [],
};

/** The command that serves `app` (a path below the root; peers have their own program and ignore it). */
export function serverCommand(spec: ServerSpec, app: string, runtimeFlags: readonly string[] = []): string[] {
  const start = [program(spec.runtime satisfies ProgramName), ...RUN[spec.runtime], ...runtimeFlags];
  if (spec.kind !== "ringcorn") return [...start, PEER_FILES[spec.id]];
  return [...start, "src/cli/main.ts", app, "--host", "127.0.0.1", "--port", "0", "--no-access-log"];
}

/** The address in a server's banner, or undefined while it has not come yet. */
export function findAddress(output: string): { host: string; port: number } | undefined {
  const match = /http:\/\/(127\.0\.0\.1|localhost|\[::1\]):(\d+)/.exec(output);
  return match === null ? undefined : { host: "127.0.0.1", port: Number(match[2]) };
}

export interface RunningServer {
  readonly spec: ServerSpec;
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** SIGTERM, then SIGKILL when it does not leave. Resolves when the process is gone. */
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly app: string;
  readonly cpu: number;
  /** Descriptors the process may open; as many as the hard limit permits are asked for. */
  readonly descriptors?: number;
  readonly runtimeFlags?: readonly string[];
}

/** Installed runtimes only; the others are named in `missing`. */
export function availableServers(specs: readonly ServerSpec[]): { servers: ServerSpec[]; missing: ServerSpec[] } {
  const has = (spec: ServerSpec) => programs()[spec.runtime] !== undefined;
  return { servers: specs.filter(has), missing: specs.filter((spec) => !has(spec)) };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

/**
 * Starts a server on its core and waits for its address.
 * @throws PlainError with the end of its output when it does not come up.
 */
export async function startServer(spec: ServerSpec, options: StartOptions): Promise<RunningServer> {
  const command = serverCommand(spec, options.app, options.runtimeFlags);
  // `exec` twice, so that the process id stays that of the server.
  const limit =
    options.descriptors === undefined
      ? ""
      : `ulimit -n ${options.descriptors} 2>/dev/null || ulimit -n "$(ulimit -Hn)"; `;
  const script = `${limit}exec taskset -c ${options.cpu} "$@"`;
  const child = spawn("/bin/sh", ["-c", script, "sh", ...command], {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: "production", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    // A group of its own: Ctrl-C reaches this program only, which then stops its servers in order.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithUs(child);
  let output = "";
  const address = await new Promise<{ host: string; port: number } | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), START_TIMEOUT_MS);
    const hear = (piece: Buffer) => {
      output = (output + piece.toString("utf8")).slice(-OUTPUT_KEPT_CHARACTERS);
      const found = findAddress(output);
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
  if (address === undefined) {
    await stop(child);
    throw new PlainError(`${spec.title} did not start with "${command.join(" ")}". It printed:\n${output}`);
  }
  return {
    spec,
    pid: child.pid!,
    port: address.port,
    url: `http://127.0.0.1:${address.port}/`,
    stop: () => stop(child),
  };
}
