/** Which cores the server and the load generator get, and what is read of /proc. */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { cacheDirectory } from "../../bench/load/cache.ts";
import { chooseCpus, parseCpuChoice, parseCpuList } from "../../bench/load/machine.ts";
import { parseCoreBusy, parseKilobytes, parseStat } from "../../bench/load/procfs.ts";
import { parseVersion, ROOT, shown } from "../../bench/load/programs.ts";

const alone = (cpu: number) => [cpu];

test("a core list has single cores and ranges", () => {
  assert.deepEqual(parseCpuList("0-2,5,7-8\n"), [0, 1, 2, 5, 7, 8]);
});

test("a core list that is none is refused", () => {
  assert.throws(() => parseCpuList("0-x"), /not a core number/);
});

test("four cores: the first serves, the upper two load", () => {
  assert.deepEqual(chooseCpus([0, 1, 2, 3], alone), { server: 0, generator: [2, 3], shared: false });
});

test("the server's hyperthread sibling stays free where there are other cores", () => {
  const pairs = (cpu: number) => [cpu % 2, (cpu % 2) + 2];
  assert.deepEqual(chooseCpus([0, 1, 2, 3], pairs), { server: 0, generator: [1, 3], shared: false });
});

test("two threads of one core: the sibling is better than sharing", () => {
  assert.deepEqual(
    chooseCpus([0, 1], () => [0, 1]),
    { server: 0, generator: [1], shared: false },
  );
});

test("a single core is shared, and said to be", () => {
  assert.deepEqual(chooseCpus([5], alone), { server: 5, generator: [5], shared: true });
});

test("only permitted cores are used", () => {
  assert.deepEqual(chooseCpus([4, 6, 9], alone), { server: 4, generator: [9], shared: false });
});

test("eight cores: half of them load", () => {
  assert.deepEqual(chooseCpus([0, 1, 2, 3, 4, 5, 6, 7], alone).generator, [4, 5, 6, 7]);
});

test("cores can be given", () => {
  assert.deepEqual(parseCpuChoice("0:2,3"), { server: 0, generator: [2, 3], shared: false });
});

test("the server's core among the generator's is sharing", () => {
  assert.equal(parseCpuChoice("1:0-3").shared, true);
});

for (const wrong of ["0", "0,1:2", "0:", "a:1", "0:1:2", "0:2-"]) {
  test(`--cpus ${wrong} is refused`, () => {
    assert.throws(() => parseCpuChoice(wrong), { name: "PlainError" });
  });
}

test("processor time is found behind a command with spaces and parentheses", () => {
  const fields = Array.from({ length: 50 }, (_, index) => String(index + 3));
  fields[0] = "S";
  Object.assign(fields, { 11: "150", 12: "50", 13: "700", 14: "300" });
  assert.deepEqual(parseStat(`42 (a) b (c)) ${fields.join(" ")}`), { user: 1.5, system: 0.5, children: 10 });
});

test("kilobytes become bytes, and only of the whole name", () => {
  const text = "VmRSSx:\t      1 kB\nVmHWM:\t     10 kB\nVmRSS:\t      7 kB\n";
  assert.equal(parseKilobytes(text, "VmRSS"), 7 * 1024);
  assert.equal(parseKilobytes(text, "VmSwap"), 0);
});

test("a core's busy time is user, nice, system and steal of that core alone", () => {
  const text = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 100 10 40 9999 5 6 7 50 0 0\ncpu11 1 1 1 1 1 1 1 1 0 0\n";
  assert.equal(parseCoreBusy(text, 1), 2);
  assert.equal(parseCoreBusy(text, 2), 0);
});

for (const [text, expected] of [
  ["deno 2.9.6 (stable, release, x86_64-unknown-linux-gnu)\nv8 14.1", "2.9.6"],
  ["v20.20.2\n", "20.20.2"],
  ["wrk 4.2.0 [epoll] Copyright (C) 2012 Will Glozer", "4.2.0"],
  ["no version", undefined],
] as const) {
  test(`the version in ${JSON.stringify(text.slice(0, 16))}`, () => {
    assert.equal(parseVersion(text), expected);
  });
}

test("a command is shown with the places of tree, cache and temporary files named, not said", () => {
  assert.equal(shown(`${join(cacheDirectory(), "h2load")} -i ${join(tmpdir(), "a")}`), "$CACHE/h2load -i $TMPDIR/a");
  assert.equal(
    shown(`${ROOT}bun ${ROOT}src/cli/main.ts --config file:${ROOT}a.py`),
    "$TREE/bun $TREE/src/cli/main.ts --config file:$TREE/a.py",
  );
});
