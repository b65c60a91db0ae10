/** Goals, tables, and the README's figures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { outcomes } from "../../bench/goals.ts";
import { nameOfTree } from "../../bench/load/revision.ts";
import type { BenchResult, HttpSample, IdleSample, MemorySample } from "../../bench/load/types.ts";
import { chooseSuites, settingsFrom } from "../../bench/options.ts";
import { FIGURES_END, FIGURES_START, renderFigures, renderReport, replaceFigures } from "../../bench/report.ts";
import { busyText, paceLegend, paceOf } from "../../bench/report-rows.ts";
import { table } from "../../bench/table.ts";
import { rates, result, SAMPLE, suite } from "./fixtures.ts";

function hello(samples: Record<string, HttpSample[]>): BenchResult {
  return result({ "http/hello": suite(samples) });
}

function reached(found: BenchResult, what: string): boolean | undefined {
  return outcomes(found).find((outcome) => outcome.what.includes(what))?.reached;
}

test("as fast as Bun.serve is enough, and slower is not", () => {
  const at = (rate: number) => hello({ "ringcorn-bun": rates(rate), "bun-serve": rates(100) });
  assert.equal(reached(at(100), "Ringcorn on Bun over Bun.serve"), true);
  assert.equal(reached(at(99), "Ringcorn on Bun over Bun.serve"), false);
});

test("node:http must be beaten by 1.4", () => {
  const at = (rate: number) => hello({ "ringcorn-deno": rates(rate), "node-http": rates(100) });
  assert.equal(reached(at(141), "Ringcorn on Deno over node:http"), true);
  assert.equal(reached(at(139), "Ringcorn on Deno over node:http"), false);
});

test("what was not measured is neither reached nor missed", () => {
  assert.deepEqual([...new Set(outcomes(result({})).map((outcome) => outcome.reached))], [undefined]);
});

test("wrk's figures count where both tools ran", () => {
  const slow = rates(1).map((sample) => ({ ...sample, tool: "autocannon" as const }));
  const found = hello({
    "ringcorn-bun": [...rates(100), ...slow],
    "bun-serve": [...rates(100), ...rates(900).map((s) => ({ ...s, tool: "autocannon" as const }))],
  });
  assert.equal(reached(found, "Ringcorn on Bun over Bun.serve"), true);
});

test("autocannon's figures count where wrk is missing", () => {
  const auto = (rate: number) => rates(rate).map((sample) => ({ ...sample, tool: "autocannon" as const }));
  assert.equal(
    reached(hello({ "ringcorn-bun": auto(1), "bun-serve": auto(2) }), "Ringcorn on Bun over Bun.serve"),
    false,
  );
});

test("a higher p99 than Bun.serve's misses the goal", () => {
  const worse = rates(100).map((sample) => ({ ...sample, p99Us: 1001 }));
  assert.equal(reached(hello({ "ringcorn-bun": worse, "bun-serve": rates(100) }), "p99"), false);
  assert.equal(reached(hello({ "ringcorn-bun": rates(100), "bun-serve": rates(100) }), "p99"), true);
});

test("idle connections are judged by their median", () => {
  const idle = [100, 4000, 9000].map((rssPerConnection) => ({ connections: 10_000, rssPerConnection }) as IdleSample);
  assert.equal(
    reached(result({}, { idle: { "ringcorn-bun": idle } }), "idle, bytes a connection: Ringcorn on Bun"),
    true,
  );
  assert.equal(
    reached(result({}, { idle: { "ringcorn-bun": idle.slice(1) } }), "idle, bytes a connection: Ringcorn on Bun"),
    false,
  );
});

test("memory is judged by its worst transfer", () => {
  const growth = (growthBytes: number) => ({ transfer: "upload", growthBytes }) as MemorySample;
  const found = (...bytes: number[]) =>
    reached(result({}, { memory: { "ringcorn-bun": bytes.map(growth) } }), "the worst: Ringcorn on Bun");
  assert.equal(found(1e6, 40e6), true);
  assert.equal(found(1e6, 40e6 + 1), false);
});

test("the parser's throughput is that of its first case on the runtime", () => {
  const micro = [
    { suite: "parser", runtime: "bun" as const, name: "classic", p25Ns: 1, p50Ns: 500, p75Ns: 1, bytes: 703 },
    { suite: "parser", runtime: "deno" as const, name: "classic", p25Ns: 1, p50Ns: 1000, p75Ns: 1, bytes: 703 },
  ];
  assert.equal(reached(result({}, { micro }), "on Bun"), true);
  assert.equal(reached(result({}, { micro }), "classic on Deno"), false);
});

test("the parser is compared with llhttp on the same request and runtime", () => {
  const at = (p50Ns: number) => [
    { suite: "parser", runtime: "bun" as const, name: "classic", p25Ns: 1, p50Ns: 100, p75Ns: 1, bytes: 703 },
    { suite: "parser", runtime: "bun" as const, name: "classic, llhttp", p25Ns: 1, p50Ns, p75Ns: 1, bytes: 703 },
    { suite: "parser", runtime: "bun" as const, name: "small, llhttp", p25Ns: 1, p50Ns: 9999, p75Ns: 1, bytes: 40 },
  ];
  assert.equal(reached(result({}, { micro: at(300) }), "classic on Bun, over llhttp"), true);
  assert.equal(reached(result({}, { micro: at(299) }), "classic on Bun, over llhttp"), false);
});

for (const [generator, server, pace] of [
  [0.95, 0.89, "generator"],
  [0.95, 0.9, "both"],
  [0.94, 0.9, "server"],
  [0.94, 0.89, "neither"],
] as const) {
  test(`a generator ${generator * 100} % busy beside a server ${server * 100} % busy: ${pace} set the pace`, () => {
    assert.equal(paceOf({ ...SAMPLE, generatorUtilisation: generator, serverUtilisation: server }), pace);
  });
}

test("a row says in how many samples the generator was the slower side, and what that means", () => {
  const slow = { ...SAMPLE, generatorUtilisation: 1, serverUtilisation: 0.5 };
  const text = busyText([SAMPLE, slow, slow]);
  assert.equal(text, "50 / 100 % (generator-bound: 2 of 3)");
  assert.match(paceLegend([`| ${text} |`]).join(""), /^Generator-bound: .* slower side/);
  assert.deepEqual(paceLegend([busyText([SAMPLE])]), []);
});

test("a table's columns are as wide as their widest cell", () => {
  assert.equal(
    table([
      ["a", "bb"],
      ["ccc", "d"],
    ]),
    "| a   | bb |\n|-----|----|\n| ccc | d  |",
  );
});

test("the report has medians with quartiles and both ratios", () => {
  const report = renderReport(hello({ "ringcorn-bun": rates(100, 300, 200), "bun-serve": rates(100, 100, 400) }));
  assert.match(report, /Ringcorn on Bun +\| 200 \(150 to 250\)/);
  assert.match(report, /Ringcorn on Bun \/ Bun\.serve \| 2\.00 +\| 1\.00 \(0\.75 to 2\.00\)/);
  assert.doesNotMatch(report, /NaN|undefined/);
});

test("one round has no quartiles that agree with each other: the report says that there was but one", () => {
  const one = hello({ "ringcorn-bun": rates(100), "bun-serve": rates(50) });
  const report = renderReport(one);
  assert.match(report, /Ringcorn on Bun +\| 100 \(1 round\)/);
  assert.match(report, /fewer than 3: how much they vary is not known/);
  assert.match(renderFigures(one), /2\.00 \(1 round only\)/);
  const three = renderReport(hello({ "ringcorn-bun": rates(100, 101, 102), "bun-serve": rates(50, 50, 50) }));
  assert.doesNotMatch(three, /1 round|fewer than 3/);
});

test("processor time has its spread, in the tables and in the ratios, with the kernel's part beside it", () => {
  const dear = rates(100, 100, 100).map((sample, i) => ({ ...sample, serverCpuSeconds: [1, 2, 3][i] }));
  const report = renderReport(hello({ "ringcorn-bun": dear, "bun-serve": rates(100, 100, 100) }));
  assert.match(report, /\| CPU s \/ 10,000 +\| of it kernel \|/);
  assert.match(report, /\| 2\.000 \(1\.500 to 2\.500\) \(!\) \| 0\.400 /);
  assert.match(report, /\| 2\.22 \(1\.67 to 2\.78\) \(!\) +\|/);
});

test("a machine that others used when the run began is named as such, and so is a tree with changes", () => {
  const { machine } = result({});
  const busy = renderReport(result({}, { machine: { ...machine, loadAverage: 3.14 } }));
  assert.match(busy, /busy with others at the start \(load average 3\.1\)/);
  assert.doesNotMatch(renderReport(result({})), /busy with others/);
  assert.equal(
    nameOfTree("abc1234", () => true),
    "abc1234+changes",
  );
  assert.equal(
    nameOfTree("abc1234", () => false),
    "abc1234",
  );
  assert.equal(
    nameOfTree("unknown", () => true),
    "unknown",
  );
});

test("an interrupted run says so", () => {
  assert.match(renderReport(result({}, { complete: false })), /INTERRUPTED/);
});

test("a result survives its way through JSON", () => {
  const found = hello({ "ringcorn-bun": rates(100), "bun-serve": rates(50) });
  assert.equal(renderReport(JSON.parse(JSON.stringify(found)) as BenchResult), renderReport(found));
});

test("the README's figures name the command and the machine", () => {
  const figures = renderFigures(hello({ "ringcorn-bun": rates(100, 100, 100), "bun-serve": rates(50, 50, 50) }));
  assert.match(figures, /`npm run bench`/);
  assert.match(figures, /A processor, 4 cores/);
  assert.match(figures, /2\.00 \(rounds 2\.00\)/);
});

test("a result without any of the figures does not empty the README", () => {
  assert.throws(() => renderFigures(result({})), /run the whole suite first/);
});

test("only what stands between the markers is replaced", () => {
  const before = `# R\n\n${FIGURES_START}\nold\n${FIGURES_END}\n\nend\n`;
  assert.equal(replaceFigures(before, "new"), `# R\n\n${FIGURES_START}\n\nnew\n\n${FIGURES_END}\n\nend\n`);
});

for (const [what, text] of [
  ["no markers", "# R\n"],
  ["markers in the wrong order", `${FIGURES_END}\n${FIGURES_START}\n`],
  ["two pairs", `${FIGURES_START}${FIGURES_END}${FIGURES_START}${FIGURES_END}`],
] as const) {
  test(`a README with ${what} is left alone`, () => {
    assert.throws(() => replaceFigures(text, "new"), { name: "PlainError" });
  });
}

const SUITES = ["micro", "http/hello", "http/pipelined", "idle"];

test("all suites run unless some are named", () => {
  assert.deepEqual(chooseSuites(SUITES, undefined), SUITES);
});

test("suites are named wholly or by the part before the slash, in any order", () => {
  assert.deepEqual(chooseSuites(SUITES, "idle,http"), ["http/hello", "http/pipelined", "idle"]);
  assert.deepEqual(chooseSuites(SUITES, "http/hello"), ["http/hello"]);
  assert.deepEqual(chooseSuites([...SUITES, "web/hello"], "http1"), ["http/hello", "http/pipelined", "web/hello"]);
});

test("an unknown suite is refused", () => {
  assert.throws(() => chooseSuites(SUITES, "htt"), /There is no suite "htt"/);
});

test("rounds and seconds given win over --quick, and the usual rounds are seven at least", () => {
  const quick = settingsFrom({ quick: true, rounds: "9", seconds: "2" });
  assert.deepEqual([quick.rounds, quick.seconds], [9, 2]);
  assert.ok(settingsFrom({}).rounds >= 7);
});

for (const wrong of ["0", "-1", "1.5", "x", ""]) {
  test(`--rounds ${JSON.stringify(wrong)} is refused`, () => {
    assert.throws(() => settingsFrom({ rounds: wrong }), /--rounds takes a whole number/);
  });
}
