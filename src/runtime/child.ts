/** What both kinds of child processes share: those with a message pipe (children.ts), and with a stream (stream-child.ts). */
import type { ChildProcess } from "node:child_process";
import process from "node:process";
import type { Duplex } from "node:stream";
import { PlainError } from "./types.ts";

/** Where a child finds its end of the pipe or stream. */
export const CHANNEL_DESCRIPTOR = 3;
/** Standard input, output, error, and the channel. */
export const CHILD_STDIO = ["ignore", "inherit", "inherit", "pipe"] as const;
/** What a shell answers for a program that can't be started. */
const NOT_STARTED_CODE = 127;

/** A child of node:child_process. */
export interface Started {
  readonly pid: number;
  /** This end of the channel. */
  readonly channel: Duplex;
  readonly isOver: () => boolean;
  readonly kill: (signal: NodeJS.Signals) => void;
}

export function cannotStart(program: string): PlainError {
  return new PlainError(`The program ${program} can't be started; check that it exists and may be executed.`);
}

/** Sends signals as long as the process is not over. */
export function killer(pid: number, isOver: () => boolean): (signal: NodeJS.Signals) => void {
  return (signal) => {
    if (isOver()) return;
    try {
      // Not ChildProcess.kill: on Deno its second call sends nothing, and SIGKILL follows SIGTERM.
      process.kill(pid, signal);
    } catch {
      // It is gone already; `onExit` is on its way.
    }
  };
}

/**
 * Starts a program with arguments.
 * @param onExit called once; the code is null when a signal ended it
 * @throws PlainError when it can't be started
 */
export function startChild(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  onExit: (code: number | null, signal: string | null) => void,
): Started {
  const [program = "", ...args] = command;
  // Loaded on demand: most servers start no child, and the module costs them megabytes on Deno.
  const { spawn } = process.getBuiltinModule("node:child_process");
  let child: ChildProcess;
  try {
    child = spawn(program, args, { env: { ...env }, stdio: [...CHILD_STDIO] });
  } catch {
    throw cannotStart(program);
  }
  let over = false;
  const exit = (code: number | null, signal: string | null): void => {
    if (over) return;
    over = true;
    onExit(code, signal);
  };
  child.once("exit", exit);
  child.once("error", () => exit(NOT_STARTED_CODE, null));
  const { pid } = child;
  if (pid === undefined) {
    over = true;
    throw cannotStart(program);
  }
  const isOver = (): boolean => over;
  return { pid, channel: child.stdio[CHANNEL_DESCRIPTOR] as unknown as Duplex, isOver, kill: killer(pid, isOver) };
}
