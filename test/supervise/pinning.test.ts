/** Which cores each process gets, and what it takes to give them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PlainError } from "../../src/runtime/types.ts";
import { coreSets, type PinningRuntime, parseCoreList, pinning } from "../../src/supervise/pinning.ts";

function machine(cores: string | undefined, programs: readonly string[]): PinningRuntime {
  return {
    readTextFile: (path) => {
      if (cores === undefined || path !== "/proc/self/status") throw new Error("no such file");
      return `Name:\tbun\nCpus_allowed:\tf\nCpus_allowed_list:\t${cores}\nMems_allowed:\t1\n`;
    },
    fileExists: (path) => programs.includes(path),
    env: () => ({ PATH: "/bin::/usr/bin" }),
  };
}

test("lists of cores, as Linux writes them", () => {
  assert.deepEqual(parseCoreList("0-3,8"), [0, 1, 2, 3, 8]);
  assert.deepEqual(parseCoreList("5"), [5]);
});

test("neighbours stay together, and cores are used again when there are too few", () => {
  assert.deepEqual(coreSets([0, 1, 2, 3], 2), [
    [0, 1],
    [2, 3],
  ]);
  assert.deepEqual(coreSets([2, 5, 7], 2), [[2, 5], [7]]);
  assert.deepEqual(coreSets([0, 1], 3), [[0], [1], [0]]);
});

test("every place has a core, no core is left out, and the shares differ by one at most", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(1023), { minLength: 1, maxLength: 64 }),
      fc.integer({ min: 1, max: 70 }),
      (cores, places) => {
        const sets = coreSets(cores, places);
        assert.equal(sets.length, places);
        assert.deepEqual(new Set(sets.flat()), new Set(cores));
        const sizes = sets.map((set) => set.length);
        assert.ok(Math.min(...sizes) >= 1 && Math.max(...sizes) - Math.min(...sizes) <= 1);
      },
    ),
  );
});

test("a place's command begins with taskset; places that are added begin anew", () => {
  const prefix = pinning(machine("0-2", ["/usr/bin/taskset"]), 2);
  assert.deepEqual([0, 1, 2].map(prefix), [
    ["taskset", "-c", "0,1"],
    ["taskset", "-c", "2"],
    ["taskset", "-c", "0,1"],
  ]);
});

test("where it can't be done, one sentence says why", () => {
  const refuses = (runtime: PinningRuntime, pattern: RegExp) =>
    assert.throws(
      () => pinning(runtime, 2),
      (error) => error instanceof PlainError && pattern.test(error.message),
    );
  refuses(machine(undefined, ["/usr/bin/taskset"]), /Linux only/);
  refuses(machine("0-3", []), /needs the program taskset; install it/);
});
