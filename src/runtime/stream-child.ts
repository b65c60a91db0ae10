/** Child processes with a two-way byte stream on descriptor 3, for workers that are not written in TypeScript. */
import type { Duplex } from "node:stream";
import { CHANNEL_DESCRIPTOR, CHILD_STDIO, cannotStart, killer, startChild } from "./child.ts";

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

/** How to kill those that have not ended. */
const living = new Set<StreamChild["kill"]>();

/** For the end of this process: what still runs then is not waited for any more, and would notice it only in its own time. */
export function killStreamChildren(): void {
  for (const kill of living) kill("SIGKILL");
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
      stdio: CHILD_STDIO,
      onExit: (_child, code, signal) => {
        over = true;
        living.delete(kill);
        options.onExit(code, signal === null || signal === undefined ? null : String(signal));
      },
    });
  } catch {
    throw cannotStart(options.command[0] ?? "");
  }
  const kill = killer(child.pid, () => over);
  living.add(kill);
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
    kill,
    close: () => {
      gone = true;
      stream?.end();
    },
  };
}

function spawnWithNode(options: SpawnStreamOptions): StreamChild {
  const { pid, channel, kill } = startChild(options.command, options.env, (code, signal) => {
    living.delete(kill);
    options.onExit(code, signal);
  });
  living.add(kill);
  return { pid, kill, ...nodeStream(channel, options) };
}

function nodeStream(stream: Duplex, options: SpawnStreamOptions): Pick<StreamChild, "write" | "close"> {
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
