/** Well, busy or stuck: what heartbeats and processor time make of a worker, with a clock of the test's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BUSY_LAG_MS, type Health, Pulse, SILENT_MS } from "../../src/python/pulse.ts";

const TIMEOUT_MS = 60_000;
const SECOND = 1_000;

/** What a worker does in one second: whether its loop turns, its processor time, whether a beat arrives. */
interface Second {
  readonly turns?: boolean;
  readonly cpuMs?: number;
  readonly silent?: boolean;
  /** Processor time can be had besides the beats. */
  readonly proc?: boolean;
}

class Story {
  readonly pulse = new Pulse(0);
  health: Health = "well";
  #now = 0;
  #turnedAt = 0;
  #cpu = 300;

  constructor() {
    this.pulse.begin(0);
  }

  pass(seconds: number, { turns = false, cpuMs = 0.5, silent = false, proc = true }: Second): Health {
    for (let i = 0; i < seconds && this.health !== "stuck"; i++) {
      this.#now += SECOND;
      this.#cpu += cpuMs;
      if (turns) this.#turnedAt = this.#now;
      const lagMs = this.#now - this.#turnedAt;
      if (!silent) this.pulse.beat({ atMs: this.#now, lagMs, cpuMs: this.#cpu, inFlight: 1 });
      const asked = this.pulse.isSilent(this.#now) && proc ? this.#cpu : undefined;
      this.health = this.pulse.judge(this.#now, TIMEOUT_MS, asked);
    }
    return this.health;
  }
}

const idle: Second = { turns: true };
const computing: Second = { cpuMs: 990 };
const holdingTheLock: Second = { cpuMs: 990, silent: true };
const waiting: Second = {};
const stopped: Second = { cpuMs: 0, silent: true };

/** Seconds of each kind, and the health at their end. */
const STORIES: readonly (readonly [string, readonly (readonly [number, Second])[], Health])[] = [
  ["idle for an hour", [[3600, idle]], "well"],
  ["computes for ten minutes", [[600, computing]], "busy"],
  ["computes with the interpreter's lock held, so that no beat arrives", [[600, holdingTheLock]], "busy"],
  ["waits in its loop's thread, not long enough", [[59, waiting]], "busy"],
  ["waits in its loop's thread", [[61, waiting]], "stuck"],
  ["stopped by a signal, not long enough", [[59, stopped]], "busy"],
  ["stopped by a signal", [[61, stopped]], "stuck"],
  ["stopped by a signal, where no one else tells of processor time", [[61, { ...stopped, proc: false }]], "stuck"],
  [
    "idle for long, then stopped",
    [
      [600, idle],
      [59, stopped],
    ],
    "busy",
  ],
  [
    "computes, then waits: the time counts from its last work",
    [
      [120, computing],
      [59, waiting],
    ],
    "busy",
  ],
  [
    "computes, then waits for long",
    [
      [120, computing],
      [62, waiting],
    ],
    "stuck",
  ],
  [
    "stopped, then let go",
    [
      [50, stopped],
      [5, idle],
      [50, stopped],
      [1, idle],
    ],
    "well",
  ],
];

for (const [name, seconds, expected] of STORIES) {
  test(`${name}: ${expected}`, () => {
    const story = new Story();
    for (const [count, second] of seconds) story.pass(count, second);
    assert.equal(story.health, expected);
  });
}

test("without a timeout nothing is stuck", () => {
  const pulse = new Pulse(0);
  assert.equal(pulse.judge(1e9, 0), "busy");
});

test("a loop is busy from the threshold on, and a silent one", () => {
  const pulse = new Pulse(0);
  for (const [lagMs, health] of [
    [BUSY_LAG_MS - 1, "well"],
    [BUSY_LAG_MS, "busy"],
    [0, "well"],
  ] as const) {
    pulse.beat({ atMs: 1000, lagMs, cpuMs: 1, inFlight: 0 });
    assert.equal(pulse.judge(1000, TIMEOUT_MS), health);
  }
  assert.equal(pulse.judge(1000 + SILENT_MS + 1, TIMEOUT_MS), "busy");
});

test("a timeout that is shorter than the time between two beats ends nobody who is well", () => {
  const pulse = new Pulse(0);
  pulse.begin(0);
  pulse.beat({ atMs: 1000, lagMs: 0, cpuMs: 300, inFlight: 0 });
  assert.equal(pulse.judge(1000, 500), "well");
  assert.equal(pulse.judge(2200, 500), "well", "the next beat is not due yet");
  pulse.beat({ atMs: 2250, lagMs: 700, cpuMs: 300, inFlight: 1 });
  assert.equal(pulse.judge(2250, 500), "stuck", "the beat says that the loop waits");
  const silent = new Pulse(0);
  silent.beat({ atMs: 1000, lagMs: 0, cpuMs: 300, inFlight: 0 });
  silent.judge(1000, 500);
  assert.equal(silent.judge(1000 + SILENT_MS + 1, 500), "stuck", "no beat comes any more");
});
