/**
 * Samples the allocations of a process of V8 (Deno, Node) through its inspector (Chrome DevTools protocol, "HeapProfiler").
 */
import { setTimeout as sleep } from "node:timers/promises";
import { PlainError } from "../src/runtime/types.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const POLL_MS = 50;
/** Bytes between samples on average: finer than V8's 32 KB, since a request allocates a few KB. */
const SAMPLING_INTERVAL_BYTES = 4_096;

interface Target {
  readonly webSocketDebuggerUrl?: string;
}

async function debuggerUrl(port: number): Promise<string> {
  const deadline = performance.now() + CONNECT_TIMEOUT_MS;
  while (performance.now() < deadline) {
    try {
      const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as Target[];
      const url = targets.find((target) => target.webSocketDebuggerUrl !== undefined)?.webSocketDebuggerUrl;
      if (url !== undefined) return url;
    } catch {
      // It is still starting.
    }
    await sleep(POLL_MS);
  }
  throw new PlainError(`Nothing can be inspected on port ${port}.`);
}

export interface AllocationSampling {
  /** Ends it. @returns the profile, in the format of a .heapprofile file */
  stop(): Promise<unknown>;
}

/** @throws PlainError when the process lets nobody inspect it */
export async function sampleAllocations(port: number): Promise<AllocationSampling> {
  const socket = new WebSocket(await debuggerUrl(port));
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new PlainError("The inspector refused the connection."));
  });
  socket.onmessage = ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number;
      result?: unknown;
      error?: { message: string };
    };
    const waiter = id === undefined ? undefined : waiting.get(id);
    if (error === undefined) waiter?.resolve(result);
    else waiter?.reject(new PlainError(`The inspector said: ${error.message}`));
  };
  socket.onclose = () => {
    for (const { reject } of waiting.values()) reject(new PlainError("The inspector ended the connection."));
  };
  let calls = 0;
  const call = (method: string, params: Record<string, unknown> = {}) =>
    new Promise<unknown>((resolve, reject) => {
      const id = ++calls;
      waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ id, method, params }));
    });
  await call("HeapProfiler.enable");
  await call("HeapProfiler.startSampling", {
    samplingInterval: SAMPLING_INTERVAL_BYTES,
    // Without these only what is still alive at the end would be seen: a request leaves nothing alive.
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  return {
    async stop() {
      const { profile } = (await call("HeapProfiler.stopSampling")) as { profile: unknown };
      socket.close();
      return profile;
    },
  };
}
