/** What the fuzzers share: numbers that a seed determines, and a command line. */
import process from "node:process";
import { parseArgs } from "node:util";

/** Numbers that a seed determines: xorshift32. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  }

  /** 0 to `sides - 1`. */
  roll(sides: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % sides;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.roll(list.length)];
  }
}

/**
 * Calls `once` with one seed after the other, from `--seed` (1) on, for `--seconds` (10).
 * @returns how many were tried, and the first and the last
 */
export async function fuzzFor(
  once: (seed: number) => Promise<void> | void,
): Promise<{ count: number; first: number; last: number }> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: { seconds: { type: "string", default: "10" }, seed: { type: "string", default: "1" } },
  });
  const end = performance.now() + Number(values.seconds) * 1000;
  const first = Number(values.seed);
  let seed = first;
  for (; performance.now() < end; seed++) await once(seed);
  return { count: seed - first, first, last: seed - 1 };
}

/** The program of a fuzzer of byte streams. */
export async function fuzzStreams(once: (seed: number) => void): Promise<void> {
  const { count, first, last } = await fuzzFor(once);
  console.log(`${count} streams, seeds ${first} to ${last}: every invariant held.`);
}
