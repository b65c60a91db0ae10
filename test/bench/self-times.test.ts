/** Self time by function, from a CPU profile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { selfTimes, selfTimesOfStacks } from "../../bench/self-times.ts";

function node(id: number, functionName: string, url = "", lineNumber = -1) {
  return { id, callFrame: { functionName, url, lineNumber } };
}

test("a sample lasts until the next one, idle time does not count, and lines count from one", () => {
  const times = selfTimes({
    nodes: [node(1, "(root)"), node(2, "parse", "a.ts", 9), node(3, "write"), node(4, "(idle)")],
    samples: [2, 3, 4, 2, 3],
    timeDeltas: [1000, 30, 10, 500, 60],
  });
  assert.deepEqual(times, [
    { name: "parse", where: "a.ts:10", microseconds: 90, share: 0.9 },
    { name: "write", where: "", microseconds: 10, share: 0.1 },
  ]);
});

test("a function that is called from several places is one", () => {
  const times = selfTimes({
    nodes: [node(1, "f", "a.ts", 0), node(2, "f", "a.ts", 0), node(3, "f", "b.ts", 0)],
    samples: [1, 2, 3, 1],
    timeDeltas: [0, 10, 20, 30],
  });
  assert.deepEqual(
    times.map(({ where, microseconds }) => [where, microseconds]),
    [
      ["a.ts:1", 30],
      ["b.ts:1", 30],
    ],
  );
});

test("an empty profile has no functions", () => {
  assert.deepEqual(selfTimes({ nodes: [], samples: [], timeDeltas: [] }), []);
});

test("a stack's time is that of its innermost function, over all threads", () => {
  const times = selfTimesOfStacks({
    shared: {
      frames: [{ name: "main", file: "a.py", line: 1 }, { name: "parse", file: "b.py", line: 7 }, { name: "c" }],
    },
    profiles: [
      { unit: "seconds", samples: [[0, 1], [0], []], weights: [0.003, 0.001, 1] },
      {
        unit: "milliseconds",
        samples: [
          [0, 1],
          [0, 2],
        ],
        weights: [3, 3],
      },
    ],
  });
  assert.deepEqual(times, [
    { name: "parse", where: "b.py:7", microseconds: 6000, share: 0.6 },
    { name: "c", where: "", microseconds: 3000, share: 0.3 },
    { name: "main", where: "a.py:1", microseconds: 1000, share: 0.1 },
  ]);
});
