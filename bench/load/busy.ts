/**
 * How busy a load generator is while its load lasts. Its start and its end are left out: they take as long as a short load,
 * hardly use its cores, and hid that it was the slower side.
 */
import { cpuSeconds } from "./procfs.ts";

const INTERVAL_MS = 50;
/** Of the load's time, left out: when exactly it began and ended inside the generator, which adds up its figures, is not known. */
const MARGIN_START = 0.1;
const MARGIN_END = 0.25;

/** The processor time that the generator's processes had used by a moment. */
export interface BusyReading {
  readonly atMs: number;
  readonly seconds: number;
}

/** Share of `cores` cores' time between two moments, of the readings there; undefined where fewer than two are. */
export function busyShare(
  readings: readonly BusyReading[],
  [fromMs, toMs]: readonly [from: number, to: number],
  cores: number,
): number | undefined {
  const within = readings.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  const [first, last] = [within[0], within.at(-1)];
  if (first === undefined || last === undefined || last.atMs === first.atMs) return undefined;
  return ((last.seconds - first.seconds) * 1e3) / ((last.atMs - first.atMs) * cores);
}

/** The time of a load of so many seconds that has ended at `endedMs`, without its edges. */
export function loadWindow(endedMs: number, seconds: number): readonly [from: number, to: number] {
  return [endedMs - (1 - MARGIN_START) * seconds * 1e3, endedMs - MARGIN_END * seconds * 1e3];
}

export interface BusyWatch {
  /** @param seconds of the load, which has just ended, or at `endedMs` */
  share(seconds: number, cores: number, endedMs?: number): number | undefined;
  stop(): void;
}

/** Reads what the processes have used, until it is stopped. Processes that have gone are read no more. */
export function watchBusy(pids: readonly number[]): BusyWatch {
  const readings: BusyReading[] = [];
  const read = () => {
    let seconds = 0;
    for (const pid of pids) {
      const { user, system } = cpuSeconds(pid);
      seconds += user + system;
    }
    // One that has gone takes its time with it.
    if (seconds >= (readings.at(-1)?.seconds ?? 0)) readings.push({ atMs: performance.now(), seconds });
  };
  const timer = setInterval(read, INTERVAL_MS);
  return {
    share: (seconds, cores, endedMs = performance.now()) => busyShare(readings, loadWindow(endedMs, seconds), cores),
    stop: () => clearInterval(timer),
  };
}
