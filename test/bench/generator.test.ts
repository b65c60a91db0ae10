/** What is read of wrk's and autocannon's reports, and of the servers' answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readAnswer } from "../../bench/load/answer.ts";
import { parseAutocannon, parseWrk, parseWrkDuration, withoutFalseLatencies } from "../../bench/load/generator.ts";
import { isSettled } from "../../bench/load/idle.ts";
import { parseMicro } from "../../bench/load/micro.ts";
import { answerProblems, ownFields } from "../../bench/load/parity.ts";
import { findAddress } from "../../bench/load/servers.ts";

const WRK = `Running 2s test @ http://127.0.0.1:3991/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   835.90us  413.66us   7.78ms   87.62%
    Req/Sec    38.77k     6.34k   52.72k    67.50%
  Latency Distribution
     50%  688.00us
     75%    0.98ms
     90%    1.27ms
     99%    2.42ms
  154066 requests in 2.00s, 18.95MB read
Requests/sec:  76941.71
Transfer/sec:      9.47MB
`;

for (const [text, microseconds] of [
  ["688.00us", 688],
  ["2.42ms", 2420],
  ["1.10s", 1_100_000],
  ["1.01m", 60_600_000],
] as const) {
  test(`wrk's duration ${text}`, () => {
    assert.equal(Math.round(parseWrkDuration(text)), microseconds);
  });
}

test("wrk's report", () => {
  assert.deepEqual(parseWrk(WRK), {
    requests: 154066,
    seconds: 2,
    requestsPerSecond: 77033,
    p50Us: 688,
    p99Us: 2420,
    errors: 0,
  });
});

test("wrk's report with a space behind whole seconds", () => {
  assert.equal(parseWrk(WRK.replace("2.42ms", "1.50s ")).p99Us, 1_500_000);
});

test("wrk's errors are all counted", () => {
  const lines = "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\n";
  assert.equal(parseWrk(WRK.replace("Requests/sec", `${lines}Requests/sec`)).errors, 54321);
});

test("a percentile that wrk lost is no number, not the best latency ever", () => {
  assert.ok(Number.isNaN(parseWrk(WRK.replace("2.42ms", "0.00us")).p99Us));
});

test("wrk's latencies count only without pipelining", () => {
  const report = parseWrk(WRK);
  assert.equal(withoutFalseLatencies(report, 1).p99Us, 2420);
  assert.ok(Number.isNaN(withoutFalseLatencies(report, 16).p99Us));
  assert.equal(withoutFalseLatencies(report, 16).requests, report.requests);
});

test("a report that is cut short is an error, not zero", () => {
  assert.throws(() => parseWrk(WRK.slice(0, 200)), /wrk did not report/);
});

test("autocannon's report", () => {
  const report = parseAutocannon(
    `some warning\n${JSON.stringify({
      duration: 2.02,
      errors: 3,
      timeouts: 2,
      mismatches: 10,
      non2xx: 100,
      requests: { total: 101_000 },
      latency: { p50: 1, p99: 5 },
    })}`,
  );
  assert.deepEqual(report, {
    requests: 101_000,
    seconds: 2.02,
    requestsPerSecond: 50_000,
    p50Us: 1000,
    p99Us: 5000,
    errors: 113,
  });
});

test("no report of autocannon is an error", () => {
  assert.throws(() => parseAutocannon("Segmentation fault"), /autocannon did not report/);
});

const NOW = Date.parse("Tue, 15 Nov 1994 08:12:31 GMT");
const ANSWER =
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain; Charset=UTF-8\r\nServer: x\r\ncontent-length: 13\r\nDate: Tue, 15 Nov 1994 08:12:30 GMT\r\n\r\nHello, world!";

test("an answer is whole only with its last byte", () => {
  assert.equal(readAnswer(ANSWER.slice(0, -1), false), undefined);
  assert.equal(readAnswer(ANSWER, false)?.body, "Hello, world!");
});

test("the right answer has no problem, and its own fields are named", () => {
  const answer = readAnswer(ANSWER, false)!;
  assert.deepEqual(answerProblems(answer, NOW), []);
  assert.deepEqual(ownFields(answer), ["Server"]);
  assert.equal(answer.bytes, ANSWER.length);
});

for (const [what, from, to] of [
  ["another status", "200 OK", "201 Created"],
  ["another body", "Hello, world!", "Hello, World!"],
  ["another type", "text/plain", "text/html"],
  ["no date", "Date:", "X-Date:"],
  ["an old date", "1994 08:12:30", "1993 08:12:30"],
  ["a closed connection", "Server: x", "Connection: close"],
] as const) {
  test(`${what} is a problem`, () => {
    assert.equal(answerProblems(readAnswer(ANSWER.replace(from, to), false)!, NOW).length, 1);
  });
}

test("a banner's address is found, the wildcard host is not one", () => {
  assert.deepEqual(findAddress("Ringcorn\n  http://127.0.0.1:41234/ \n"), { host: "127.0.0.1", port: 41234 });
  assert.equal(findAddress("http://example.org:80"), undefined);
});

test("memory is settled when the last readings agree", () => {
  assert.equal(isSettled([500, 100, 100.1, 100.2, 100.3]), true);
  assert.equal(isSettled([100, 100, 100, 101]), false);
  assert.equal(isSettled([100, 100, 100]), false);
});

test("a micro benchmark's report is found among what else it printed", () => {
  const report = {
    suite: "ring",
    fastest: 2,
    waitedSeconds: 0,
    missing: [],
    results: [{ name: "take", p25Ns: 1, p50Ns: 2, p75Ns: 3 }],
  };
  assert.deepEqual(parseMicro(`Warning: x\n${JSON.stringify(report)}\n`), report);
  assert.equal(parseMicro("nothing"), undefined);
});
