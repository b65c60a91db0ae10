/** A fleet with a clock of its own and no processes: what it does is written down. */
import assert from "node:assert/strict";
import { createLogger } from "../../src/observe/log.ts";
import { Fleet, type FleetOptions } from "../../src/supervise/fleet.ts";

export const ADDRESS = { host: "127.0.0.1", port: 4711 };
export const GRACEFUL_MS = 30_000;

interface Timer {
  at: number;
  task: () => void;
}

export class World {
  readonly log: string[] = [];
  readonly did: string[] = [];
  readonly fleet: Fleet;
  exitCode: number | undefined;
  private now = 0;
  private timers: Timer[] = [];

  constructor(options: Partial<FleetOptions> = {}) {
    const logger = createLogger((line) => this.log.push(line), { level: "info", colours: false });
    this.fleet = new Fleet(
      { workers: 1, waitsForChange: false, single: false, gracefulTimeoutMs: GRACEFUL_MS, ...options },
      {
        spawn: (id, { replaceLive, port }) => {
          this.did.push(`spawn ${id}${replaceLive ? " over" : ""}${port === undefined ? "" : ` :${port}`}`);
          return 1000 + id;
        },
        stop: (id, handover) => {
          const to = handover?.successor === undefined ? "" : ` to ${handover.successor}`;
          this.did.push(`${handover === undefined ? "stop" : "hand over"} ${id}${to}`);
        },
        kill: (id) => this.did.push(`kill ${id}`),
        after: (ms, task) => {
          const timer = { at: this.now + ms, task };
          this.timers.push(timer);
          return () => {
            this.timers = this.timers.filter((other) => other !== timer);
          };
        },
        serving: ({ port }) => this.did.push(`serving :${port}`),
        finished: (exitCode) => {
          assert.equal(this.exitCode, undefined, "finished once");
          this.exitCode = exitCode;
        },
      },
      logger,
    );
  }

  /** What the fleet did since the last look. */
  look(): string[] {
    return this.did.splice(0);
  }

  ready(...ids: number[]): void {
    for (const id of ids) this.fleet.ready(id, ADDRESS);
  }

  exit(id: number, code: number | null = 0, signal: string | null = null): void {
    this.fleet.exited(id, code, signal);
  }

  fail(id: number, message = "No database."): void {
    this.fleet.failed(id, message, 1);
    this.exit(id, 1);
  }

  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.now = next.at;
      next.task();
    }
    this.now = until;
  }

  logged(pattern: RegExp): number {
    return this.log.filter((line) => pattern.test(line)).length;
  }

  /** A world whose workers all serve. */
  static serving(options: Partial<FleetOptions> = {}): World {
    const world = new World(options);
    world.fleet.start();
    world.ready(1);
    for (let id = 2; id <= (options.workers ?? 1); id++) world.ready(id);
    world.look();
    return world;
  }
}
