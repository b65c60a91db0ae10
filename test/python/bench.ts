/** A pool whose workers, clients and clock the test plays. */
import { type PoolOptions, WorkerPool } from "../../src/python/pool.ts";
import * as wire from "../../src/python/wire.ts";
import { FakeClient, type FakeWorker, fakeSpawn, turn } from "./fake.ts";

/** A clock that a test can put forward, and a /proc of the test's making. */
let ahead = 0;

export function putForward(ms: number): void {
  ahead += ms;
}

/** What `/proc/<pid>/status` and the like hold. */
export const files = new Map<string, string>();

export const runtime = {
  defer: (task: () => void) => void setImmediate(task),
  now: () => performance.now() + ahead,
  readTextFile: (path: string): string => {
    const text = files.get(path);
    if (text === undefined) throw new Error(path);
    return text;
  },
};

export function optionsOf(spawn: PoolOptions["spawn"], options: Partial<PoolOptions> = {}): PoolOptions {
  return {
    command: ["python3", "worker.py"],
    env: () => ({}),
    settings: { target: "main:app" },
    workers: 1,
    concurrency: 0,
    queueLength: 10,
    gracefulTimeoutMs: 1000,
    workerTimeoutMs: 60_000,
    maxRequests: 0,
    maxRequestsJitter: 0,
    maxRssBytes: 0,
    lifetimeMs: 0,
    reload: false,
    spawn,
    ...options,
  };
}

export interface Bench {
  readonly pool: WorkerPool;
  readonly workers: FakeWorker[];
  readonly log: string[];
}

export async function start(
  options: Partial<PoolOptions> = {},
  begin: (worker: FakeWorker) => void = (worker) => worker.ready(),
): Promise<Bench> {
  const log: string[] = [];
  const say = (text: string) => void log.push(text);
  const logger = { trace: say, debug: say, info: say, warning: say, error: say, critical: say };
  const { workers, spawn } = fakeSpawn();
  const pool = new WorkerPool(runtime, logger as never, optionsOf(spawn, options));
  const started = pool.start();
  await turn();
  for (const worker of [...workers]) begin(worker);
  await started;
  return { pool, workers, log };
}

/** Ends the pool so that no timer is left. */
export async function end({ pool, workers }: Bench): Promise<void> {
  const stopped = pool.stop();
  await turn();
  for (const worker of workers) worker.exit(0);
  await stopped;
}

export function send(
  pool: WorkerPool,
  method = "GET",
  fields: readonly (readonly [string, string])[] = [],
): FakeClient {
  const client = new FakeClient(method, fields);
  pool.dispatch(client.exchange);
  return client;
}

const FAILURE = '{"message":"It failed to import.","traceback":"Traceback: <b> & line 1"}';

/** A worker that can't start the application. */
export function fail(worker: FakeWorker): void {
  worker.say(wire.FAILED, 0, 0, FAILURE);
  worker.exit(1);
}

/** Which workers were told to leave. */
export const drained = ({ workers }: Bench): number[] =>
  workers.flatMap((worker, i) => (worker.of(wire.DRAIN).length > 0 ? [i] : []));
