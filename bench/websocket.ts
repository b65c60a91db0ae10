/**
 * WebSocket echo: ringcorn on Bun and Deno against Bun.serve and npm's ws on Node, one server core, rotating.
 *
 *   bun bench/websocket.ts [SECONDS] [ROUNDS]
 *
 * Where taskset is there, the server has a core of its own and the load two others.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const SECONDS = process.argv[2] ?? "1.5";
const ROUNDS = Number(process.argv[3] ?? 3);
const BUN = join(ROOT, "node_modules", "bun", "bin", "bun.exe");
const DENO = join(ROOT, "node_modules", "deno", "deno");
const PINNED = spawnSync("taskset", ["-V"]).status === 0;
const FIRST_PORT = 18_700;
const SETTLE_MS = 1200;

const ringcorn = (port: number) => [
  "src/cli/main.ts",
  "bench/apps/ws-echo.ts:app",
  "--port",
  `${port}`,
  "--no-access-log",
  "--log-level=error",
];
const SERVERS: readonly (readonly [name: string, command: (port: number) => readonly string[]])[] = [
  ["ringcorn on Bun", (port) => [BUN, ...ringcorn(port)]],
  ["ringcorn on Deno", (port) => [DENO, "run", "-A", "--unstable-net", ...ringcorn(port)]],
  ["Bun.serve", (port) => [BUN, "bench/peers/ws-bun-serve.ts", `${port}`]],
  ["ws on Node", (port) => ["node", "bench/peers/ws-node.mjs", `${port}`]],
];
const SIZES = [16, 1024, 65_536];
const CONNECTIONS = [1, 64, 1000];

function start(core: string, [program, ...args]: readonly string[], stdout: "pipe" | "ignore"): ChildProcess {
  const [file, rest] = PINNED ? ["taskset", ["-c", core, program, ...args]] : [program, args];
  return spawn(file, rest, { cwd: ROOT, stdio: ["ignore", stdout, "inherit"] });
}

async function rate(port: number, connections: number, bytes: number): Promise<number> {
  const child = start(
    "1,2",
    [BUN, "bench/load/ws-client.ts", `${port}`, `${connections}`, `${bytes}`, SECONDS],
    "pipe",
  );
  let text = "";
  child.stdout!.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  await new Promise((resolve) => child.once("close", resolve));
  const { messages, seconds, ready } = JSON.parse(text) as { messages: number; seconds: number; ready: number };
  if (ready !== connections) throw new Error(`${ready} of ${connections} connections were accepted`);
  return messages / seconds;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

const children = SERVERS.map(([, command], i) => start("0", command(FIRST_PORT + i), "ignore"));
try {
  await sleep(SETTLE_MS);
  console.log(`messages/s, median of ${ROUNDS} rounds of ${SECONDS} s`);
  console.log(["bytes", "connections", ...SERVERS.map(([name]) => name)].join("\t"));
  for (const bytes of SIZES) {
    for (const connections of CONNECTIONS) {
      const rates: number[][] = SERVERS.map(() => []);
      for (let round = 0; round < ROUNDS; round++) {
        for (let i = 0; i < SERVERS.length; i++) {
          rates[i].push(await rate(FIRST_PORT + i, connections, bytes));
        }
      }
      console.log([bytes, connections, ...rates.map((values) => Math.round(median(values)))].join("\t"));
    }
  }
} finally {
  for (const child of children) child.kill("SIGKILL");
}
