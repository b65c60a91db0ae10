/**
 * The whole way of a request in one process, without a socket: parser, scope, application, encoder. What remains of a
 * real server's cost per request is the runtime's and the kernel's.
 */
import { currentRuntime } from "../../src/runtime/current.ts";
import type { ArrayOwner, ListenOptions, Runtime, Socket, SocketHandler } from "../../src/runtime/types.ts";
import { DEFAULT_OPTIONS } from "../../src/server/options.ts";
import { type ServerHandle, startServer } from "../../src/server/server.ts";
import { app as hello } from "../apps/hello.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";

/** A socket that takes everything at once. */
class NullSocket implements Socket {
  readonly remote = { host: "127.0.0.1", port: 1 };
  readonly local = { host: "127.0.0.1", port: 2 };
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
  readonly server: ServerHandle;
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
  const server = await startServer(
    hello,
    { ...DEFAULT_OPTIONS, accessLog: false, lifespan: "off" },
    { runtime, logger: silent },
  );
  const socket = new NullSocket();
  return { runtime, server, handler: accept!(socket), socket };
}

/** Nanoseconds per request when `depth` of them arrive in each read. */
async function measure(depth: number, rounds: number): Promise<number> {
  const { runtime, server, handler, socket } = await open();
  const chunk = new TextEncoder().encode(REQUEST.repeat(depth));
  const expected = await answeredBytes(handler, socket, chunk, depth);
  socket.written = 0;
  const begin = runtime.now();
  for (let i = 0; i < rounds; i++) {
    handler.onData(chunk, chunk.length);
    for (let spins = 0; socket.written < expected * (i + 1); spins++) {
      if (spins < SPINS) await undefined;
      else await new Promise<void>((resolve) => runtime.defer(resolve));
    }
  }
  const elapsedMs = runtime.now() - begin;
  server.abort();
  return (elapsedMs * 1e6) / (rounds * depth);
}

async function answeredBytes(
  handler: SocketHandler,
  socket: NullSocket,
  chunk: Uint8Array,
  depth: number,
): Promise<number> {
  handler.onData(chunk, chunk.length);
  await new Promise((resolve) => setTimeout(resolve, 20));
  if (socket.written === 0 || socket.written % depth !== 0) throw new Error("not every request was answered");
  return socket.written;
}

/** Microtasks before the event loop gets a turn. */
const SPINS = 400;
const REQUESTS = 200_000;
const ROUNDS = 9;
for (const depth of [1, 16]) {
  const results: number[] = [];
  for (let round = 0; round < ROUNDS; round++) results.push(await measure(depth, REQUESTS / depth));
  results.sort((a, b) => a - b);
  console.log(`depth ${depth}: ${Math.round(results[ROUNDS >> 1])} ns a request (best ${Math.round(results[0])})`);
}
