/** The scaling rows and their curves, and the rows that wait for their protocol. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { curvesOf } from "../../bench/curves.ts";
import { renderHtml } from "../../bench/html.ts";
import { PLANNED_ROWS, plannedText } from "../../bench/load/planned.ts";
import { serversOf } from "../../bench/load/row-groups.ts";
import { SCALING_WORKLOADS } from "../../bench/load/scaling-workloads.ts";
import { toolFor } from "../../bench/load/tools.ts";
import type { HttpSuiteResult } from "../../bench/load/types.ts";
import { WORKLOADS } from "../../bench/load/workloads.ts";
import { chooseSuites } from "../../bench/options.ts";
import { renderReport } from "../../bench/report.ts";
import { rates, result, row, SAMPLE } from "./fixtures.ts";

test("curves reach from 1 to 10,000 connections, and from nothing to 10 MB", () => {
  for (const group of ["scaling", "python-scaling"]) {
    const points = (curve: string) => SCALING_WORKLOADS.filter((each) => each.curve?.name === `${group}/${curve}`);
    const connections = points("connections").map((workload) => workload.connections);
    assert.deepEqual([connections[0], connections.at(-1)], [1, 10_000]);
    const bytes = points("body").map((workload) => workload.body.length);
    assert.deepEqual([bytes[0], bytes.at(-1)], [0, 10 * 1_024 ** 2]);
    for (const workload of points("body")) assert.equal(workload.request.path, `/body/${workload.body.length}`);
  }
});

test("all points of a curve are asked by the same client, of the same servers", () => {
  for (const workload of SCALING_WORKLOADS.filter(({ curve }) => curve !== undefined)) {
    assert.equal(toolFor(workload, ["wrk"]), "own");
    const ids = serversOf(workload, { names: undefined, against: undefined }).map((server) => server.id);
    assert.deepEqual(ids.sort(), [...workload.servers!].sort(), workload.name);
  }
});

test("on several cores every server of TypeScript applications runs as many processes, and on one core one", () => {
  const workload = SCALING_WORKLOADS.find(({ name }) => name === "scaling/cores")!;
  for (const server of serversOf(workload, { names: undefined, against: undefined })) {
    const on = (cores: number) =>
      server
        .launch({ workload, port: 1, cores, workers: undefined, fronts: undefined, directory: "/nowhere" })
        .command.join(" ");
    assert.match(on(3), server.ours ? /--workers 3/ : /many\.mjs 3 (?:cluster|spawn)/, server.id);
    assert.doesNotMatch(on(1), /--workers|many\.mjs/, server.id);
  }
});

function point(label: string, cpuSeconds: number, samples = 1): HttpSuiteResult {
  const one = { ...SAMPLE, serverCpuSeconds: cpuSeconds, requests: 1_000 };
  return {
    ...row({ "ringcorn-bun": Array.from({ length: samples }, () => one) }),
    curve: { name: "scaling/body", by: "bytes of the body", label },
  };
}

const CURVE = result({
  "scaling/body-0@1": point("0", 0.01),
  "web/hello@1": row({ "ringcorn-bun": rates(5) }),
  "scaling/body-1kb@1": point("1,024", 0.02),
  "scaling/body-10kb@1": point("10,240", 0, 0),
});

test("a curve has the processor time of a request at each of its points, and none where nothing was measured", () => {
  const [curve, ...others] = curvesOf(CURVE);
  assert.deepEqual(others, []);
  assert.deepEqual([curve.name, curve.labels], ["scaling/body", ["0", "1,024", "10,240"]]);
  assert.deepEqual(
    curve.lines[0].points.map((each) => each && Math.round(each.median)),
    [10, 20, null],
  );
});

test("a curve stands in the report, and is drawn below its heading", () => {
  assert.match(renderReport(CURVE), /### scaling\/body\n[\s\S]*\| bytes of the body +\| 0 +\| 1,024 +\| 10,240/);
  assert.match(renderReport(CURVE), /\| Ringcorn on Bun +\| 10\.0 +\| 20\.0 +\| – +\|/);
  const page = renderHtml(CURVE);
  assert.match(page, /<h2 id="scaling\/body">scaling\/body<\/h2>\n<div class="charts">.*data-kind="curve"/);
});

test("a row at a fixed rate has a chart of its latencies there", () => {
  const figures = { rate: 7, requests: 7, seconds: 1, requestsPerSecond: 7, p50Us: 1, p99Us: 2, p999Us: 3 };
  const counts = { wrongStatus: 0, socketErrors: 0, unanswered: 0, errors: 0, lateP99Us: 0 };
  const paced = { ...SAMPLE, paced: { ...figures, ...counts } };
  assert.match(renderHtml(result({ "web/hello@1": row({ "ringcorn-bun": [paced] }) })), /data-kind="paced"/);
  assert.doesNotMatch(renderHtml(CURVE), /data-kind="paced"/);
});

test("rows whose protocol is not spoken have their place: listed, counted, and refused with the reason", () => {
  for (const protocol of ["tls", "http2", "http3"]) {
    assert.ok(
      PLANNED_ROWS.some(({ name }) => name.startsWith(`${protocol}/`)),
      protocol,
    );
  }
  assert.match(plannedText(), new RegExp(`not spoken yet \\(${PLANNED_ROWS.length}\\)`));
  assert.equal(plannedText([]), "");
  assert.match(renderReport(result({})), new RegExp(`${PLANNED_ROWS.length} rows are not spoken yet`));
  assert.throws(() => chooseSuites(["http/hello"], "http2/hello"), /not spoken yet/);
  assert.throws(() => chooseSuites(["http/hello"], "tls"), /not spoken yet/);
  const names = [...WORKLOADS, ...PLANNED_ROWS].map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});
