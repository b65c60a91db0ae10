/** The other load generators: what is read of their reports, what they are told, which of them a row takes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadOptions } from "../../bench/load/generator.ts";
import { h2loadCommand, parseH2load, parseH2loadLog, rank } from "../../bench/load/h2load.ts";
import { ohaCommand, parseOha } from "../../bench/load/oha.ts";
import { canSend, OMISSION, packagesToFetch, TOOLS, toolFor, wantedTools } from "../../bench/load/tools.ts";
import { WORKLOADS } from "../../bench/load/workloads.ts";

const H2LOAD = `finished in 2.01s, 20943.50 req/s, 2.58MB/s
requests: 41887 total, 41903 started, 41887 done, 41880 succeeded, 7 failed, 2 errored, 0 timeout
status codes: 41880 2xx, 0 3xx, 3 4xx, 2 5xx
traffic: 5.15MB (5403423) total, 3.40MB (3560990) headers (space savings 0.00%), 531.86KB (544622) data
`;

test("h2load's report: what it calls failed are wrong statuses and sockets' errors together", () => {
  const report = parseH2load(H2LOAD, "1\t200\t100\n2\t200\t300\n3\t200\t200\n");
  assert.equal(report.requests, 41885);
  assert.equal(report.seconds, 2.01);
  assert.equal(report.requestsPerSecond, 41885 / 2.01);
  assert.deepEqual([report.wrongStatus, report.socketErrors, report.errors], [5, 2, 7]);
  assert.deepEqual([report.p50Us, report.p99Us, report.p999Us], [200, 300, 300]);
});

test("h2load's log gives the latencies of what was answered, in order", () => {
  assert.deepEqual([...parseH2loadLog("1\t200\t30\n2\t-1\t5\n3\t404\t10\n")], [10, 30]);
  assert.ok(Number.isNaN(rank(parseH2loadLog(""), 0.5)));
});

test("a text without h2load's report is refused", () => {
  assert.throws(() => parseH2load("it did not start", ""), /h2load did not report/);
});

const OHA = {
  summary: { total: 2 },
  latencyPercentiles: { p50: 0.001, p99: 0.0025, "p99.9": null },
  statusCodeDistribution: { "200": 100, "500": 3 },
  errorDistribution: { "aborted due to deadline": 16, "connection refused": 4 },
};

test("oha's report: what the end cut off is no error", () => {
  const report = parseOha(`a line before\n${JSON.stringify(OHA)}`);
  assert.deepEqual([report.requests, report.requestsPerSecond], [103, 51.5]);
  assert.deepEqual([report.wrongStatus, report.socketErrors, report.errors], [3, 4, 7]);
  assert.deepEqual([report.p50Us, report.p99Us], [1000, 2500]);
  assert.ok(Number.isNaN(report.p999Us));
  assert.throws(() => parseOha("nothing"), /oha did not report/);
});

const OPTIONS: LoadOptions = {
  url: "http://127.0.0.1:1/a",
  connections: 8,
  seconds: 3,
  pipelining: 1,
  cpus: [1, 2],
  signal: new AbortController().signal,
  request: { method: "POST", path: "/a", fields: [["X", "1"]], body: "hello" },
  bodyFile: "/b",
};

test("oha and h2load are told the connections, the time, the fields and the body", () => {
  const oha = ohaCommand(OPTIONS, ["--json"]).join(" ");
  assert.match(oha, /-z 3s -c 8 .*-m POST -H X: 1 -D \/b http:\/\/127\.0\.0\.1:1\/a$/);
  const h2load = h2loadCommand(OPTIONS).join(" ");
  assert.match(h2load, /--h1 -c 8 -t 2 -D 3 -m 1 -H X: 1 -d \/b http:\/\/127\.0\.0\.1:1\/a$/);
});

test("a connection for each request is asked of oha by its own option", () => {
  const request = { method: "GET", path: "/", fields: [["Connection", "close"]] } as const;
  assert.ok(ohaCommand({ ...OPTIONS, request }, []).includes("--disable-keepalive"));
  assert.ok(!ohaCommand(OPTIONS, []).includes("--disable-keepalive"));
});

test("h2load has no more threads than connections, which it refuses", () => {
  const command = h2loadCommand({ ...OPTIONS, connections: 1 });
  assert.equal(command[command.indexOf("-t") + 1], "1");
});

test("only wrk sends chunks and mixes, and h2load no connection that closes", () => {
  const named = (name: string) => WORKLOADS.find((workload) => workload.name === name)!;
  assert.deepEqual(
    TOOLS.filter((tool) => canSend(tool, named("web/upload-chunked"))),
    ["wrk"],
  );
  assert.ok(!canSend("h2load", named("web/short")));
  assert.equal(toolFor(named("web/hello"), ["autocannon", "h2load"]), "h2load");
});

test("a load generator that there is none of is refused, and every one says what it leaves out", () => {
  assert.throws(() => wantedTools(["wrk", "ab"]), /There is no load generator "ab"/);
  assert.deepEqual(wantedTools(["autocannon", "wrk"]), ["wrk", "autocannon"]);
  for (const tool of TOOLS) assert.ok(OMISSION[tool].startsWith(tool));
});

test("the packages of a plan to install are those that would be fetched", () => {
  const plan =
    "Reading...\n'http://a/libev4_4.33-1_amd64.deb' libev4_1%3a4.33-1_amd64.deb 43160 MD5Sum:79\n'http://a/x.deb' nghttp2-client_1.52_amd64.deb 1 MD5Sum:0\n";
  assert.deepEqual(packagesToFetch(plan), ["libev4", "nghttp2-client"]);
});
