/** What both runtimes offer under Node's names: process, files, signals, output. */
import {
  close as closeFile,
  existsSync,
  constants as fileConstants,
  fstatSync,
  openSync,
  read as readFile,
  readFileSync,
  readSync,
} from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { spawn } from "./children.ts";
import { flushOutput, standardError, standardOutput } from "./output.ts";
import { killStreamChildren } from "./stream-child.ts";
import { type OpenFile, PlainError, type Runtime, type SignalName } from "./types.ts";

const LIMITS_FILE = "/proc/self/limits";

function descriptorLimit(): number | undefined {
  if (process.platform === "linux") {
    try {
      // "Max open files            1024                 524288               files"
      const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(LIMITS_FILE, "utf8"))?.[1];
      return soft === undefined ? undefined : Number(soft);
    } catch {
      return undefined;
    }
  }
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const shell = spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" });
  const soft = Number.parseInt(shell.stdout ?? "", 10);
  return Number.isNaN(soft) ? undefined : soft;
}

/**
 * Opening, and reading what is short, is done at once: with the file in the system's cache that takes some microseconds,
 * and the way through the runtimes' threads ten times as many.
 */
async function openFile(path: string): Promise<OpenFile> {
  // Without O_NONBLOCK a named pipe would hold the open until somebody writes.
  const descriptor = openSync(path, fileConstants.O_RDONLY | fileConstants.O_NONBLOCK);
  // A failed close of a file opened for reading loses nothing.
  const close = () => closeFile(descriptor, ignore);
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new PlainError(`${path} is not a regular file; only regular files can be sent.`);
    return {
      sizeBytes: stat.size,
      readNow: (into, start, length, position) => readSync(descriptor, into, start, length, position),
      read: (into, position) => readFrom(descriptor, into, position),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function readFrom(descriptor: number, into: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    readFile(descriptor, into, 0, into.length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

function ignore(): void {}

function cwd(): string {
  try {
    return process.cwd();
  } catch (error) {
    // Deno's name for it.
    if (error instanceof Error && error.name === "InvalidData") {
      throw new PlainError("The working directory's name is not UTF-8; start the server in one whose name is.");
    }
    throw new PlainError("The working directory has been removed; start the server in one that exists.");
  }
}

function onSignal(signal: SignalName, listener: () => void): () => void {
  const call = (): void => listener();
  process.on(signal, call);
  return () => {
    process.off(signal, call);
  };
}

function exit(code: number): never {
  killStreamChildren();
  flushOutput();
  process.exit(code);
}

function onStrayError(listener: (error: unknown) => void): void {
  process.on("uncaughtException", listener);
  process.on("unhandledRejection", listener);
}

/** The part of `Runtime` that is the same on both runtimes. */
export const nodeRuntime = {
  now: () => performance.now(),
  descriptorLimit,
  onSignal,
  onStrayError,
  parentPid: () => process.ppid,
  pid: process.pid,
  importModule: (path: string): Promise<Record<string, unknown>> =>
    import(path.startsWith("file:") ? path : pathToFileURL(path).href),
  spawn,
  openFile,
  readTextFile: (path: string) => readFileSync(path, "utf8"),
  fileExists: (path: string) => existsSync(path),
  resolvePath: (...parts: string[]) => resolve(...parts),
  cwd,
  env: () => process.env as Record<string, string | undefined>,
  exit,
  writeOut: (text: string) => standardOutput.write(text),
  writeErr: (text: string) => standardError.write(text),
  cores: () => process.getBuiltinModule("node:os").availableParallelism(),
  residentBytes: () => process.memoryUsage.rss(),
} satisfies Partial<Runtime>;
