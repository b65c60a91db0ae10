/**
 * Runs ws-client.ts as a load generator, a process on each of its cores, and adds up what they report.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { PlainError } from "../../src/runtime/types.ts";
import { watchBusy } from "./busy.ts";
import { endWithUs } from "./children.ts";
import { percentileUs } from "./latencies.ts";
import { endedChildrenSeconds } from "./procfs.ts";
import { program, ROOT } from "./programs.ts";
import type { MessageKind } from "./ws-frames.ts";

const START_TIMEOUT_MS = 20_000;
const SPARE_DESCRIPTORS = 64;

/** What one process of the load does. */
export interface ClientJob {
  readonly port: number;
  readonly path: string;
  /** "echo": each connection gets its own messages back. "broadcast": the first one speaks, all of them hear it. */
  readonly mode: "echo" | "broadcast";
  readonly connections: number;
  readonly bytes: number;
  readonly kind: MessageKind;
  /** Messages in flight on a connection that speaks. */
  readonly window: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** What it reports. */
export interface ClientReport {
  /** Messages that came back; in a broadcast, those that each connection got. */
  readonly messages: number;
  readonly seconds: number;
  /** `LatencyHistogram`'s, from the first byte offered to the last one received (in a broadcast, by the last client). */
  readonly latencies: readonly number[];
  /** Connections whose first answer was not the message. */
  readonly wrong: number;
  /** Connections that the server has ended. */
  readonly lost: number;
}

export interface WebSocketLoad extends Partial<Pick<ClientJob, "mode" | "kind" | "window" | "path" | "warmupSeconds">> {
  readonly port: number;
  readonly connections: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Each runs a process with its share of the connections; a broadcast, which one client begins, has one process. */
  readonly cpus: readonly number[];
  readonly signal: AbortSignal;
}

export interface WebSocketRun {
  /** Messages that came back; in a broadcast, all that the clients got. */
  readonly messages: number;
  readonly seconds: number;
  readonly messagesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** Connections whose first answer was not the message that was sent. */
  readonly wrong: number;
  /** Connections that the server has ended. */
  readonly lost: number;
  readonly wallSeconds: number;
  /** Share of its cores' time that the generator used while the load lasted. */
  readonly utilisation: number;
  /** How its first process was started. */
  readonly command: string;
}

/** Tells lines as they come; `undefined` when the process is gone. */
class Generator {
  readonly child: ChildProcess;
  readonly command: string;
  #errors = "";
  readonly #lines: string[] = [];
  #wake = () => {};
  #ended = false;

  constructor(job: ClientJob, cpu: number) {
    const script = `ulimit -n ${job.connections + SPARE_DESCRIPTORS} 2>/dev/null; exec taskset -c ${cpu} "$@"`;
    const command = [program("bun"), `${ROOT}bench/load/ws-client.ts`, JSON.stringify(job)];
    this.command = command.join(" ");
    this.child = spawn("/bin/sh", ["-c", script, "sh", ...command], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    endWithUs(this.child);
    this.child.stderr!.on("data", (piece: Buffer) => {
      this.#errors += piece.toString("utf8");
    });
    createInterface({ input: this.child.stdout! }).on("line", (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.child.once("close", () => {
      this.#ended = true;
      this.#wake();
    });
  }

  async line(timeoutMs: number): Promise<string> {
    const deadline = performance.now() + timeoutMs;
    while (this.#lines.length === 0 && !this.#ended && performance.now() < deadline) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - performance.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const next = this.#lines.shift();
    if (next !== undefined) return next;
    throw new PlainError(`ws-client.ts ${this.#ended ? "ended early" : "said nothing in time"}. ${this.#errors}`);
  }

  async gone(): Promise<void> {
    while (!this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** How many of `connections` each of `processes` opens; none opens nothing. */
export function shares(connections: number, processes: number): number[] {
  const count = Math.min(connections, processes);
  return Array.from({ length: count }, (_, i) => Math.floor((connections + i) / count));
}

function jobs(load: WebSocketLoad): ClientJob[] {
  const { port, bytes, seconds, mode = "echo", kind = "text", window = 1, warmupSeconds = 0.5 } = load;
  const path = load.path ?? `/${mode}`;
  const processes = mode === "broadcast" ? 1 : load.cpus.length;
  const common = { port, path, mode, bytes, kind, window, warmupSeconds, seconds };
  return shares(load.connections, processes).map((connections) => ({ ...common, connections }));
}

/** When to read the server's own figures. */
export interface Measurement {
  /** The warm-up is over, the measurement begins. */
  started(): void;
  /** It is over; the connections are about to be closed. */
  ended(): void;
}

/**
 * @throws PlainError when a client process fails, or the handshakes are refused
 */
export async function runWebSocketLoad(load: WebSocketLoad, measurement: Measurement): Promise<WebSocketRun> {
  const cpuBefore = endedChildrenSeconds();
  const startedMs = performance.now();
  const generators = jobs(load).map((job, i) => new Generator(job, load.cpus[i]));
  const interrupt = () => {
    for (const { child } of generators) child.kill("SIGKILL");
  };
  load.signal.addEventListener("abort", interrupt);
  const busy = watchBusy(generators.flatMap(({ child }) => child.pid ?? []));
  let measured: number | undefined;
  let reports: ClientReport[];
  try {
    for (let phase = 0; phase < 2; phase++) {
      await Promise.all(generators.map((generator) => generator.line(START_TIMEOUT_MS)));
    }
    measurement.started();
    const lines = generators.map((generator) => generator.line(load.seconds * 1e3 + START_TIMEOUT_MS));
    reports = (await Promise.all(lines)).map((line) => JSON.parse(line) as ClientReport);
    measurement.ended();
    measured = busy.share(load.seconds, generators.length);
  } finally {
    busy.stop();
    load.signal.removeEventListener("abort", interrupt);
    interrupt();
    await Promise.all(generators.map((generator) => generator.gone()));
  }
  const wallSeconds = (performance.now() - startedMs) / 1e3;
  const utilisation = measured ?? (endedChildrenSeconds() - cpuBefore) / (wallSeconds * generators.length);
  return { ...addUp(reports), wallSeconds, utilisation, command: generators[0].command };
}

/** The figures of all processes together. */
export function addUp(reports: readonly ClientReport[]): Omit<WebSocketRun, "wallSeconds" | "utilisation" | "command"> {
  const sum = (of: (report: ClientReport) => number) => reports.reduce((total, report) => total + of(report), 0);
  const latencies = reports[0].latencies.map((_, step) => sum((report) => report.latencies[step]));
  const messages = sum((report) => report.messages);
  const seconds = sum((report) => report.seconds) / reports.length;
  return {
    messages,
    seconds,
    messagesPerSecond: messages / seconds,
    p50Us: percentileUs(latencies, 0.5),
    p99Us: percentileUs(latencies, 0.99),
    p999Us: percentileUs(latencies, 0.999),
    wrong: sum((report) => report.wrong),
    lost: sum((report) => report.lost),
  };
}
