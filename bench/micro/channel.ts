/**
 * Micro benchmark: the ring between connection and application against a promise queue and an async generator.
 *
 * "there" hands over sixteen records that wait already; "parked" hands over one at a time to a consumer that waits.
 */
import { SLOT_NONE } from "../../src/channel/layout.ts";
import { ByteRing } from "../../src/channel/ring.ts";
import { Waiters } from "../../src/channel/waiters.ts";
import { type MicroCase, runMicro } from "./harness.ts";
import { PromiseQueue, pieces } from "./queues.ts";

const BATCH = 16;
const BYTES = new Uint8Array(4096);

const ring = new ByteRing();
const waiters = new Waiters<number>();
const queue = new PromiseQueue();
const iterated = new PromiseQueue();
const iterator = pieces(iterated);

/** The ring as an application meets it: a promise a record, but already resolved when the record is there. */
function receive(): Promise<number> {
  const kind = ring.take();
  if (kind !== SLOT_NONE) return Promise.resolve(ring.end);
  return waiters.park();
}

function publish(end: number): void {
  ring.push(BYTES, 0, end);
  if (!waiters.any) return;
  ring.take();
  waiters.wake(ring.end);
}

function ringDirect(): number {
  let sum = 0;
  for (let i = 1; i <= BATCH; i++) ring.push(BYTES, 0, i);
  while (ring.take() !== SLOT_NONE) sum += ring.end;
  return sum;
}

async function ringThere(): Promise<number> {
  let sum = 0;
  for (let i = 1; i <= BATCH; i++) publish(i);
  for (let i = 1; i <= BATCH; i++) sum += await receive();
  return sum;
}

async function queueThere(): Promise<number> {
  let sum = 0;
  for (let i = 1; i <= BATCH; i++) queue.push(BYTES, 0, i);
  for (let i = 1; i <= BATCH; i++) sum += (await queue.take()).end;
  return sum;
}

async function generatorThere(): Promise<number> {
  let sum = 0;
  for (let i = 1; i <= BATCH; i++) iterated.push(BYTES, 0, i);
  for (let i = 1; i <= BATCH; i++) {
    const next = await iterator.next();
    if (!next.done) sum += next.value.end;
  }
  return sum;
}

async function ringParked(): Promise<number> {
  let sum = 0;
  for (let i = 1; i <= BATCH; i++) {
    const waiting = receive();
    publish(i);
    sum += await waiting;
  }
  return sum;
}

async function queueParked(): Promise<number> {
  let sum = 0;
  for (let i = 1; i <= BATCH; i++) {
    const waiting = queue.take();
    queue.push(BYTES, 0, i);
    sum += (await waiting).end;
  }
  return sum;
}

async function generatorParked(): Promise<number> {
  let sum = 0;
  for (let i = 1; i <= BATCH; i++) {
    const waiting = iterator.next();
    iterated.push(BYTES, 0, i);
    const next = await waiting;
    if (!next.done) sum += next.value.end;
  }
  return sum;
}

const CASES: MicroCase[] = [
  { name: "ring, taken without a promise", run: ringDirect },
  { name: "there: ring", run: ringThere },
  { name: "there: promise queue", run: queueThere },
  { name: "there: async generator", run: generatorThere },
  { name: "parked: ring", run: ringParked },
  { name: "parked: promise queue", run: queueParked },
  { name: "parked: async generator", run: generatorParked },
].map((unit) => ({ ...unit, operations: BATCH }));

await runMicro("channel, per record", CASES);
