/**
 * What the supervisor decides, without processes, timers or signals of its own: those are handed in (`FleetEffects`),
 * and what happens is told by calls (`ready`, `exited`, ...). A slot is the place of one worker; while a worker is being
 * replaced the slot has two.
 */
import { CrashReport } from "../observe/crashes.ts";
import type { Logger } from "../observe/log.ts";
import type { SocketAddress } from "../runtime/types.ts";
import type { Handover } from "./messages.ts";
import { FLEET_TRANSITIONS, type FleetEvent, type FleetPhase, nextState, type WorkerState } from "./states.ts";

/** The first restart of a crashed worker is soon: most crashes are single. */
export const FIRST_BACKOFF_MS = 100;
/** Slow enough that a crash loop costs nothing, fast enough that a repaired database is noticed. */
export const LONGEST_BACKOFF_MS = 10_000;
/** A worker that has served for this long has started well: its next crash is a new story. */
export const SERVED_WELL_MS = 10_000;
/** A stopping worker's own deadlines come first, that of its requests and that of its shutdown; so long after it is killed. */
export const KILL_MARGIN_MS = 5_000;
/** Each of the two may take the graceful timeout. */
export const STOP_STEPS = 2;

export interface SpawnManner {
  readonly replaceLive: boolean;
  readonly port: number | undefined;
  /** Which of the places, from 0. */
  readonly slot: number;
}

export interface FleetEffects {
  /** Starts a process for worker `id`; returns its process id. Its end is told by `exited`, never from within. */
  spawn(id: number, how: SpawnManner): number;
  /** Asks it to stop gracefully; with `handover` others go on serving at its address. */
  stop(id: number, handover: Handover | undefined): void;
  kill(id: number): void;
  /** Runs `task` after a time; returns the function that calls it off. */
  after(ms: number, task: () => void): () => void;
  /** The first worker serves. Called once. */
  serving(address: SocketAddress): void;
  /** Every worker has ended. Called once. */
  finished(exitCode: number): void;
}

export interface FleetOptions {
  readonly workers: number;
  /** With --reload a failed start waits for the next change. */
  readonly waitsForChange: boolean;
  /** Only one worker at a time can serve (a Unix socket). */
  readonly single: boolean;
  readonly gracefulTimeoutMs: number;
}

interface Worker {
  readonly id: number;
  pid: number;
  readonly slot: Slot;
  state: WorkerState;
  /** It has bound the address, and not ended yet. */
  listens: boolean;
  failure: { readonly message: string; readonly exitCode: number } | undefined;
  cancelTimer: () => void;
}

type Reason = "roll" | "retire";

interface Slot {
  current: Worker | undefined;
  replacement: Worker | undefined;
  reason: Reason | undefined;
  backoffMs: number;
  quickDeaths: number;
  cancelRetry: () => void;
}

const NOTHING = (): void => {};

export class Fleet {
  private readonly options: FleetOptions;
  private readonly effects: FleetEffects;
  private readonly logger: Logger;
  private readonly crashes: CrashReport;
  private readonly workers = new Map<number, Worker>();
  private readonly slots: Slot[] = [];
  private phase: FleetPhase = "starting";
  private address: SocketAddress | undefined;
  /** Slots that the rolling replacement has still to reach. */
  private rolling: Slot[] | undefined;
  /** The worker whose listener is to be closed before the roll goes on. */
  private rollAfter: number | undefined;
  private lastId = 0;
  private exitCode = 0;

  constructor(options: FleetOptions, effects: FleetEffects, logger: Logger) {
    this.options = options;
    this.effects = effects;
    this.logger = logger;
    this.crashes = new CrashReport(logger);
  }

  get size(): number {
    return this.slots.length;
  }

  /** Starts the first worker; the others follow when it serves. */
  start(): void {
    // A signal may have come before.
    if (this.phase !== "starting") return;
    if (this.slots.length === 0) this.addSlot();
    this.spawnCurrent(this.slots[0]);
  }

  ready(id: number, address: SocketAddress): void {
    const worker = this.advance(id, "ready");
    if (worker === undefined) return;
    const { slot } = worker;
    worker.listens = true;
    this.logger.debug(`Worker ${worker.pid} serves.`);
    worker.cancelTimer = this.effects.after(SERVED_WELL_MS, () => this.settled(slot));
    if (this.phase === "starting") this.firstReady(address);
    if (slot.replacement === worker) this.promote(slot, worker);
  }

  failed(id: number, message: string, exitCode: number): void {
    const worker = this.advance(id, "failed");
    if (worker !== undefined) worker.failure = { message, exitCode };
  }

  /** The worker has started as many requests as it may. */
  retiring(id: number): void {
    const worker = this.advance(id, "retiring");
    if (worker === undefined || this.phase !== "running") return;
    // A roll is replacing it already.
    if (worker.slot.replacement !== undefined) return;
    this.logger.debug(`Worker ${worker.pid} has served its requests; starting its replacement.`);
    this.beginReplacement(worker.slot, "retire");
  }

  /** A stopping worker has left the address. */
  closed(id: number): void {
    const worker = this.workers.get(id);
    if (worker?.state !== "stopping") return;
    worker.listens = false;
    this.rollOn(id);
  }

  /** The process has ended; `code` is null when `signal` ended it. */
  exited(id: number, code: number | null, signal: string | null): void {
    const worker = this.workers.get(id);
    if (worker === undefined) return;
    const wasStopping = worker.state === "stopping";
    this.advance(id, "exit");
    worker.cancelTimer();
    this.workers.delete(id);
    if (this.phase === "stopping") this.endWhenEmpty();
    else {
      if (!wasStopping) this.lost(worker, describeEnd(worker, code, signal));
      this.rollOn(id);
    }
  }

  /**
   * Replaces every worker, one by one; with --reload after a change. Who is still starting is replaced at once: the code
   * is outdated, and may be why the start does not end.
   */
  replaceAll(): void {
    if (this.phase === "waiting") {
      this.transition("change");
      this.start();
    } else if (this.phase === "starting") {
      for (const slot of this.slots) this.renew(slot);
    } else if (this.phase === "running") {
      const next = [...this.slots.filter(({ reason }) => reason === "roll"), ...(this.rolling ?? [])];
      this.rolling = [...next, ...this.slots.filter((slot) => !next.includes(slot))];
      if (this.rollAfter === undefined) this.rollNext();
    }
  }

  /** One worker more. */
  grow(): void {
    if (this.phase !== "running") return;
    if (this.options.single) {
      this.logger.warning("A Unix socket can't be shared: no worker was added.");
      return;
    }
    this.spawnCurrent(this.addSlot());
    this.logger.info(`Workers: ${this.slots.length}.`);
  }

  /** One worker less; the last one stays. */
  shrink(): void {
    if (this.phase !== "running") return;
    if (this.slots.length === 1) {
      this.logger.warning("The last worker stays; SIGTERM stops the server.");
      return;
    }
    const slot = this.slots.pop()!;
    slot.cancelRetry();
    for (const worker of [slot.current, slot.replacement])
      if (worker !== undefined) this.stopWorker(worker, { successor: undefined });
    slot.current = undefined;
    slot.replacement = undefined;
    this.logger.info(`Workers: ${this.slots.length}.`);
    // The roll waited for this slot.
    if (this.rolling !== undefined && slot.reason === "roll") this.rollNext();
  }

  /** Ends every worker at once. */
  stopNow(): void {
    this.stop();
    if (this.phase !== "stopping") return;
    this.exitCode = 1;
    for (const { id } of this.workers.values()) this.effects.kill(id);
  }

  /** Stops every worker gracefully. */
  stop(): void {
    if (!this.transition("stop")) return;
    for (const slot of this.slots) slot.cancelRetry();
    for (const worker of this.workers.values()) {
      // One that makes room for a successor may be waiting for its WebSockets.
      if (worker.state === "stopping") this.effects.stop(worker.id, undefined);
      else this.stopWorker(worker, undefined);
    }
    this.endWhenEmpty();
  }

  private transition(event: FleetEvent): boolean {
    const next = FLEET_TRANSITIONS[this.phase][event];
    if (next === undefined) return false;
    this.phase = next;
    return true;
  }

  /** The worker after its event; undefined when the event has no meaning for it. */
  private advance(id: number, event: "ready" | "failed" | "retiring" | "exit"): Worker | undefined {
    const worker = this.workers.get(id);
    const state = worker && nextState(worker.state, event);
    if (worker === undefined || state === undefined) return undefined;
    worker.state = state;
    return worker;
  }

  private addSlot(): Slot {
    const slot: Slot = {
      current: undefined,
      replacement: undefined,
      reason: undefined,
      backoffMs: FIRST_BACKOFF_MS,
      quickDeaths: 0,
      cancelRetry: NOTHING,
    };
    this.slots.push(slot);
    return slot;
  }

  private spawn(slot: Slot, replaceLive: boolean): Worker {
    this.lastId += 1;
    const id = this.lastId;
    const worker: Worker = {
      id,
      pid: 0,
      slot,
      state: "starting",
      listens: false,
      failure: undefined,
      cancelTimer: NOTHING,
    };
    this.workers.set(id, worker);
    worker.pid = this.effects.spawn(id, {
      replaceLive,
      port: this.address?.port,
      slot: this.slots.indexOf(slot),
    });
    return worker;
  }

  private spawnCurrent(slot: Slot): void {
    slot.cancelRetry();
    slot.current = this.spawn(slot, false);
  }

  private stopWorker(worker: Worker, handover: Handover | undefined): void {
    const state = nextState(worker.state, "stop");
    if (state === undefined) return;
    worker.state = state;
    worker.cancelTimer();
    this.effects.stop(worker.id, handover);
    worker.cancelTimer = this.effects.after(STOP_STEPS * this.options.gracefulTimeoutMs + KILL_MARGIN_MS, () => {
      this.logger.warning(`Worker ${worker.pid} did not stop in time and is killed.`);
      this.effects.kill(worker.id);
    });
  }

  private firstReady(address: SocketAddress): void {
    this.transition("firstReady");
    this.address = address;
    while (this.slots.length < this.options.workers) this.spawnCurrent(this.addSlot());
    this.effects.serving(address);
  }

  private firstFailed(worker: Worker, end: string): void {
    worker.slot.current = undefined;
    this.logger.critical(worker.failure?.message ?? `The server could not start: its process ${end}.`);
    if (!this.options.waitsForChange) {
      this.exitCode = worker.failure?.exitCode ?? 1;
      this.endWhenEmpty();
      return;
    }
    this.transition("firstFailed");
    this.logger.info("Waiting for a file to change.");
  }

  private endWhenEmpty(): void {
    if (this.workers.size === 0 && this.transition("lastGone")) this.effects.finished(this.exitCode);
  }

  /** A worker ended that was not told to. */
  private lost(worker: Worker, end: string): void {
    const { slot } = worker;
    if (slot.replacement === worker) this.replacementFailed(worker, end);
    // It had failed when another one took its place.
    else if (slot.current !== worker) return;
    else if (this.phase === "starting") this.firstFailed(worker, end);
    else {
      slot.current = undefined;
      this.died(worker, end);
    }
  }

  private died(worker: Worker, end: string): void {
    const { slot } = worker;
    slot.quickDeaths += 1;
    const wait = this.nextBackoff(slot);
    const deaths = this.slots.reduce((sum, { quickDeaths }) => sum + quickDeaths, 0);
    this.crashes.died(worker.pid, worker.failure?.message, end, wait, deaths);
    slot.cancelRetry();
    // A replacement that is starting takes the place.
    if (slot.replacement === undefined) slot.cancelRetry = this.effects.after(wait, () => this.spawnCurrent(slot));
  }

  private nextBackoff(slot: Slot): number {
    const wait = slot.backoffMs;
    slot.backoffMs = Math.min(wait * 2, LONGEST_BACKOFF_MS);
    return wait;
  }

  private settled(slot: Slot): void {
    slot.backoffMs = FIRST_BACKOFF_MS;
    slot.quickDeaths = 0;
    if (this.slots.every(({ quickDeaths }) => quickDeaths === 0)) this.crashes.calm();
  }

  private beginReplacement(slot: Slot, reason: Reason): void {
    slot.cancelRetry();
    if (slot.replacement !== undefined) this.discard(slot.replacement);
    slot.reason = reason;
    slot.replacement = this.spawn(slot, slot.current !== undefined);
  }

  /** Ends a worker that has not served. */
  private discard(worker: Worker): void {
    this.stopWorker(worker, { successor: undefined });
    // Before it hears of its end it could take the path from its successor.
    if (this.options.single) this.effects.kill(worker.id);
  }

  /** How many listeners share the port at most; those that are stopping may have closed theirs. */
  private listeners(): number {
    return [...this.workers.values()].filter(({ listens }) => listens).length;
  }

  /** The new worker of a slot serves: the old one may go. */
  private promote(slot: Slot, worker: Worker): void {
    const old = slot.current;
    const wasRoll = slot.reason === "roll";
    slot.current = worker;
    slot.replacement = undefined;
    slot.reason = undefined;
    if (old !== undefined) this.stopWorker(old, { successor: this.listeners() - 1 });
    if (!wasRoll) return;
    if (old === undefined) this.rollNext();
    else this.rollAfter = old.id;
  }

  /** The roll goes on when the replaced worker has left the address, so that the place of its successor is known. */
  private rollOn(closed: number): void {
    if (this.rollAfter !== closed || this.phase === "stopping") return;
    this.rollAfter = undefined;
    this.rollNext();
  }

  private replacementFailed(worker: Worker, end: string): void {
    const { slot } = worker;
    const wasRoll = slot.reason === "roll";
    slot.replacement = undefined;
    slot.reason = undefined;
    const serving = slot.current !== undefined;
    const what = worker.failure?.message ?? `The new process ${end} before it served.`;
    if (serving) this.logger.error(`${what}\nThe old process goes on serving.`);
    else this.died(worker, end);
    // The other workers keep the old code.
    if (wasRoll) this.rolling = undefined;
    // It has reached its limit, and a roll that fails doesn't change that.
    if (slot.current?.state === "retiring") {
      slot.cancelRetry = this.effects.after(this.nextBackoff(slot), () => this.beginReplacement(slot, "retire"));
    }
  }

  private rollNext(): void {
    const slot = this.rolling?.shift();
    // The roll is through.
    if (slot === undefined) this.rolling = undefined;
    else if (!this.slots.includes(slot)) this.rollNext();
    else if (slot.replacement !== undefined) this.beginReplacement(slot, "roll");
    else if (slot.current === undefined || slot.current.state === "starting") {
      this.renew(slot);
      this.rollNext();
    } else this.beginReplacement(slot, "roll");
  }

  /** A slot whose worker does not serve yet, or has died: nothing is lost when the new one starts in its place. */
  private renew(slot: Slot): void {
    if (slot.current !== undefined) this.discard(slot.current);
    slot.backoffMs = FIRST_BACKOFF_MS;
    this.spawnCurrent(slot);
  }
}

function describeEnd(worker: Worker, code: number | null, signal: string | null): string {
  if (worker.failure !== undefined) return "failed to start";
  return signal === null ? `ended with exit code ${code ?? 0}` : `was ended by ${signal}`;
}
