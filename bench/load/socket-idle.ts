/**
 * The suites websocket/idle and python-websocket/idle: what a WebSocket costs that has exchanged one message and now waits,
 * without compression and with it.
 */
import { PlainError } from "../../src/runtime/types.ts";
import { startClient } from "./client.ts";
import { hold, idleSample, noteCommand } from "./idle.ts";
import { freePort, launchServer } from "./launch.ts";
import { provide, serversOf } from "./row-groups.ts";
import type { RowServer } from "./row-servers.ts";
import { present } from "./rows.ts";
import { speaksAt } from "./socket-load.ts";
import { PYTHON_SOCKET_WORKLOADS, SOCKET_WORKLOADS } from "./socket-workloads.ts";
import { rotated } from "./stats.ts";
import type { BenchContext, SocketIdleSample } from "./types.ts";

const DESCRIPTOR_SPARE = 512;

/** `python-websocket/idle` measures the Python servers. */
export const SOCKET_IDLE_SUITES = {
  "websocket/idle": SOCKET_WORKLOADS[0],
  "python-websocket/idle": PYTHON_SOCKET_WORKLOADS[0],
};
export type SocketIdleSuite = keyof typeof SOCKET_IDLE_SUITES;

/** Reads "ready N compressed M". */
export function agreedIn(line: string): number {
  return Number(/compressed (\d+)/.exec(line)?.[1] ?? 0);
}

interface Turn {
  readonly suite: SocketIdleSuite;
  readonly spec: RowServer;
  readonly directory: string;
  readonly compressed: boolean;
  readonly round: number;
}

async function measure(context: BenchContext, turn: Turn): Promise<SocketIdleSample> {
  const { machine, settings, signal } = context;
  const { spec, compressed, round } = turn;
  const workload = SOCKET_IDLE_SUITES[turn.suite];
  const { path } = workload.request;
  const connections = settings.idleConnections;
  const port = await freePort();
  const site = { workload, port, cores: 1, workers: 1, fronts: undefined, directory: turn.directory };
  const launch = spec.launch(site);
  const shown = launch.command.map((part) =>
    part.replaceAll(turn.directory, "$PEERS").replaceAll(String(port), "PORT"),
  );
  noteCommand(context, `${turn.suite}, ${spec.title}`, shown);
  const env = { ...launch.env, PORT: String(port), BENCH_DEFLATE: compressed ? "1" : "" };
  const place = { cpus: [machine.serverCpu], port, signal, descriptors: connections + DESCRIPTOR_SPARE };
  const server = await launchServer({ ...launch, env, title: spec.title }, place, speaksAt(path));
  const client = (count: number) =>
    startClient({
      file: "socket-idle-client.mjs",
      parameters: [port, count, path, compressed ? "deflate" : "plain"],
      cpus: machine.generatorCpus,
      descriptors: connections + DESCRIPTOR_SPARE,
      signal,
    });
  try {
    const { idle, held, ready, standing } = await hold(client, connections, server.pid, signal);
    if (standing !== connections) {
      context.result.notes.push(
        `${turn.suite}: ${spec.title} had closed ${connections - standing} of ${connections} connections.`,
      );
    }
    return { ...idleSample(round, connections, idle, held), compressed, agreed: agreedIn(ready) };
  } finally {
    await server.stop();
  }
}

async function step(context: BenchContext, turn: Turn): Promise<void> {
  const { result, plan } = context;
  const { suite, spec, compressed } = turn;
  const head = `${suite} ${spec.title}, ${compressed ? "compressed" : "uncompressed"}`;
  try {
    const sample = await measure(context, turn);
    result.idleSockets ??= {};
    result.idleSockets[spec.id] ??= [];
    result.idleSockets[spec.id].push(sample);
    plan.turn(suite);
    const bytes = Math.round(sample.rssPerConnection).toLocaleString("en");
    const agreed = compressed ? `, ${sample.agreed} of ${sample.connections} agreed` : "";
    context.progress(`${head}: ${bytes} bytes a socket${agreed} (${plan.toGo()})`);
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    if (context.signal.aborted) return;
    context.progress(`${head}: ${error.message}`);
    result.notes.push(`${head}: ${error.message}`);
    plan.turn(suite);
  }
}

export async function runSocketIdle(context: BenchContext, suite: SocketIdleSuite): Promise<void> {
  const workload = SOCKET_IDLE_SUITES[suite];
  const provision = await provide(workload, context.progress, context.signal);
  context.plan.drop("");
  Object.assign(context.machine.versions, provision.versions);
  const servers = present(context, serversOf(workload, context.selection), provision);
  const { directory } = provision;
  for (let round = 0; round < context.settings.idleRounds; round++) {
    for (const spec of rotated(servers, round)) {
      for (const compressed of [false, true]) {
        if (context.signal.aborted) return;
        await step(context, { suite, spec, directory, compressed, round });
      }
    }
  }
}
