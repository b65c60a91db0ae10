/**
 * What a run of the suite records. Raw samples are kept, so that a report can be made again from the JSON alone.
 */
import type { MicroFigures } from "../micro/rounds.ts";
import type { Selection } from "./row-servers.ts";
import type { RateChoice } from "./schedule.ts";

export type RuntimeName = "bun" | "deno" | "node";

/** A server under test. `id` is the key in the results. */
export interface ServerSpec {
  readonly id: string;
  readonly title: string;
  readonly runtime: RuntimeName;
  /** Ringcorn takes an application; a peer has its own program; a floor is no server and its answer is not checked. */
  readonly kind: "ringcorn" | "peer" | "floor";
}

/** Load generators that come from elsewhere and that `--tools` chooses from. */
export type LoadTool = "wrk" | "oha" | "h2load" | "autocannon";
/** "loop" is loop-client.mjs, for rows whose tail is the figure; "own" paced-client.ts; "socket" the WebSocket client. */
export type ToolName = LoadTool | "loop" | "own" | "socket";

/** A load of fixed rate: latencies count from when a request was due, whatever the server did before. */
export interface PacedFigures {
  /** Requests a second that were due; 0: a closed loop. */
  readonly rate: number;
  readonly requests: number;
  readonly seconds: number;
  /** What was answered. */
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly wrongStatus: number;
  readonly socketErrors: number;
  /** Due, but without an answer a second after the end; they count with the time until then. */
  readonly unanswered: number;
  /** The three together. */
  readonly errors: number;
  /** How late the generator itself was where a connection was free: this much of the latencies is its own. */
  readonly lateP99Us: number;
  readonly serverCpuSeconds?: number;
}

/** One timed load on one server process. Times in seconds unless the name says otherwise. */
export interface HttpSample {
  readonly round: number;
  readonly tool: ToolName;
  readonly requests: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  /**
   * wrk: microseconds, as it corrected them for coordinated omission; NaN (null in JSON) when pipelined, where that goes
   * wrong. autocannon: whole milliseconds, as microseconds.
   */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Failed connections, reads, writes, time-outs and answers other than 2xx. */
  readonly errors: number;
  /** User and system time of the server's processes during the load. */
  readonly serverCpuSeconds: number;
  /** The kernel's part of it. */
  readonly serverSystemSeconds: number;
  /** Share of one core that the server used. */
  readonly serverUtilisation: number;
  /** Share of its threads' time that the load generator used while the load lasted; near 1 it is the bottleneck. */
  readonly generatorUtilisation: number;
  /** Share of the server's core that other processes or a hypervisor took: what disturbed the measurement. */
  readonly foreignUtilisation: number;
  /** The same of the load generator's cores. */
  readonly generatorForeignUtilisation: number;
  /** The sum of the server's processes' own peaks; pages that they share count in each. */
  readonly peakRssBytes: number;
  /** As `p50Us`. "loop" tells all three as they were. */
  readonly p999Us?: number;
  /** Proportional set size of the server's processes at the end of the load: shared pages count once. */
  readonly pssBytes?: number;
  /** The part of `errors` that are answers other than 2xx, and the part that are the sockets'. */
  readonly wrongStatus?: number;
  readonly socketErrors?: number;
  /** What the companions of the load counted, such as the answers to slow clients. */
  readonly companions?: string;
  /** The same server afterwards, asked at a fixed rate. */
  readonly paced?: PacedFigures;
}

export interface IdleSample {
  readonly round: number;
  readonly connections: number;
  readonly idleRssBytes: number;
  readonly idleAnonymousBytes: number;
  readonly heldRssBytes: number;
  readonly heldAnonymousBytes: number;
  readonly rssPerConnection: number;
  readonly anonymousPerConnection: number;
}

/** The same of WebSockets. */
export interface SocketIdleSample extends IdleSample {
  /** permessage-deflate was offered on all of them. */
  readonly compressed: boolean;
  /** On so many the server agreed to it. */
  readonly agreed: number;
}

export type TransferName = "upload" | "download" | "upload, slow app" | "download, slow reader";

export interface MemorySample {
  readonly round: number;
  readonly transfer: TransferName;
  readonly bytes: number;
  readonly seconds: number;
  readonly idleRssBytes: number;
  readonly peakRssBytes: number;
  readonly growthBytes: number;
}

/** One micro benchmark on one runtime. */
export interface MicroResult extends MicroFigures {
  readonly suite: string;
  readonly runtime: RuntimeName | "python";
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly platform: string;
  readonly serverCpu: number;
  readonly generatorCpus: readonly number[];
  /** The generator had to share the server's core. */
  readonly shared: boolean;
  readonly loadAverage: number;
  /** The peers' are added when they have been installed. */
  readonly versions: Record<string, string>;
}

export interface HttpSuiteResult {
  readonly pipelining: number;
  readonly connections: number;
  /** By server id. */
  readonly samples: Record<string, HttpSample[]>;
  /** Head and body of each server's answer, as it stood on the wire. */
  readonly answers: Record<string, Answer>;
  /** Rows of a workload have these: what is asked, and on which cores. */
  readonly about?: string;
  readonly cores?: number;
  readonly serverCpus?: readonly number[];
  readonly generatorCpus?: readonly number[];
  /** Each server's. */
  readonly commands?: Record<string, string>;
  /** The command of each load generator that asked; the files of its requests lie in $REQUESTS. */
  readonly loads?: Record<string, string>;
  /** The row is a point of this curve. */
  readonly curve?: { readonly name: string; readonly by: string; readonly label: string };
}

/** A server's answer to the request that is timed. */
export interface Answer {
  readonly status: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly bytes: number;
}

export interface BenchResult {
  readonly version: 1;
  readonly startedAt: string;
  /** The command that repeats the run. */
  readonly command: string;
  readonly machine: Machine;
  readonly settings: Settings;
  /** The arguments in it. */
  readonly args?: readonly string[];
  /** False when the run was interrupted. */
  complete: boolean;
  /** The suites that have been run to their end. */
  done?: string[];
  /** What could not be measured, and why. */
  readonly notes: string[];
  /** Peers that could not be had, with the reason: they are counted, never passed over. */
  missing?: Record<string, string>;
  /** The same of load generators. */
  missingTools?: Record<string, string>;
  http: Record<string, HttpSuiteResult>;
  idle: Record<string, IdleSample[]>;
  /** Uncompressed and compressed samples together. */
  idleSockets?: Record<string, SocketIdleSample[]>;
  memory: Record<string, MemorySample[]>;
  micro: MicroResult[];
  /** How the servers of the suites of memory were started, by suite and server. */
  commands?: Record<string, string>;
  /** How long the micro benchmarks have waited for a machine that was slowed down. */
  waitedSeconds?: number;
  /** The fastest calibration beside the micro benchmarks, million steps a second, by runtime. */
  calibration?: Record<string, number>;
}

export interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly connections: number;
  readonly idleConnections: number;
  readonly idleRounds: number;
  readonly transferBytes: number;
  readonly slowBytesPerSecond: number;
  readonly memoryRounds: number;
  /** How long the micro benchmarks may wait, in all, until a machine that is slowed down is itself again. */
  readonly patienceSeconds?: number;
  /** Numbers of server cores that the workload rows run on; those that leave none to the generator are left out. */
  readonly cores?: readonly number[];
  /** The fixed rate that rows are measured at besides; undefined: 70 % of the peak, in the rows that say so; null: none. */
  readonly rate?: RateChoice | null;
  /** Find each server's number of workers in each row first. */
  readonly tune?: boolean;
}

/** How much of the run is done: for the time to go. */
export interface Plan {
  /** A turn of `suite` has ended. */
  turn(suite: string): void;
  /** What is left of `suite` will not be run. */
  drop(suite: string): void;
  /** Such as "12 min to go". */
  toGo(): string;
}

/** What every suite is handed. */
export interface BenchContext {
  readonly settings: Settings;
  readonly machine: Machine;
  readonly result: BenchResult;
  readonly servers: readonly ServerSpec[];
  /** Aborted by Ctrl-C: what runs is ended, what is done is kept. */
  readonly signal: AbortSignal;
  /** Which tools may be used. */
  readonly tools: readonly LoadTool[];
  /** Which servers of the workload rows are wanted. */
  readonly selection: Selection;
  readonly plan: Plan;
  progress(line: string): void;
}
