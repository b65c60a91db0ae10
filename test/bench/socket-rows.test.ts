/** The WebSocket rows: what there is, what is accepted as an answer, and when a goal is reached. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { outcomes } from "../../bench/goals.ts";
import { SOCKET_GOALS } from "../../bench/goals-websocket.ts";
import { packageOf, requirementLines } from "../../bench/load/provision.ts";
import { ROW_SERVERS, serversOf } from "../../bench/load/row-groups.ts";
import { agreedIn } from "../../bench/load/socket-idle.ts";
import { socketProblems } from "../../bench/load/socket-load.ts";
import { PYTHON_SOCKET_WORKLOADS, SOCKET_WORKLOADS } from "../../bench/load/socket-workloads.ts";
import { toolFor } from "../../bench/load/tools.ts";
import type { BenchResult, SocketIdleSample } from "../../bench/load/types.ts";
import { payloadOf, serverFrame } from "../../bench/load/ws-frames.ts";
import { renderReport } from "../../bench/report.ts";
import { rates, result, row } from "./fixtures.ts";

const ALL = { names: undefined, against: undefined };

test("echoes of three sizes on three numbers of connections, and two broadcasts, for both kinds of application", () => {
  for (const workloads of [SOCKET_WORKLOADS, PYTHON_SOCKET_WORKLOADS]) {
    const shapes = workloads.map(({ socket, connections }) => `${socket!.mode} ${socket!.bytes} x ${connections}`);
    assert.equal(new Set(shapes).size, 11);
    assert.ok(shapes.includes("echo 16 x 1") && shapes.includes("echo 65536 x 1000"));
    assert.ok(shapes.includes("broadcast 128 x 32") && shapes.includes("broadcast 128 x 1000"));
  }
});

test("the peers are those that the goals name, and --against uvicorn means all of its implementations", () => {
  const ids = (workload = SOCKET_WORKLOADS[0], selection: Parameters<typeof serversOf>[1] = ALL) =>
    serversOf(workload, selection).map((server) => server.id);
  assert.deepEqual(ids(), ["ringcorn-bun", "ringcorn-deno", "bun-serve", "deno-serve", "ws-node"]);
  assert.deepEqual(ids(PYTHON_SOCKET_WORKLOADS[0], { ...ALL, against: ["uvicorn"] }).slice(2), [
    "uvicorn-websockets",
    "uvicorn-websockets-sansio",
    "uvicorn-wsproto",
  ]);
  const known = [...ids(), ...ids(PYTHON_SOCKET_WORKLOADS[0])];
  for (const { ours, theirs } of SOCKET_GOALS) for (const id of [ours, ...theirs]) assert.ok(known.includes(id), id);
});

test("ws has its native masking beside it, at the version that the tree's own tests use", () => {
  const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
  const ws = serversOf(SOCKET_WORKLOADS[0], ALL).find((server) => server.id === "ws-node")!;
  assert.deepEqual(ws.needs, ["ws", "bufferutil"]);
  const { dependencies } = read("../../bench/peers/package.json");
  assert.equal(dependencies.ws, read("../../package.json").devDependencies.ws);
  // What is needed is installed: a name that nobody installs would never be found missing.
  const python = requirementLines(
    readFileSync(new URL("../../bench/peers/requirements-python.txt", import.meta.url), "utf8"),
  );
  const installed = [...python.map(packageOf), ...Object.keys(dependencies)];
  for (const { id, needs } of ROW_SERVERS)
    for (const name of needs) assert.ok(installed.includes(name), `${id}: ${name}`);
});

test("every server is told its port", () => {
  for (const workload of [SOCKET_WORKLOADS[0], PYTHON_SOCKET_WORKLOADS[0]]) {
    for (const server of serversOf(workload, ALL)) {
      const site = { workload, port: 4321, cores: 1, workers: undefined, fronts: undefined, directory: "/nowhere" };
      assert.match(server.launch(site).command.join(" "), /4321/, server.id);
    }
  }
});

test("no load generator from elsewhere is needed", () => {
  assert.equal(toolFor(SOCKET_WORKLOADS[0], []), "socket");
});

test("a refused handshake, other bytes and a missing end are problems of an echo; the message is none", () => {
  const wanted = serverFrame(payloadOf(16), "text");
  const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket";
  assert.deepEqual(socketProblems(head, wanted, wanted), []);
  assert.match(socketProblems("HTTP/1.1 501 Not Implemented\r\nA: b", wanted, wanted)[0], /501 Not Implemented/);
  assert.equal(socketProblems(head, wanted.subarray(0, 17), wanted).length, 1);
  assert.equal(socketProblems(head, serverFrame(payloadOf(16), "binary"), wanted).length, 1);
});

function outcome(found: BenchResult, what: string): { reached: boolean | undefined; what: string } {
  return outcomes(found).find((each) => each.what.startsWith(what))!;
}

test("nine tenths of Bun.serve's echo are enough, and less is not", () => {
  const at = (rate: number) =>
    result({ "websocket/echo-16b-64@1": row({ "ringcorn-bun": rates(rate), "bun-serve": rates(100) }) });
  assert.equal(outcome(at(90), "websocket/echo-16b-64@1, messages/s: Ringcorn on Bun over Bun.serve").reached, true);
  assert.equal(outcome(at(89), "websocket/echo-16b-64@1, messages/s: Ringcorn on Bun over Bun.serve").reached, false);
});

test("uvicorn is judged by the fastest of its implementations", () => {
  const found = (ours: number) =>
    result({
      "python-websocket/broadcast-32@1": row({
        "ringcorn-bun-python": rates(ours),
        "uvicorn-websockets": rates(50),
        "uvicorn-wsproto": rates(100),
      }),
    });
  const what = "python-websocket/broadcast-32@1, messages/s: Ringcorn on Bun over uvicorn";
  assert.equal(outcome(found(150), what).reached, true);
  assert.equal(outcome(found(149), what).reached, false);
  assert.match(outcome(found(1), what).what, /wsproto/);
});

const IDLE = { connections: 10_000, anonymousPerConnection: 1, idleRssBytes: 1 } as SocketIdleSample;

test("idle WebSockets are judged uncompressed, and reported with what was agreed upon", () => {
  const samples = (bytes: number): SocketIdleSample[] => [
    { ...IDLE, rssPerConnection: bytes, compressed: false, agreed: 0 },
    { ...IDLE, rssPerConnection: 99_999, compressed: true, agreed: 10_000 },
  ];
  const at = (bytes: number) => result({}, { idleSockets: { "ringcorn-bun": samples(bytes) } });
  assert.equal(outcome(at(8192), "idle WebSockets, bytes each, uncompressed: Ringcorn on Bun").reached, true);
  assert.equal(outcome(at(8193), "idle WebSockets, bytes each, uncompressed: Ringcorn on Bun").reached, false);
  assert.match(renderReport(at(1)), /\| Ringcorn on Bun \| 10000 +\| yes +\| 99,999/);
  const refused = { ...IDLE, rssPerConnection: 5, compressed: true, agreed: 0 };
  assert.match(renderReport(result({}, { idleSockets: { granian: [refused] } })), /offered, not agreed to/);
  assert.equal(agreedIn("ready 10000 compressed 9999"), 9_999);
});

test("a WebSocket row counts messages", () => {
  const report = renderReport(result({ "websocket/echo-16b-1@1": row({ "ringcorn-bun": rates(5) }) }));
  assert.match(report, /requests\/s/);
  const socket = rates(5).map((sample) => ({ ...sample, tool: "socket" as const }));
  assert.match(renderReport(result({ "websocket/echo-16b-1@1": row({ "ringcorn-bun": socket }) })), /messages\/s/);
});
