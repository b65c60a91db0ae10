import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/observe/log.ts";
import { CRASH_LOOP_DEATHS } from "../../src/supervise/crashes.ts";
import {
  FIRST_BACKOFF_MS,
  Fleet,
  type FleetOptions,
  KILL_MARGIN_MS,
  LONGEST_BACKOFF_MS,
  SERVED_WELL_MS,
} from "../../src/supervise/fleet.ts";

const ADDRESS = { host: "127.0.0.1", port: 4711 };
const GRACEFUL_MS = 30_000;

interface Timer {
  at: number;
  task: () => void;
}

/** A fleet with a clock of its own, that writes down what it does. */
class World {
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

test("the first worker starts alone, the others on its port when it serves", () => {
  const world = new World({ workers: 3 });
  world.fleet.start();
  assert.deepEqual(world.look(), ["spawn 1"]);
  world.ready(1);
  assert.deepEqual(world.look(), ["spawn 2 :4711", "spawn 3 :4711", "serving :4711"]);
  world.ready(2, 3);
  assert.deepEqual(world.look(), []);
  assert.equal(world.fleet.size, 3);
});

test("the first worker's failure ends it all, with the application's message and code", () => {
  const world = new World({ workers: 3 });
  world.fleet.start();
  world.fleet.failed(1, "No database.", 7);
  assert.equal(world.exitCode, undefined);
  world.exit(1, 7);
  assert.equal(world.exitCode, 7);
  assert.deepEqual(world.log, ["CRITICAL: No database.\n"]);
  assert.deepEqual(world.look(), ["spawn 1"]);
});

test("so does its crash", () => {
  const world = new World();
  world.fleet.start();
  world.exit(1, null, "SIGSEGV");
  assert.equal(world.exitCode, 1);
  assert.equal(world.logged(/could not start: its process was ended by SIGSEGV/), 1);
});

test("with --reload the first failure waits for a change", () => {
  const world = new World({ waitsForChange: true });
  world.fleet.start();
  world.fail(1);
  assert.equal(world.exitCode, undefined);
  assert.equal(world.logged(/Waiting for a file to change/), 1);
  world.pass(3_600_000);
  assert.deepEqual(world.look(), ["spawn 1"]);
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 2"]);
  world.ready(2);
  assert.deepEqual(world.look(), ["serving :4711"]);
});

test("a change during the first start is not forgotten", () => {
  const failing = new World({ waitsForChange: true });
  failing.fleet.start();
  failing.fleet.replaceAll();
  failing.fail(1);
  assert.deepEqual(failing.look(), ["spawn 1", "spawn 2"]);
  const serving = new World({ waitsForChange: true });
  serving.fleet.start();
  serving.fleet.replaceAll();
  serving.ready(1);
  assert.deepEqual(serving.look(), ["spawn 1", "serving :4711", "spawn 2 over :4711"]);
});

test("a worker that dies is replaced after the first backoff", () => {
  const world = World.serving({ workers: 2 });
  world.exit(1, null, "SIGKILL");
  assert.deepEqual(world.look(), []);
  world.pass(FIRST_BACKOFF_MS - 1);
  assert.deepEqual(world.look(), []);
  world.pass(1);
  assert.deepEqual(world.look(), ["spawn 3 :4711"]);
  assert.equal(world.logged(/^ERROR: {4}Worker 1001 was ended by SIGKILL; another one starts in 100 ms\.$/m), 1);
  assert.equal(world.exitCode, undefined);
});

test("the backoff doubles to its longest, and each step is taken", () => {
  const world = World.serving();
  let id = 1;
  const waits: number[] = [];
  for (let i = 0; i < 10; i++) {
    world.exit(id, 1);
    let waited = 0;
    while (world.look().length === 0) {
      world.pass(50);
      waited += 50;
    }
    waits.push(waited);
    id += 1;
    world.ready(id);
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  assert.equal(LONGEST_BACKOFF_MS, 10_000);
});

test("a worker that served well makes the next crash a first one", () => {
  const world = World.serving();
  for (const id of [1, 2, 3]) {
    world.exit(id, 1);
    world.pass(1000);
    world.ready(id + 1);
  }
  world.pass(SERVED_WELL_MS);
  world.look();
  world.exit(4, 1);
  world.pass(FIRST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 5 :4711"]);
});

test("a crash loop is reported once, and its end", () => {
  const world = World.serving();
  let id = 1;
  for (let i = 0; i < 30; i++) {
    if (i > 0) world.fail(id);
    else world.exit(id, 1);
    world.pass(LONGEST_BACKOFF_MS);
    id += 1;
  }
  assert.equal(world.logged(/keep dying \(5 times/), 1);
  assert.equal(world.logged(/another one starts in/), CRASH_LOOP_DEATHS - 1);
  assert.equal(world.logged(/No database/), 1);
  world.ready(id);
  world.pass(SERVED_WELL_MS);
  assert.equal(world.logged(/The workers serve again/), 1);
  world.exit(id, 1);
  assert.equal(world.logged(/another one starts in 100 ms/), 2);
});

test("one slot's loop is reported though another slot serves well", () => {
  const world = World.serving({ workers: 2 });
  world.pass(SERVED_WELL_MS);
  let id = 2;
  for (let i = 0; i < CRASH_LOOP_DEATHS; i++) {
    world.exit(id, 1);
    world.pass(LONGEST_BACKOFF_MS);
    id = 3 + i;
  }
  assert.equal(world.logged(/keep dying/), 1);
});

test("a retiring worker is replaced before it stops", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  assert.deepEqual(world.look(), ["spawn 2 over :4711"]);
  world.fleet.retiring(1);
  assert.deepEqual(world.look(), []);
  world.ready(2);
  assert.deepEqual(world.look(), ["hand over 1 to 1"]);
  world.exit(1);
  assert.deepEqual(world.look(), []);
  assert.deepEqual(world.log, []);
});

test("a replacement that fails leaves the old one, and is tried again", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  world.fail(2);
  assert.equal(world.logged(/No database\.\n {10}The old process goes on serving/), 1);
  assert.deepEqual(world.look(), ["spawn 2 over :4711"]);
  world.pass(FIRST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 3 over :4711"]);
  world.ready(3);
  assert.deepEqual(world.look(), ["hand over 1 to 1"]);
});

test("a retiring worker that dies first: its replacement takes the place", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  world.exit(1, 1);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 2 over :4711"]);
  world.ready(2);
  assert.deepEqual(world.look(), []);
  world.exit(2, 1);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 3 :4711"]);
});

test("both die: one is started again", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  world.look();
  world.exit(1, 1);
  world.exit(2, 1);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 3 :4711"]);
});

test("dies while waiting to try its replacement again: one is started, not two", () => {
  const world = World.serving();
  world.fleet.retiring(1);
  world.fail(2);
  world.exit(1, 1);
  world.look();
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), ["spawn 3 :4711"]);
});

test("a rolling replacement goes one by one", () => {
  const world = World.serving({ workers: 3 });
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 4 over :4711"]);
  world.ready(4);
  assert.deepEqual(world.look(), ["hand over 1 to 3"]);
  world.fleet.closed(1);
  assert.deepEqual(world.look(), ["spawn 5 over :4711"]);
  world.ready(5);
  assert.deepEqual(world.look(), ["hand over 2 to 3"]);
  // It died before it could say that it has left the address.
  world.exit(2, 1);
  assert.deepEqual(world.look(), ["spawn 6 over :4711"]);
  world.exit(1);
  world.ready(6);
  world.fleet.closed(3);
  world.exit(3);
  assert.deepEqual(world.look(), ["hand over 3 to 3"]);
});

test("new code that fails to load ends the roll with one error, and the old goes on", () => {
  const world = World.serving({ workers: 3 });
  world.fleet.replaceAll();
  world.fail(4, "Syntax error.");
  world.pass(3_600_000);
  assert.deepEqual(world.look(), ["spawn 4 over :4711"]);
  assert.equal(world.logged(/Syntax error/), 1);
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 5 over :4711"]);
});

test("changes during a roll queue one more roll, not several", () => {
  const world = World.serving();
  world.fleet.replaceAll();
  world.fleet.replaceAll();
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 2 over :4711"]);
  world.ready(2);
  assert.deepEqual(world.look(), ["hand over 1 to 1"]);
  world.fleet.closed(1);
  assert.deepEqual(world.look(), ["spawn 3 over :4711"]);
  world.ready(3);
  world.fleet.closed(2);
  assert.deepEqual(world.look(), ["hand over 2 to 1"]);
});

test("a roll that meets a replacement under way replaces that one too", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.retiring(1);
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 3 over :4711"]);
  world.ready(3);
  assert.deepEqual(world.look(), ["hand over 1 to 2", "spawn 4 over :4711"]);
  world.ready(4);
  world.fleet.closed(1);
  assert.deepEqual(world.look(), ["hand over 3 to 3"]);
  world.fleet.closed(3);
  assert.deepEqual(world.look(), ["spawn 5 over :4711"]);
  world.ready(5);
  assert.deepEqual(world.look(), ["hand over 2 to 2"]);
});

test("a roll starts dead workers at once", () => {
  const world = World.serving();
  for (const id of [1, 2, 3, 4]) {
    world.exit(id, 1);
    if (id < 4) world.pass(LONGEST_BACKOFF_MS);
  }
  world.look();
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 5 :4711"]);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), []);
});

test("workers are added and removed; the last one stays", () => {
  const world = World.serving();
  world.fleet.grow();
  assert.deepEqual(world.look(), ["spawn 2 :4711"]);
  world.ready(2);
  world.fleet.shrink();
  assert.deepEqual(world.look(), ["hand over 2"]);
  world.exit(2);
  world.fleet.shrink();
  world.pass(3_600_000);
  assert.deepEqual(world.look(), []);
  assert.equal(world.fleet.size, 1);
  assert.equal(world.logged(/The last worker stays/), 1);
});

test("a removed worker that the roll waited for does not hold it up", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.replaceAll();
  world.ready(3);
  world.fleet.closed(1);
  world.look();
  world.fleet.shrink();
  assert.deepEqual(world.look(), ["hand over 2", "hand over 4"]);
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["spawn 5 over :4711"]);
});

test("a Unix socket keeps one worker", () => {
  const world = World.serving({ single: true });
  world.fleet.grow();
  assert.deepEqual(world.look(), []);
  assert.equal(world.fleet.size, 1);
});

test("stop: every worker gracefully, then exit code 0", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.retiring(1);
  world.look();
  world.fleet.stop();
  assert.deepEqual(world.look().sort(), ["stop 1", "stop 2", "stop 3"]);
  world.exit(3);
  world.exit(1);
  assert.equal(world.exitCode, undefined);
  world.exit(2);
  assert.equal(world.exitCode, 0);
  world.pass(3_600_000);
  assert.deepEqual(world.look(), []);
});

test("a worker that does not stop is killed after its own deadline", () => {
  const world = World.serving();
  world.fleet.stop();
  world.look();
  world.pass(GRACEFUL_MS + KILL_MARGIN_MS - 1);
  assert.deepEqual(world.look(), []);
  world.pass(1);
  assert.deepEqual(world.look(), ["kill 1"]);
  world.exit(1, null, "SIGKILL");
  assert.equal(world.exitCode, 0);
});

test("stop at once kills, and ends with 1", () => {
  const world = World.serving({ workers: 2 });
  world.fleet.stop();
  world.look();
  world.fleet.stopNow();
  assert.deepEqual(world.look().sort(), ["kill 1", "kill 2"]);
  world.exit(1, null, "SIGKILL");
  world.exit(2, null, "SIGKILL");
  assert.equal(world.exitCode, 1);
});

test("stop during the backoff of the only worker ends at once", () => {
  const world = World.serving();
  world.exit(1, 1);
  world.fleet.stop();
  assert.equal(world.exitCode, 0);
  world.pass(LONGEST_BACKOFF_MS);
  assert.deepEqual(world.look(), []);
});

test("stop while the first worker starts, and while waiting for a change", () => {
  const starting = new World();
  starting.fleet.start();
  starting.fleet.stop();
  assert.deepEqual(starting.look(), ["spawn 1", "stop 1"]);
  starting.exit(1);
  assert.equal(starting.exitCode, 0);
  const waiting = new World({ waitsForChange: true });
  waiting.fleet.start();
  waiting.fail(1);
  waiting.fleet.stop();
  assert.equal(waiting.exitCode, 0);
});

test("messages that come late or from nowhere change nothing", () => {
  const world = World.serving();
  world.ready(1, 99);
  world.fleet.failed(1, "late", 1);
  world.fleet.failed(99, "nobody", 1);
  world.fleet.retiring(99);
  world.exit(99);
  assert.deepEqual(world.look(), []);
  world.fleet.stop();
  world.fleet.retiring(1);
  world.ready(1);
  world.fleet.grow();
  world.fleet.shrink();
  world.fleet.replaceAll();
  assert.deepEqual(world.look(), ["stop 1"]);
  world.exit(1);
  assert.equal(world.exitCode, 0);
  assert.deepEqual(world.log, []);
});
