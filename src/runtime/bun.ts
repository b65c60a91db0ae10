/** The server's runtime on Bun: Bun.listen and what Node's names do not cover. */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import { isatty } from "node:tty";
import {
  type BunListener,
  type BunSocket,
  type BunSocketEvents,
  bunNamespace,
  type WithDescriptor,
} from "./bun-api.ts";
import { type Libc, libc } from "./bun-libc.ts";
import { BunConnection, type ConnectionContext, END_PROBE } from "./bun-socket.ts";
import { type Pipe, parentLink } from "./children.ts";
import { isolate } from "./isolate.ts";
import { listenError, numericHost } from "./listen-errors.ts";
import { nodeRuntime } from "./node.ts";
import { sharedOptions } from "./self-command.ts";
import { defer } from "./turn.ts";
import type { Listener, ListenOptions, Runtime, Socket, SocketHandler } from "./types.ts";
import { claimUnixPath, type OwnedPath, publishUnixPath } from "./unix-path.ts";

/** What Bun asks of `listen(2)`, whatever it is told. */
const BUN_BACKLOG = 512;
const SOMAXCONN_FILE = "/proc/sys/net/core/somaxconn";
/** Where the files of a compiled executable seem to be. */
const COMPILED_ROOT = "/$bunfs/";

/** Only what the server's own options name is read or fetched. */
const OWN_OPTIONS = ["--no-env-file", "--no-install"];

type Data = BunConnection | undefined;

const bun = bunNamespace();

function queueCap(): number {
  try {
    return Number(readFileSync(SOMAXCONN_FILE, "utf8"));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Sets the accept queue's length; returns the one in force when it is another. */
function applyBacklog(
  listener: BunListener & WithDescriptor,
  backlog: number,
  system: Libc | undefined,
): number | undefined {
  const done = system !== undefined && listener.fd !== undefined && system.listen(listener.fd, backlog);
  const inForce = Math.min(done ? backlog : BUN_BACKLOG, queueCap());
  return inForce === backlog ? undefined : inForce;
}

/** One handler object for all connections of a listener; each finds its own wrapper in `socket.data`. */
function socketEvents(context: ConnectionContext): BunSocketEvents<Data> {
  return {
    // An application gets these bytes, and a Buffer would behave otherwise: its `slice` is a view, its text its content.
    binaryType: "uint8array",
    open(raw) {
      BunConnection.open(raw, context);
    },
    data(raw, chunk) {
      raw.data?.arrived(chunk);
    },
    drain(raw) {
      raw.data?.drained();
    },
    end(raw) {
      raw.data?.ended();
    },
    close(raw, error) {
      raw.data?.gone(error);
    },
    error(_raw, error) {
      context.onError(error);
    },
  };
}

/** Connections to a listener on one address come to that one; any other notation is the kernel's to say. */
const ONE_ADDRESS = /^(?!0\.)\d+\.\d+\.\d+\.\d+$/;

async function listen(options: ListenOptions, accept: (socket: Socket) => SocketHandler): Promise<Listener> {
  const system = await libc();
  END_PROBE.system = system;
  const context: ConnectionContext = {
    accept,
    onError: options.onError ?? ((error) => nodeRuntime.writeErr(`${error}\n`)),
    path: options.path,
    local: options.path === undefined ? undefined : { host: options.path, port: 0 },
  };
  const socket = socketEvents(context);
  let raw: BunListener;
  let owned: OwnedPath | undefined;
  let host = options.path ?? "";
  if (options.path !== undefined) {
    const unix = { ...options, path: options.path };
    const temporary = await claimUnixPath(unix);
    raw = attempt(options, () => bun.listen({ unix: temporary, socket, allowHalfOpen: true }));
    owned = publishUnixPath(temporary, unix);
  } else {
    host = await numericHost(options.host);
    const tcp = { hostname: host, port: options.port ?? 0, reusePort: options.reusePort === true };
    raw = attempt(options, () => bun.listen({ ...tcp, socket, allowHalfOpen: true }));
    if (ONE_ADDRESS.test(host)) context.local = { host, port: raw.port };
  }
  let open = true;
  return {
    address: { host, port: options.path === undefined ? raw.port : 0 },
    backlogInForce: applyBacklog(raw, options.backlog, system),
    close: () => {
      if (!open) return;
      open = false;
      owned?.remove();
      raw.stop();
    },
  };
}

function attempt(options: ListenOptions, action: () => BunListener): BunListener {
  try {
    return action();
  } catch (error) {
    throw listenError(error, options);
  }
}

/** The inherited message pipe. Text from before it is open, or that it does not take at once, waits. */
function openPipe(descriptor: number, onBytes: (bytes: Uint8Array) => void, onEnd: () => void): Pipe {
  let raw: BunSocket<undefined> | undefined;
  let over = false;
  let waiting: Buffer = Buffer.alloc(0);
  const flush = (): void => {
    if (raw === undefined || waiting.length === 0) return;
    const taken = raw.write(waiting);
    if (taken > 0) waiting = waiting.subarray(taken);
  };
  const finish = (): void => {
    if (over) return;
    over = true;
    onEnd();
  };
  const socket: BunSocketEvents<undefined> = {
    open(opened) {
      raw = opened;
      opened.unref();
      flush();
    },
    data: (_opened, bytes) => onBytes(bytes),
    drain: flush,
    end: finish,
    close: finish,
    error: finish,
  };
  bun.connect({ fd: descriptor, socket }).catch(finish);
  return {
    write: (text) => {
      if (over) return false;
      waiting = Buffer.concat([waiting, Buffer.from(text)]);
      flush();
      return true;
    },
  };
}

/** Works on any Uint8Array; fast on Bun. */
const latin1Slice = (
  Buffer.prototype as unknown as { latin1Slice(this: Uint8Array, start: number, end: number): string }
).latin1Slice;

export const bunRuntime: Runtime = {
  ...nodeRuntime,
  name: "bun",
  version: bun.version,
  ownsChunks: true,
  canReset: true,
  listen,
  // setImmediate runs after the data callbacks of all sockets of a poll, with their microtasks.
  defer,
  collectGarbage: () => bun.gc(true),
  isolate,
  latin1: (bytes, start, end) => latin1Slice.call(bytes, start, end),
  selfCommand: () =>
    bun.main.startsWith(COMPILED_ROOT)
      ? [process.execPath]
      : [process.execPath, ...OWN_OPTIONS, ...sharedOptions(process.execArgv, OWN_OPTIONS), bun.main],
  provideModule: (name, exports) => {
    const load = () => ({ exports: { ...exports }, loader: "object" as const });
    bun.plugin({ name, setup: (builder) => builder.module(name, load) });
    return true;
  },
  arguments: () => process.argv.slice(2),
  stderrIsTerminal: isatty(2),
  stdoutIsTerminal: isatty(1),
  parentLink: () => parentLink(openPipe),
};
