/** The workload rows: what is asked and accepted, who serves, on which cores, and how long it will take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { dechunk, readAnswer } from "../../bench/load/answer.ts";
import { workloadProblems } from "../../bench/load/ask.ts";
import { cacheDirectory } from "../../bench/load/cache.ts";
import { loadCommand, parseWrkFigures } from "../../bench/load/generator.ts";
import { layoutFor } from "../../bench/load/machine.ts";
import { durationText, newPlan } from "../../bench/load/progress.ts";
import {
  failureOf,
  installEach,
  lastLine,
  packageOf,
  pinnedVersions,
  requirementLines,
} from "../../bench/load/provision.ts";
import { ROW_SERVERS, serversOf } from "../../bench/load/row-groups.ts";
import { isNamed, parseVariant, splitsFor, splitText } from "../../bench/load/row-servers.ts";
import { rowName } from "../../bench/load/rows.ts";
import { toolFor } from "../../bench/load/tools.ts";
import { coresOf, requestBytes, WORKLOADS, type Workload } from "../../bench/load/workloads.ts";
import { pythonProcesses } from "../../bench/profile-python.ts";
import { runtimeOf, withRuntimeFlags } from "../../bench/profile-server.ts";

const HELLO = WORKLOADS.find((workload) => workload.name === "python/hello")!;
const FLASK = WORKLOADS.find((workload) => workload.name === "python/flask")!;
const MIX = WORKLOADS.find((workload) => workload.name === "python/slow-mix")!;
const CHUNKED = WORKLOADS.find((workload) => workload.name === "web/upload-chunked")!;

test("a request stands on the wire with its length", () => {
  const bytes = requestBytes({ method: "POST", path: "/a", fields: [["X", "1"]], body: "hello" }, 80);
  assert.equal(bytes, "POST /a HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX: 1\r\nContent-Length: 5\r\n\r\nhello");
});

test("a chunked request ends with the last chunk, and no length is told", () => {
  const bytes = requestBytes({ method: "POST", path: "/a", body: "hello", chunk: 3 }, 80);
  assert.ok(bytes.endsWith("\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"));
  assert.ok(!bytes.includes("Content-Length"));
});

test("a chunked body is put together, and an unfinished one is not one", () => {
  assert.equal(dechunk("3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\n\r\n"), "hello");
  assert.equal(dechunk("3\r\nhel\r\n2\r\nlo\r\n"), undefined);
  assert.throws(() => dechunk("zz\r\n"), /broken chunk/);
});

test("an answer without a length is whole only at the connection's end", () => {
  const bytes = "HTTP/1.1 200 OK\r\n\r\nhello";
  assert.equal(readAnswer(bytes, false), undefined);
  assert.equal(readAnswer(bytes, true)?.body, "hello");
});

function answerTo(workload: Workload, from = "", to = "") {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: ${workload.type}\r\nContent-Length: ${workload.body.length}\r\n\r\n`;
  return readAnswer((head + workload.body).replace(from, to), true)!;
}

test("the workload's own answer has no problem", () => {
  assert.deepEqual(workloadProblems(answerTo(HELLO), HELLO), []);
});

for (const [what, from, to] of [
  ["another status", "200 OK", "500 Oops"],
  ["another body", "Hello, world!", "Hello, World!"],
  ["another type", "text/plain", "text/html"],
  ["a closed connection", "Content-Length", "Connection: close\r\nContent-Length"],
] as const) {
  test(`${what} is a problem of a workload's answer`, () => {
    assert.equal(workloadProblems(answerTo(HELLO, from, to), HELLO).length, 1);
  });
}

test("every name of a workload is its own, and every application has a server of ours and a peer", () => {
  assert.equal(new Set(WORKLOADS.map((workload) => workload.name)).size, WORKLOADS.length);
  for (const workload of WORKLOADS) {
    const servers = serversOf(workload, { names: undefined, against: undefined });
    assert.ok(servers.some((server) => server.ours) && servers.some((server) => !server.ours), workload.name);
  }
});

test("every server says how it is started, on the port and with the workers that it is given", () => {
  for (const server of ROW_SERVERS) {
    const workload = WORKLOADS.find((each) => server.serves(each))!;
    const site = { workload, port: 4321, cores: 2, workers: 7, fronts: undefined, directory: "/nowhere" };
    const { command } = server.launch(site);
    if (server.group !== "python") continue;
    assert.ok(
      command.some((part) => part.includes("4321")),
      `${server.id} knows its port`,
    );
    // daphne has but one process.
    if (server.workers !== undefined) continue;
    const at = command.findIndex((part) => part === "--workers" || part === "--processes");
    assert.equal(command[at + 1], "7", `${server.id} knows its workers`);
  }
});

test("granian's own interface has an application of its own, for the plain rows alone", () => {
  const rsgi = ROW_SERVERS.find((server) => server.id === "granian-rsgi")!;
  const plain = WORKLOADS.find((each) => each.app === "plain")!;
  const site = { workload: plain, port: 4321, cores: 1, workers: 1, fronts: undefined, directory: "/nowhere" };
  assert.equal(rsgi.launch(site).command.at(-1), "plain_rsgi:app");
  assert.deepEqual([...new Set(WORKLOADS.filter((each) => rsgi.serves(each)).map((each) => each.app))], ["plain"]);
});

test("a beginning names a family of servers, a part of a word does not", () => {
  assert.ok(isNamed("gunicorn-asgi", ["gunicorn"]));
  assert.ok(isNamed("granian", ["uvicorn", "granian"]));
  assert.ok(!isNamed("gunicorn-uvicorn", ["uvicorn"]));
});

test("--against keeps ours and the named", () => {
  const ids = serversOf(FLASK, { names: undefined, against: ["granian"] }).map((server) => server.id);
  assert.deepEqual(ids, ["ringcorn-bun-python", "ringcorn-deno-python", "granian-wsgi"]);
});

test("a variant has its own number of workers and fronts", () => {
  assert.deepEqual(parseVariant("granian"), { id: "granian", workers: undefined, fronts: undefined });
  assert.deepEqual(parseVariant("granian*2"), { id: "granian", workers: 2, fronts: undefined });
  const [server] = serversOf(HELLO, { names: ["ringcorn-bun-python*4/2"], against: undefined });
  assert.equal(server.id, "ringcorn-bun-python*4/2");
  assert.equal(server.title, "Ringcorn on Bun, 4 workers, 2 fronts");
  const site = { workload: HELLO, port: 1, cores: 2, directory: "/nowhere" };
  const { command } = server.launch({ ...site, workers: server.workers, fronts: server.fronts });
  assert.equal(command[command.indexOf("--fronts") + 1], "2");
});

test("ours has a front and a worker on each core, bound to it, unless the row or a variant says otherwise", () => {
  const [server] = serversOf(HELLO, { names: ["ringcorn-bun-python"], against: undefined });
  const split = (cores: number, workers?: number, fronts?: number) => {
    const { command } = server.launch({ workload: HELLO, port: 1, directory: "/nowhere", cores, workers, fronts });
    return command.slice(command.indexOf("--workers") + 1, command.indexOf("--host")).join(" ");
  };
  assert.equal(split(1), "1 --fronts 1");
  assert.equal(split(3), "3 --fronts 3 --pin");
  assert.equal(split(2, 2), "2 --fronts 1");
  assert.equal(split(2, 4, 2), "4 --fronts 2 --pin");
});

for (const wrong of ["granian*", "granian*0", "granian*2*2", "granian*x", "granian*2/"]) {
  test(`the variant ${wrong} is refused`, () => {
    assert.throws(() => parseVariant(wrong), /is no server/);
  });
}

test("splits are tried around the number of cores, several fronts for ours only", () => {
  assert.deepEqual(splitsFor(1, true).map(splitText), ["1 worker, 1 front", "2 workers, 1 front"]);
  assert.deepEqual(splitsFor(2, false).map(splitText), ["1 worker", "2 workers", "3 workers"]);
  assert.equal(splitsFor(2, true).map(splitText).at(-1), "2 workers, 2 fronts");
});

const ONE = { server: 0, generator: [2, 3] };

test("more server cores leave fewer for the generator, and none is refused", () => {
  const all = [0, 1, 2, 3];
  assert.deepEqual(layoutFor(1, all, ONE), { serverCpus: [0], generatorCpus: [2, 3] });
  assert.deepEqual(layoutFor(2, all, ONE), { serverCpus: [0, 1], generatorCpus: [2, 3] });
  assert.deepEqual(layoutFor(3, all, ONE), { serverCpus: [0, 1, 2], generatorCpus: [3] });
  assert.equal(layoutFor(4, all, ONE), undefined);
});

test("server and generator never share a core", () => {
  for (let cores = 2; cores < 8; cores++) {
    const layout = layoutFor(cores, [0, 1, 2, 3, 4, 5, 6, 7], { server: 3, generator: [4, 5, 6, 7] })!;
    assert.equal(layout.serverCpus.length, cores);
    assert.deepEqual(
      layout.serverCpus.filter((cpu) => layout.generatorCpus.includes(cpu)),
      [],
    );
  }
});

test("a workload's rows are on its own cores only", () => {
  assert.deepEqual(coresOf(HELLO, [1, 3]), [1, 3]);
  assert.deepEqual(coresOf(MIX, [1, 2, 3]), [2]);
  assert.deepEqual(coresOf(MIX, [1]), []);
  assert.equal(rowName(MIX, 2), "python/slow-mix@2");
});

test("only wrk sends chunks, and rows about tails have a generator of their own", () => {
  assert.equal(toolFor(MIX, ["wrk", "autocannon"]), "loop");
  assert.equal(toolFor({ ...MIX, exact: false }, ["autocannon"]), undefined);
  assert.equal(toolFor(CHUNKED, ["wrk", "autocannon"]), "wrk");
  assert.equal(toolFor(CHUNKED, ["autocannon"]), undefined);
  assert.equal(toolFor(HELLO, ["autocannon"]), "autocannon");
});

const FIGURES = `Running 1s test @ http://127.0.0.1:1/
  Latency Distribution
     50%  688.00us
     99%    2.42ms
  1000 requests in 2.00s, 18.95MB read
figures p50=688 p99=2420 p99.9=9000 connect=1 read=2 write=3 timeout=4 status=50
`;

test("request.lua's figures are read, and their absence is an error", () => {
  const report = parseWrkFigures(FIGURES);
  assert.equal(report.p999Us, 9000);
  assert.deepEqual([report.errors, report.wrongStatus, report.socketErrors], [60, 50, 10]);
  assert.throws(() => parseWrkFigures(FIGURES.replace("figures", "?")), /did not report/);
});

test("a percentile of zero is no number", () => {
  assert.ok(Number.isNaN(parseWrkFigures(FIGURES.replace("p99.9=9000", "p99.9=0")).p999Us));
});

test("autocannon is told the request, wrk the files that hold it", () => {
  const load = { url: "http://a/", connections: 1, seconds: 1, pipelining: 1, cpus: [1] };
  const { signal } = new AbortController();
  const request = { method: "POST", path: "/", body: "x", fields: [["A", "b"]] } as const;
  const told = loadCommand("autocannon", { ...load, signal, request, bodyFile: "/body" });
  assert.deepEqual(told.slice(-7), ["-m", "POST", "-H", "A=b", "-i", "/body", "http://a/"]);
  const named = loadCommand("wrk", { ...load, signal, script: ["file", "other", "100"] });
  assert.deepEqual(named.slice(-5), ["http://a/", "--", "file", "other", "100"]);
});

test("the cache is the user's, and a relative XDG_CACHE_HOME counts as not set", () => {
  assert.equal(cacheDirectory({ XDG_CACHE_HOME: "/cache" }, "/h"), "/cache/ringcorn-bench");
  assert.equal(cacheDirectory({ XDG_CACHE_HOME: "cache" }, "/h"), "/h/.cache/ringcorn-bench");
  assert.equal(cacheDirectory({}, "/h"), "/h/.cache/ringcorn-bench");
});

test("requirements are read with their packages and versions", () => {
  const lines = requirementLines("# a comment\nuvicorn[standard]==0.54.0\n\nFlask==3.1.3\n");
  assert.deepEqual(lines.map(packageOf), ["uvicorn", "flask"]);
  assert.deepEqual(pinnedVersions(lines), { uvicorn: "0.54.0", flask: "3.1.3" });
});

test("an installer's reason is the last thing it said", () => {
  assert.equal(
    lastLine("Collecting x\nERROR: No matching distribution found for x\n\n"),
    "No matching distribution found for x",
  );
  assert.equal(
    lastLine("npm error 404 Not Found\nnpm error A complete log of this run can be found in: /x"),
    "404 Not Found",
  );
});

for (const [who, output, unreachable] of [
  ["npm", "npm error code EAI_AGAIN\nnpm error request to https://r/x failed, reason: getaddrinfo EAI_AGAIN r\n", true],
  [
    "pip",
    "WARNING: Retrying after connection broken by 'NewConnectionError('x')'\nERROR: No matching distribution\n",
    true,
  ],
  ["pip", "ERROR: No matching distribution found for uwsgi==9\n", false],
  ["npm", "npm error code E404\nnpm error 404 Not Found\n", false],
] as const) {
  test(`${who}'s output ${unreachable ? "of a registry out of reach" : `"${lastLine(output)}"`} is known for what it is`, () => {
    const failure = failureOf(output);
    assert.equal(failure.unreachable, unreachable);
    assert.equal(failure.reason.startsWith("the registry could not be reached: "), unreachable);
  });
}

test("packages are tried one by one after a failure, so that one does not cost the others", async () => {
  const tried: string[] = [];
  const install = (some: readonly string[]) => {
    tried.push(some.join("+"));
    return Promise.resolve(some.includes("b") ? { reason: "no", unreachable: false } : undefined);
  };
  assert.deepEqual(await installEach(["a", "b", "c"], (name) => name, install), { b: "no" });
  assert.deepEqual(tried, ["a+b+c", "a", "b", "c"]);
});

test("without a network each package is told to be missing, and no more than one is tried by itself", async () => {
  let tries = 0;
  const install = () => Promise.resolve(tries++ >= 0 ? { reason: "away", unreachable: true } : undefined);
  assert.deepEqual(await installEach(["a", "b", "c"], (name) => name, install), { a: "away", b: "away", c: "away" });
  assert.equal(tries, 2);
});

for (const [seconds, text] of [
  [12.4, "12 s"],
  [89, "89 s"],
  [600, "10 min"],
  [5400, "1 h 30 min"],
  [7500, "2 h 05 min"],
] as const) {
  test(`${seconds} seconds are ${text}`, () => {
    assert.equal(durationText(seconds), text);
  });
}

test("the time to go follows the turns that have ended", () => {
  let nowMs = 0;
  const plan = newPlan(
    [
      { suite: "a", turns: 3, secondsEach: 10 },
      { suite: "b", turns: 2, secondsEach: 5 },
    ],
    () => nowMs,
  );
  assert.equal(plan.toGo(), "40 s to go");
  nowMs = 20_000;
  plan.turn("a");
  assert.equal(plan.toGo(), "50 s to go");
  plan.drop("a");
  assert.equal(plan.toGo(), "10 s to go");
});

test("flags of the runtime stand behind it, and behind deno run", () => {
  assert.deepEqual(withRuntimeFlags(["bun", "a.ts"], ["--x"]), ["bun", "--x", "a.ts"]);
  assert.deepEqual(withRuntimeFlags(["deno", "run", "-A", "a.ts"], ["--x"]), ["deno", "run", "--x", "-A", "a.ts"]);
});

test("Node's servers write no profile, Python's are profiled from outside", () => {
  assert.equal(runtimeOf(["/x/bun", "a.ts"]), "bun");
  assert.equal(runtimeOf(["/x/deno", "run", "a.ts"]), "deno");
  assert.equal(runtimeOf(["/x/venv/bin/python", "-m", "uvicorn"]), undefined);
  assert.throws(() => runtimeOf(["/x/node", "a.mjs"]), /Node writes no profile/);
});

test("Python's processes are found by the program that they run", () => {
  const programs = ["", "/x/bun", "/usr/bin/python3.11", "/venv/bin/uwsgi", "/x/python-tool"];
  assert.deepEqual(
    pythonProcesses([0, 1, 2, 3, 4], (pid) => programs[pid]),
    [2, 3],
  );
});
