/** Starts a server's program on a free port, and asks it something: what a build and its figures rest on. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import { PlainError } from "../../src/runtime/types.ts";

/** Only guards against a program that hangs: a server listens within a fraction of a second. */
const ANSWER_DEADLINE_MS = 15_000;
const ADDRESS = /http:\/\/127\.0\.0\.1:(\d+)/;

export interface Started {
  readonly pid: number;
  /** The first bytes of its answer. */
  readonly answer: string;
  /** From the process's start to the first byte of its answer. */
  readonly milliseconds: number;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>;
}

/** The environment without the options that it may hold. */
function plainEnvironment(): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("RINGCORN_"));
  return { ...Object.fromEntries(own), NO_COLOR: "1" };
}

function listens(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      const match = ADDRESS.exec(output);
      if (match !== null) resolve(Number(match[1]));
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const said = output.trim() === "" ? "without a word" : `and said: ${output.trim()}`;
      reject(new PlainError(`it ended with ${signal ?? `exit code ${code}`} ${said}`));
    });
  });
}

function ask(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(request));
    socket.setEncoding("latin1").once("data", (text: string) => {
      socket.destroy();
      resolve(text);
    });
    socket.once("error", reject);
    socket.once("end", () => reject(new PlainError("it closed the connection without an answer")));
  });
}

/**
 * Starts `command`, which serves, and sends it one request.
 * @throws PlainError when it does not answer; nothing of it runs on then
 */
export async function start(command: readonly string[], request: string): Promise<Started> {
  const from = performance.now();
  const child = spawn(command[0], [...command.slice(1), "--host", "127.0.0.1", "--port", "0"], {
    cwd: tmpdir(),
    env: plainEnvironment(),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  let guard: ReturnType<typeof setTimeout> | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      const message = `it gave no answer within ${ANSWER_DEADLINE_MS / 1000} s`;
      guard = setTimeout(() => reject(new PlainError(message)), ANSWER_DEADLINE_MS);
    });
    const answer = await Promise.race([listens(child).then((port) => ask(port, request)), late]);
    const milliseconds = performance.now() - from;
    return { pid: child.pid as number, answer, milliseconds, stop: () => stop("SIGTERM") };
  } catch (error) {
    if (child.pid !== undefined) await stop("SIGKILL");
    throw error;
  } finally {
    clearTimeout(guard);
  }
}

/** Resident memory of a process in bytes. Linux only. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (match === null) throw new PlainError("The resident memory can't be read; the figures need Linux.");
  return Number(match[1]) * 1024;
}
