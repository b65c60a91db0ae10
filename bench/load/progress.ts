/**
 * How long the rest of a run will take: turns left of each suite, at the pace of those that have ended.
 */
import type { Plan } from "./types.ts";

export interface Planned {
  readonly suite: string;
  readonly turns: number;
  /** Seconds of a turn, until the first has ended. */
  readonly secondsEach: number;
}

/** Such as `45 s` or `1 h 05 min`. */
export function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** @param nowMs a clock, for tests */
export function newPlan(planned: readonly Planned[], nowMs: () => number = () => performance.now()): Plan {
  const left = new Map(planned.map(({ suite, turns, secondsEach }) => [suite, { turns, secondsEach, done: 0 }]));
  let turnStartedMs = nowMs();
  return {
    turn(suite) {
      const entry = left.get(suite);
      const seconds = (nowMs() - turnStartedMs) / 1e3;
      turnStartedMs = nowMs();
      if (entry === undefined) return;
      entry.turns = Math.max(0, entry.turns - 1);
      entry.done++;
      // A guess counts as no turn at all.
      entry.secondsEach += (seconds - entry.secondsEach) / entry.done;
    },
    drop(suite) {
      turnStartedMs = nowMs();
      left.delete(suite);
    },
    toGo() {
      let seconds = 0;
      for (const { turns, secondsEach } of left.values()) seconds += turns * secondsEach;
      return `${durationText(seconds)} to go`;
    },
  };
}
