/**
 * Micro benchmark: the whole way of a request in one process, without a socket: parser, scope, application, encoder. What remains of a
 * real server's cost per request is the runtime's and the kernel's.
 */
import { exit } from "node:process";
import { currentRuntime } from "../../src/runtime/current.ts";
import type { ArrayOwner, ListenOptions, Runtime, Socket, SocketHandler } from "../../src/runtime/types.ts";
import { DEFAULT_OPTIONS } from "../../src/server/options.ts";
import { startServer } from "../../src/server/server.ts";
import { app as hello } from "../apps/hello.ts";
import { type MicroCase, runMicro } from "./harness.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";

/** A socket that takes everything at once. */
class NullSocket implements Socket {
  readonly remote = { host: "127.0.0.1", port: 1 };
  readonly local = { host: "127.0.0.1", port: 2 };
  readonly unsent = false;
  written = 0;
  writeOwned(_owner: ArrayOwner, start: number, end: number): number {
    this.written += end - start;
    return end - start;
  }
  write(_bytes: Uint8Array, start: number, end: number): number {
    this.written += end - start;
    return end - start;
  }
  borrow(): number {
    return 0;
  }
  expect(): void {}
  awaitLittle(): void {}
  handOver(): void {}
  pause(): void {}
  resume(): void {}
  shutdown(): void {}
  close(): void {}
  reset(): void {}
}

const silent = {
  critical: console.error,
  error: console.error,
  warning() {},
  info() {},
  debug() {},
  trace() {},
  enabled: () => false,
};

interface Opened {
  readonly runtime: Runtime;
  readonly handler: SocketHandler;
  readonly socket: NullSocket;
}

async function open(): Promise<Opened> {
  const real = await currentRuntime();
  let accept: ((socket: Socket) => SocketHandler) | undefined;
  const runtime: Runtime = Object.create(real, {
    listen: {
      value: (_options: ListenOptions, onAccept: (socket: Socket) => SocketHandler) => {
        accept = onAccept;
        return Promise.resolve({ address: { host: "127.0.0.1", port: 2 }, backlogInForce: undefined, close() {} });
      },
    },
  });
  await startServer(hello, { ...DEFAULT_OPTIONS, accessLog: false, lifespan: "off" }, { runtime, logger: silent });
  const socket = new NullSocket();
  return { runtime, handler: accept!(socket), socket };
}

/** Microtasks before the event loop gets a turn. */
const SPINS = 400;
const SETTLE_MS = 20;

/** One read with `depth` requests, until all are answered. */
async function caseOf(name: string, depth: number): Promise<MicroCase> {
  const { runtime, handler, socket } = await open();
  const chunk = new TextEncoder().encode(REQUEST.repeat(depth));
  handler.onData(chunk, chunk.length);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const expected = socket.written;
  if (expected === 0 || expected % depth !== 0) throw new Error("not every request was answered");
  return {
    name,
    operations: depth,
    async run() {
      const enough = socket.written + expected;
      handler.onData(chunk, chunk.length);
      for (let spins = 0; socket.written < enough; spins++) {
        if (spins < SPINS) await undefined;
        else await new Promise<void>((resolve) => runtime.defer(resolve));
      }
    },
  };
}

const DEPTHS = [
  ["one request in a read", 1],
  ["16 requests in a read", 16],
] as const;
const cases: MicroCase[] = [];
for (const [name, depth] of DEPTHS) cases.push(await caseOf(name, depth));
await runMicro("cycle, per request", cases);
// The servers' timers would keep the process.
exit(0);
