/** Child processes with a two-way byte stream on descriptor 3, for workers that are not written in TypeScript. */
import type { ChildProcess } from "node:child_process";
import process from "node:process";
import type { Duplex } from "node:stream";
import { PlainError } from "./types.ts";

const CHANNEL_DESCRIPTOR = 3;
/** What a shell answers for a program that can't be started. */
const NOT_STARTED_CODE = 127;
/** From this size on an array that has done its service is given back at once. */
const WORTH_BYTES = 8 * 1024;
/** Bun's result for a socket that is gone. */
const WRITE_GONE = -1;

/** A child process with a byte stream. */
export interface StreamChild {
  readonly pid: number;
  /**
   * Offers `bytes[start, end)`; returns how many were taken, and the caller may reuse those at once. Fewer than
   * offered: keep the rest and offer it again on `onDrain`. -1: the stream is gone.
   */
  write(bytes: Uint8Array, start: number, end: number): number;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
  /** Closes this end of the stream; the child reads its end. */
  close(): void;
}

export interface SpawnStreamOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `chunk` is fresh and may be kept. */
  onData(chunk: Uint8Array): void;
  /** The stream takes bytes again after a short `write`. */
  onDrain(): void;
  /** The child's end is closed. Called once, before or after `onExit`. */
  onEnd(): void;
  /** Called once. `code` is null when a signal ended it. */
  onExit(code: number | null, signal: string | null): void;
}

interface BunStream {
  write(bytes: Uint8Array, byteOffset: number, byteLength: number): number;
  end(): void;
  terminate(): void;
}

interface BunStreamEvents {
  open(stream: BunStream): void;
  data(stream: BunStream, chunk: Uint8Array): void;
  drain(): void;
  end(stream: BunStream): void;
  close(): void;
  error(): void;
}

interface BunProcess {
  readonly pid: number;
  readonly stdio: readonly (number | null | undefined)[];
}

/** Bun's own spawn: `stdio` entries behind the third are descriptors, which its sockets take over. */
interface BunSpawner {
  spawn(
    command: readonly string[],
    options: {
      readonly env: Readonly<Record<string, string>>;
      readonly stdio: readonly string[];
      onExit(child: unknown, code: number | null, signal: number | string | null): void;
    },
  ): BunProcess;
  connect(options: { fd: number; socket: BunStreamEvents }): Promise<unknown>;
}

function cannotStart(program: string): PlainError {
  return new PlainError(`The program ${program} can't be started; check that it exists and may be executed.`);
}

function killer(pid: number, over: () => boolean): StreamChild["kill"] {
  return (signal) => {
    if (over()) return;
    try {
      process.kill(pid, signal);
    } catch {
      // It is gone already; `onExit` is on its way.
    }
  };
}

/** Starts a child; see `StreamChild`. @throws PlainError when the program can't be started */
export function spawnStream(options: SpawnStreamOptions): StreamChild {
  const bun = (globalThis as unknown as { Bun?: BunSpawner }).Bun;
  return bun === undefined ? spawnWithNode(options) : spawnWithBun(bun, options);
}

function spawnWithBun(bun: BunSpawner, options: SpawnStreamOptions): StreamChild {
  let over = false;
  let child: BunProcess;
  try {
    child = bun.spawn(options.command, {
      env: options.env,
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      onExit: (_child, code, signal) => {
        over = true;
        options.onExit(code, signal === null || signal === undefined ? null : String(signal));
      },
    });
  } catch {
    throw cannotStart(options.command[0] ?? "");
  }
  let stream: BunStream | undefined;
  let gone = false;
  let returned = false;
  const finish = (): void => {
    if (gone) return;
    gone = true;
    options.onEnd();
  };
  const socket: BunStreamEvents = {
    open: (opened) => {
      stream = opened;
      if (gone) opened.end();
      // Bun opens it inside `connect`, when the caller has no child yet and has written nothing.
      else if (returned) options.onDrain();
    },
    data: (_opened, chunk) => options.onData(chunk),
    drain: () => options.onDrain(),
    end: (opened) => {
      opened.end();
      finish();
    },
    close: finish,
    error: finish,
  };
  bun.connect({ fd: child.stdio[CHANNEL_DESCRIPTOR]!, socket }).catch(finish);
  returned = true;
  return {
    pid: child.pid,
    write: (bytes, start, end) => {
      if (gone) return WRITE_GONE;
      return stream === undefined ? 0 : stream.write(bytes, start, end - start);
    },
    kill: killer(child.pid, () => over),
    close: () => {
      gone = true;
      stream?.end();
    },
  };
}

function spawnWithNode(options: SpawnStreamOptions): StreamChild {
  const [program = "", ...args] = options.command;
  // Loaded on demand: most servers start no child, and the module costs them megabytes on Deno.
  const { spawn } = process.getBuiltinModule("node:child_process");
  let child: ChildProcess;
  try {
    child = spawn(program, args, { env: { ...options.env }, stdio: ["ignore", "inherit", "inherit", "pipe"] });
  } catch {
    throw cannotStart(program);
  }
  let over = false;
  const exit = (code: number | null, signal: string | null): void => {
    if (over) return;
    over = true;
    options.onExit(code, signal);
  };
  child.once("exit", exit);
  child.once("error", () => exit(NOT_STARTED_CODE, null));
  const { pid } = child;
  if (pid === undefined) {
    over = true;
    throw cannotStart(program);
  }
  return { pid, kill: killer(pid, () => over), ...nodeStream(child, options) };
}

function nodeStream(child: ChildProcess, options: SpawnStreamOptions): Pick<StreamChild, "write" | "close"> {
  const stream = child.stdio[CHANNEL_DESCRIPTOR] as unknown as Duplex;
  let gone = false;
  const finish = (): void => {
    if (gone) return;
    gone = true;
    options.onEnd();
  };
  stream.on("data", (chunk: Uint8Array) => options.onData(chunk));
  stream.on("drain", () => options.onDrain());
  stream.on("end", finish);
  stream.on("close", finish);
  // A child that dies takes its end with it; `end` and `exit` tell.
  stream.on("error", finish);
  return {
    write: (bytes, start, end) => {
      if (gone || stream.destroyed || !stream.writable) return WRITE_GONE;
      if (stream.writableNeedDrain) return 0;
      const copy = bytes.slice(start, end);
      // Given back when it has left: the collector would come much later.
      if (copy.length >= WORTH_BYTES) stream.write(copy, () => void copy.buffer.transfer(0));
      else stream.write(copy);
      return end - start;
    },
    close: () => {
      gone = true;
      stream.end();
    },
  };
}
