/**
 * The connections of a server and its coarse clock. One timer looks at all of them: a connection stores its
 * deadline as a number, so a request costs no timer.
 */
/** A connection, as the server looks at it. */
export interface Swept {
  /** Position in the server's list of connections. */
  slot: number;
  /** Acts on deadlines that have passed. */
  sweep(now: number): void;
  /** Ends now if idle, else with what it is about. */
  stop(): void;
  /** Tells a running application that its time is up. */
  notifyStop(): void;
  /** Ends at once. */
  abort(): void;
}

/** How often deadlines are looked at when none is shorter. */
export const SWEEP_MS = 500;
/** A deadline is met within this share of itself. */
const SWEEPS_PER_DEADLINE = 5;
const SWEEP_MIN_MS = 10;

/** The period for the shortest of these timeouts. */
export function sweepPeriodMs(timeoutsMs: readonly number[]): number {
  const shortest = Math.min(...timeoutsMs.filter((timeout) => timeout > 0)) / SWEEPS_PER_DEADLINE;
  return Math.max(SWEEP_MIN_MS, Math.min(SWEEP_MS, shortest));
}

export class Sweeper {
  readonly connections: Swept[] = [];
  readonly #periodMs: number;
  readonly #tick: () => number;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * @param tick renews the clocks and returns the present monotonic milliseconds
   */
  constructor(periodMs: number, tick: () => number) {
    this.#periodMs = periodMs;
    this.#tick = tick;
  }

  add(connection: Swept): void {
    connection.slot = this.connections.length;
    this.connections.push(connection);
    if (this.#timer === undefined) {
      this.#tick();
      this.#timer = setInterval(() => this.#sweep(), this.#periodMs);
    }
  }

  remove(connection: Swept): void {
    const { connections } = this;
    const last = connections.pop();
    if (last !== undefined && last !== connection) {
      last.slot = connection.slot;
      connections[connection.slot] = last;
    }
    if (connections.length === 0 && this.#timer !== undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  /** From the end, since a connection that ends is replaced by the last one. */
  each(visit: (connection: Swept) => void): void {
    for (let i = this.connections.length - 1; i >= 0; i--) {
      const connection = this.connections[i];
      if (connection !== undefined) visit(connection);
    }
  }

  #sweep(): void {
    const now = this.#tick();
    this.each((connection) => connection.sweep(now));
  }
}
