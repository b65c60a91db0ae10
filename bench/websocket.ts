/**
 * WebSocket rows: ringcorn on Bun and Deno against Bun.serve, Deno.serve and npm's ws on Node. One core for the servers,
 * others for the load; the rounds are interleaved. Beside each rate stands the server's processor time for a message,
 * which a busy machine disturbs less.
 *
 *   bun bench/websocket.ts [--seconds 1.5] [--rounds 3] [--rows echo|broadcast] [--bytes 16] [--connections 64]
 *                          [--servers ringcorn-bun,bun-serve] [--tree before=DIR] [--window 1]
 *
 * `--tree NAME=DIR` adds ringcorn from another working tree as NAME-bun and NAME-deno.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { argv, stdout } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithUs } from "./load/children.ts";
import { freePort } from "./load/launch.ts";
import { describeMachine } from "./load/machine.ts";
import { program, ROOT } from "./load/programs.ts";
import { provideWeb } from "./load/provision.ts";
import { runWebSocketLoad } from "./load/ws-load.ts";
import { parsedOrLeave } from "./program.ts";

const HELP = `bun bench/websocket.ts [--seconds 1.5] [--rounds 3] [--rows echo,broadcast] [--bytes 16] [--connections 64]
                       [--servers ringcorn-bun,bun-serve] [--tree NAME=DIR] [--window 1] [--kind text|binary]
`;
const { values } = parsedOrLeave(
  {
    args: argv.slice(2),
    options: {
      seconds: { type: "string", default: "1.5" },
      rounds: { type: "string", default: "3" },
      rows: { type: "string", default: "echo,broadcast" },
      bytes: { type: "string" },
      connections: { type: "string" },
      servers: { type: "string" },
      tree: { type: "string", multiple: true, default: [] },
      window: { type: "string", default: "1" },
      kind: { type: "string", default: "text" },
    },
  },
  HELP,
);
const list = (text: string | undefined, otherwise: readonly number[]) => text?.split(",").map(Number) ?? otherwise;
const SECONDS = Number(values.seconds);
const ROUNDS = Number(values.rounds);
const ECHO = { bytes: [16, 1024, 65_536], connections: [1, 64, 1000] };
const BROADCAST = { bytes: [128], connections: [32, 1000] };
const START_TIMEOUT_MS = 10_000;
const POLL_MS = 50;

interface Contender {
  readonly name: string;
  readonly cwd: string;
  command(port: number): readonly string[];
}

function ringcorn(prefix: string, cwd: string): Contender[] {
  const rest = (port: number) => [
    "src/cli/main.ts",
    "bench/apps/ws-echo.ts:app",
    "--port",
    `${port}`,
    "--no-access-log",
    "--log-level=error",
  ];
  return [
    { name: `${prefix}-bun`, cwd, command: (port) => [program("bun"), ...rest(port)] },
    { name: `${prefix}-deno`, cwd, command: (port) => [program("deno"), "run", "-A", "--unstable-net", ...rest(port)] },
  ];
}

const peer = (name: string, ...command: string[]): Contender => ({
  name,
  cwd: ROOT,
  command: (port) => [...command, `${port}`],
});
const CONTENDERS: readonly Contender[] = [
  ...ringcorn("ringcorn", ROOT),
  peer("bun-serve", program("bun"), "bench/peers/ws-bun-serve.ts"),
  peer("deno-serve", program("deno"), "run", "-A", "bench/peers/ws-deno-serve.ts"),
  peer("ws-node", program("node"), join((await provideWeb(() => {})).directory, "ws-node.mjs")),
  ...values.tree.flatMap((pair) => {
    const [prefix, cwd] = pair.split("=");
    return ringcorn(prefix, cwd);
  }),
];

interface Running extends Contender {
  readonly port: number;
  readonly child: ChildProcess;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function start(contender: Contender, cpu: number): Promise<Running> {
  const port = await freePort();
  const child = endWithUs(
    spawn("taskset", ["-c", `${cpu}`, ...contender.command(port)], {
      cwd: contender.cwd,
      detached: true,
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await listens(port))) {
    if (performance.now() > deadline) throw new Error(`${contender.name} does not listen.`);
    await sleep(POLL_MS);
  }
  return { ...contender, port, child };
}

/** Microseconds of processor time so far, of all threads, to the nanosecond that the scheduler counts. */
function cpuMicroseconds(pid: number): number {
  let total = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]);
  }
  return total / 1e3;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

interface Row {
  readonly mode: "echo" | "broadcast";
  readonly bytes: number;
  readonly connections: number;
}

const rows: Row[] = [];
for (const mode of values.rows.split(",") as Row["mode"][]) {
  const grid = mode === "echo" ? ECHO : BROADCAST;
  for (const bytes of list(values.bytes, grid.bytes)) {
    for (const connections of list(values.connections, grid.connections)) rows.push({ mode, bytes, connections });
  }
}

const machine = describeMachine(undefined);
const { signal } = new AbortController();
const wanted = values.servers?.split(",");
const servers: Running[] = [];

async function measure(server: Running, row: Row): Promise<{ rate: number; cpu: number }> {
  let before = 0;
  let after = 0;
  const kind = values.kind === "binary" ? "binary" : "text";
  const load = { ...row, kind, port: server.port, seconds: SECONDS, window: Number(values.window) } as const;
  const run = await runWebSocketLoad(
    { ...load, cpus: machine.generatorCpus, signal },
    {
      started: () => {
        before = cpuMicroseconds(server.child.pid!);
      },
      ended: () => {
        after = cpuMicroseconds(server.child.pid!);
      },
    },
  );
  const cpu = (after - before) / run.messages;
  if (run.wrong + run.lost > 0) throw new Error(`${server.name}: ${run.wrong} wrong answers, ${run.lost} lost`);
  return { rate: run.messagesPerSecond, cpu };
}

try {
  for (const contender of CONTENDERS) {
    if (wanted === undefined || wanted.includes(contender.name))
      servers.push(await start(contender, machine.serverCpu));
  }
  console.log(
    `messages/s, medians of ${ROUNDS} rounds of ${SECONDS} s; in brackets µs of the server's time, least of them`,
  );
  console.log(["row", ...servers.map(({ name }) => name)].join("\t"));
  for (const row of rows) {
    const samples = servers.map((): { rate: number; cpu: number }[] => []);
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < servers.length; i++) samples[i].push(await measure(servers[i], row));
    }
    const figures = samples.map((each) => {
      const rate = Math.round(median(each.map((sample) => sample.rate))).toLocaleString("en");
      return `${rate} (${Math.min(...each.map((sample) => sample.cpu)).toFixed(2)})`;
    });
    stdout.write(`${[`${row.mode} ${row.bytes} B x ${row.connections}`, ...figures].join("\t")}\n`);
  }
} finally {
  for (const { child } of servers) child.kill("SIGKILL");
}
