/** What a worker's heartbeats say of it: well, busy or stuck. docs/bridge.md. */

/** A loop that has owed an answer for this long is busy: others get the new requests while there are any. */
export const BUSY_LAG_MS = 200;
/** Beats come each second. A worker that has missed some is busy, or stopped. */
export const SILENT_MS = 2_500;
/**
 * A worker that uses less than this share of one core uses none: its heartbeat thread alone takes about a
 * thousandth.
 */
export const IDLE_SHARE = 0.01;

export type Health =
  /** Its loop turns. */
  | "well"
  /** Its loop is late, or nothing is heard from it. */
  | "busy"
  /** No turn of the loop, and no processor time, for the whole timeout. */
  | "stuck";

/** A heartbeat, as it arrived. */
export interface Beat {
  /** Monotonic milliseconds of its arrival. */
  readonly atMs: number;
  /** How long the event loop has owed its thread an answer. */
  readonly lagMs: number;
  readonly cpuMs: number;
  readonly inFlight: number;
}

/** What has been heard of one worker. Times are monotonic milliseconds. */
export class Pulse {
  last: Beat | undefined;
  /** The loop turned then, or later. */
  #turnedAt: number;
  /** The processor time at which the present stillness began, and when. */
  #stillAt: number;
  #stillCpu = 0;

  constructor(nowMs: number) {
    this.#turnedAt = nowMs;
    this.#stillAt = nowMs;
  }

  beat(beat: Beat): void {
    this.last = beat;
    this.#turnedAt = Math.max(this.#turnedAt, beat.atMs - beat.lagMs);
  }

  /** It serves from now on: what it did while it loaded counts no more. */
  begin(nowMs: number): void {
    this.#turnedAt = nowMs;
    this.#stillAt = nowMs;
  }

  /** The last beat is too old to tell of processor time. */
  isSilent(nowMs: number): boolean {
    return nowMs - (this.last?.atMs ?? this.#turnedAt) > SILENT_MS;
  }

  /**
   * @param cpuMs processor time used so far, where something newer than the last beat knows it
   * @param timeoutMs 0: nothing is ever stuck
   */
  judge(nowMs: number, timeoutMs: number, cpuMs = this.last?.cpuMs ?? 0): Health {
    if (cpuMs - this.#stillCpu >= IDLE_SHARE * timeoutMs) {
      this.#stillCpu = cpuMs;
      this.#stillAt = nowMs;
    }
    const stillness = nowMs - this.#stillAt;
    if (timeoutMs > 0 && stillness >= timeoutMs && this.#hasNotTurned(nowMs, timeoutMs)) return "stuck";
    return this.isSilent(nowMs) || (this.last?.lagMs ?? 0) >= BUSY_LAG_MS ? "busy" : "well";
  }

  /** Its last beat says so, or there is none though it is due: between two of them nothing is known. */
  #hasNotTurned(nowMs: number, timeoutMs: number): boolean {
    if (nowMs - this.#turnedAt < timeoutMs) return false;
    return (this.last?.lagMs ?? 0) >= timeoutMs || this.isSilent(nowMs);
  }
}
