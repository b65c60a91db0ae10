/** The server's runtime on Deno: Deno.listen and what Node's names do not cover. */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Pipe, parentLink } from "./children.ts";
import { type DenoListener, denoNamespace } from "./deno-api.ts";
import { type ConnectionContext, DenoSocket } from "./deno-socket.ts";
import { isolate } from "./isolate.ts";
import { listenError, numericHost } from "./listen-errors.ts";
import { nodeRuntime } from "./node.ts";
import { flushOutput } from "./output.ts";
import { ownWords, sharedOptions } from "./self-command.ts";
import { defer } from "./turn.ts";
import {
  type Listener,
  type ListenOptions,
  PlainError,
  type Runtime,
  type Socket,
  type SocketHandler,
} from "./types.ts";
import { claimUnixPath, type OwnedPath, publishUnixPath } from "./unix-path.ts";

const SOMAXCONN_FILE = "/proc/sys/net/core/somaxconn";
/** What Deno asks of `listen(2)` for a Unix socket. */
const UNIX_BACKLOG = 1024;
/** Pause after an accept that failed: descriptors come back when connections close. */
const ACCEPT_BACKOFF_MS = 100;
/** Shown by `Deno` only under --unstable-net; without it, asking for `reusePort` ends the process. */
const UNSTABLE_NET_MARK = "listenDatagram";

const SHARES_PORTS = "--unstable-net";

/** What `accept`, or the first call on its connection, says of a peer that is gone. */
const GONE_CODES: ReadonlySet<string> = new Set(["ENOTCONN", "ECONNABORTED", "ECONNRESET"]);
const GONE_NAMES: ReadonlySet<string> = new Set(["NotConnected", "ConnectionAborted", "ConnectionReset"]);

const deno = denoNamespace();

function backlogInForce(options: ListenOptions): number | undefined {
  let cap = Number.POSITIVE_INFINITY;
  try {
    cap = Number(readFileSync(SOMAXCONN_FILE, "utf8"));
  } catch {
    // Not Linux: no cap is known.
  }
  const inForce = Math.min(options.path === undefined ? options.backlog : UNIX_BACKLOG, cap);
  return inForce === options.backlog ? undefined : inForce;
}

async function acceptLoop(raw: DenoListener, context: ConnectionContext, isOpen: () => boolean): Promise<void> {
  while (isOpen()) {
    try {
      const connection = await raw.accept();
      connection.setNoDelay?.(true);
      DenoSocket.open(connection, context);
    } catch (error) {
      if (!isOpen()) return;
      // Accepting must not wait for each peer that resets at once: a few of them would lock everybody else out.
      if (isGoneAlready(error)) continue;
      if (!isOutOfDescriptors(error)) context.onError(error);
      await new Promise((resolve) => setTimeout(resolve, ACCEPT_BACKOFF_MS));
    }
  }
}

/** The peer has reset the connection before it could be accepted. */
function isGoneAlready(error: unknown): boolean {
  const { code, name } = (error ?? {}) as { code?: string; name?: string };
  return GONE_CODES.has(code ?? "") || GONE_NAMES.has(name ?? "");
}

/** Tried again in silence: it ends when connections do, and saying so each time would fill the log. */
function isOutOfDescriptors(error: unknown): boolean {
  const code = (error as { code?: string } | null)?.code;
  return code === "EMFILE" || code === "ENFILE";
}

async function bind(options: ListenOptions): Promise<{ raw: DenoListener; owned?: OwnedPath }> {
  if (options.path !== undefined) {
    const unix = { ...options, path: options.path };
    const temporary = await claimUnixPath(unix);
    const raw = attempt(options, () => deno.listen({ transport: "unix", path: temporary }));
    return { raw, owned: publishUnixPath(temporary, unix) };
  }
  if (options.reusePort === true && !(UNSTABLE_NET_MARK in deno)) {
    throw new PlainError("Several processes can share a port on Deno only with --unstable-net; add it to the command.");
  }
  const hostname = await numericHost(options.host);
  const request = { hostname, port: options.port ?? 0, tcpBacklog: options.backlog };
  return {
    raw: attempt(options, () => deno.listen(options.reusePort === true ? { ...request, reusePort: true } : request)),
  };
}

function attempt(options: ListenOptions, action: () => DenoListener): DenoListener {
  try {
    return action();
  } catch (error) {
    throw listenError(error, options);
  }
}

async function listen(options: ListenOptions, accept: (socket: Socket) => SocketHandler): Promise<Listener> {
  const { raw, owned } = await bind(options);
  const context: ConnectionContext = {
    accept,
    onError: options.onError ?? ((error) => nodeRuntime.writeErr(`${error}\n`)),
    path: options.path,
  };
  let open = true;
  acceptLoop(raw, context, () => open);
  const { addr } = raw;
  return {
    address: addr.transport === "tcp" ? { host: addr.hostname, port: addr.port } : { host: options.path!, port: 0 },
    backlogInForce: backlogInForce(options),
    close: () => {
      if (!open) return;
      open = false;
      owned?.remove();
      raw.close();
    },
  };
}

/** The inherited message pipe. */
function openPipe(descriptor: number, onBytes: (bytes: Uint8Array) => void, onEnd: () => void): Pipe {
  const { Socket: NodeSocket } = process.getBuiltinModule("node:net");
  const pipe = new NodeSocket({ fd: descriptor, readable: true, writable: true });
  pipe.unref();
  pipe.on("data", onBytes);
  pipe.once("close", onEnd);
  pipe.on("error", () => {});
  return {
    write: (text) => {
      if (pipe.destroyed || !pipe.writable) return false;
      pipe.write(text);
      return true;
    },
  };
}

/** Up to this length a loop is faster than the call. */
const SHORT_TEXT = 8;
/**
 * Deno's TextDecoder("latin1") is windows-1252, as the web has it, and needs 0.5 µs; this one is ISO 8859-1, for any
 * Uint8Array, and needs 0.1 µs (Deno 2.9).
 */
const latin1Slice = (
  Buffer.prototype as unknown as { latin1Slice(this: Uint8Array, start: number, end: number): string }
).latin1Slice;

function latin1(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > SHORT_TEXT) return latin1Slice.call(bytes, start, end);
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

// Deno ends by an uncaught error without an "exit" event.
globalThis.addEventListener("error", flushOutput);
globalThis.addEventListener("unhandledrejection", flushOutput);

type Collect = (options?: { readonly type: "minor" }) => void;
let collect: Collect | undefined;

/** V8's own collector of young objects; the flag makes it reachable from a new context. */
function collectGarbage(): void {
  if (collect === undefined) {
    const { setFlagsFromString } = process.getBuiltinModule("node:v8");
    const { runInNewContext } = process.getBuiltinModule("node:vm");
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("globalThis.gc") as Collect | undefined;
    collect ??= () => {};
  }
  collect({ type: "minor" });
}

/** As this process was started, and with what sharing a port needs. */
function selfWords(): string[] | undefined {
  const words = ownWords(deno.args);
  if (words === undefined) return undefined;
  const options = words[0] === "run" ? words.slice(1) : words;
  return ["run", SHARES_PORTS, ...sharedOptions(options, [SHARES_PORTS])];
}

export const denoRuntime: Runtime = {
  ...nodeRuntime,
  name: "deno",
  version: deno.version.deno,
  ownsChunks: false,
  canReset: false,
  listen,
  defer,
  collectGarbage,
  isolate,
  latin1,
  selfCommand: () =>
    deno.build.standalone
      ? [deno.execPath()]
      : [deno.execPath(), ...(selfWords() ?? ["run", "-A", SHARES_PORTS, fileURLToPath(deno.mainModule)])],
  // Deno resolves bare names by its configuration alone: an import map, or the packages of a package.json.
  provideModule: () => false,
  arguments: () => [...deno.args],
  stderrIsTerminal: deno.stderr.isTerminal(),
  stdoutIsTerminal: deno.stdout.isTerminal(),
  parentLink: () => parentLink(openPipe),
};
