/** What the runtime's tests share: a server whose connections record their events, and node:net clients. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { type Socket as ClientSocket, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { currentRuntime } from "../../src/runtime/current.ts";
import type { Listener, ListenOptions, Socket, SocketHandler } from "../../src/runtime/types.ts";

export const runtime = await currentRuntime();

/** Long enough for a loaded machine; nothing waits it out unless it fails. */
const PATIENCE_MS = 20_000;

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`waited in vain for: ${what}`);
    await sleep(2);
  }
}

/** A connection that records what happens to it. `reply` hooks in behaviour. */
export class Recorder implements SocketHandler {
  readonly socket: Socket;
  readonly events: string[] = [];
  readonly chunks: Uint8Array[] = [];
  receivedBytes = 0;
  keepChunks = true;
  unreadBytes: number | undefined;
  closeError: Error | undefined;
  closes = 0;
  ended = false;
  drains = 0;
  react: Partial<SocketHandler> = {};

  constructor(socket: Socket) {
    this.socket = socket;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  onData(chunk: Uint8Array, length: number): void {
    assert.equal(this.closes, 0, "data after close");
    this.receivedBytes += length;
    if (this.keepChunks) this.chunks.push(chunk.slice(0, length));
    this.react.onData?.(chunk, length);
  }

  onDrain(): void {
    assert.equal(this.closes, 0, "drain after close");
    this.drains++;
    this.react.onDrain?.();
  }

  onEnd(): void {
    assert.equal(this.closes, 0, "end after close");
    this.events.push("end");
    this.ended = true;
    this.react.onEnd?.();
  }

  onEndUnread(unreadBytes: number): void {
    assert.equal(this.closes, 0, "endUnread after close");
    this.events.push("endUnread");
    this.unreadBytes = unreadBytes;
  }

  onClose(error: Error | undefined): void {
    this.events.push("close");
    this.closes++;
    this.closeError = error;
    this.react.onClose?.(error);
  }

  /** Writes all of `bytes`, going on at each drain. */
  send(bytes: Uint8Array, done: () => void = () => {}): void {
    let at = 0;
    const go = (): void => {
      if (at === bytes.length) return;
      const taken = this.socket.write(bytes, at, bytes.length);
      if (taken < 0) return;
      at += taken;
      if (at === bytes.length) done();
    };
    this.react.onDrain = go;
    go();
  }
}

export interface TestServer {
  readonly listener: Listener;
  readonly connections: Recorder[];
  readonly errors: unknown[];
  /** Connects a client and waits for both ends. */
  connect(): Promise<{ client: ClientSocket; server: Recorder }>;
  close(): void;
}

export async function startServer(
  options: Partial<ListenOptions> = {},
  shape: (recorder: Recorder) => void = () => {},
): Promise<TestServer> {
  const connections: Recorder[] = [];
  const errors: unknown[] = [];
  const listener = await runtime.listen(
    { port: 0, backlog: 512, onError: (error) => errors.push(error), ...options },
    (socket) => {
      const recorder = new Recorder(socket);
      connections.push(recorder);
      shape(recorder);
      return recorder;
    },
  );
  return {
    listener,
    connections,
    errors,
    connect: async () => {
      const before = connections.length;
      const client = await openClient(listener, options.path);
      await until(() => connections.length > before, "the server's end of the connection");
      return { client, server: connections[before]! };
    },
    close: () => {
      listener.close();
      for (const connection of connections) if (connection.closes === 0) connection.socket.reset();
    },
  };
}

/** A half-open, paused client: nothing is read until a test says so. */
export function openClient(listener: Listener, path?: string): Promise<ClientSocket> {
  return new Promise((resolve, reject) => {
    const to = path === undefined ? { host: listener.address.host, port: listener.address.port } : { path };
    const client = connect({ ...to, allowHalfOpen: true });
    client.once("error", reject);
    client.once("connect", () => {
      client.off("error", reject);
      client.on("error", () => {});
      client.pause();
      resolve(client);
    });
  });
}

/** Everything that a client receives until the server's FIN. */
export function readAll(client: ClientSocket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    client.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    client.once("end", () => resolve(Buffer.concat(chunks)));
    client.once("error", reject);
    client.resume();
  });
}

/** A short-named directory, since Unix socket paths are limited. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "rc-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Bytes whose value follows from their position, so that a shift or a gap shows. */
export function pattern(length: number, from = 0): Uint8Array {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const at = from + i;
    out[i] = (at ^ (at >>> 8) ^ (at >>> 16)) & 0xff;
  }
  return out;
}
