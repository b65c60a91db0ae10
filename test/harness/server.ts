/** Starts a Ringcorn server as a child process on Bun or Deno, reads where it listens, and stops it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import type { Address } from "./raw.ts";
import { excerpt } from "./response.ts";
import { within } from "./wait.ts";

export type RuntimeName = "bun" | "deno";
export const RUNTIMES: readonly RuntimeName[] = ["bun", "deno"];

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = join(ROOT, "src", "cli", "main.ts");
const ADDRESS = /https?:\/\/(\[[0-9a-f:.]+\]|[\w.-]+):(\d+)|unix:(\/\S+?)(?=[\s,;)]|$)/;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Shell words before the server's command, such as `ulimit -n 100 &&`. The server replaces the shell. */
  readonly shell?: string;
}

/** The command line that starts the server on `runtime`. */
export function serveCommand(runtime: RuntimeName): string[] {
  const program = join(ROOT, "node_modules", ".bin", runtime);
  return runtime === "bun" ? [program, MAIN] : [program, "run", "-A", "--unstable-net", MAIN];
}

/** An app of test/apps: `contract.ts`, or `lifespan.ts:failing`. */
export function testApp(name: string): string {
  return join(ROOT, "test", "apps", name);
}

/**
 * The tests' environment without variables of Ringcorn's: what is set for whoever runs the tests is no option of the
 * servers that they start, nor worth a warning.
 */
export function plainEnvironment(): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("RINGCORN_"));
  return { ...Object.fromEntries(own), NO_COLOR: "1" };
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Server {
  readonly runtime: RuntimeName;
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = "";
  stderr = "";
  private where: Address | undefined;
  private exit: Exit | undefined;
  private wake: (() => void)[] = [];

  private constructor(runtime: RuntimeName, command: readonly string[], options: StartOptions) {
    this.runtime = runtime;
    const env = { ...plainEnvironment(), ...options.env };
    const [program, ...args] =
      options.shell === undefined ? command : ["sh", "-c", `${options.shell} exec "$@"`, "sh", ...command];
    this.process = spawn(program, args, { cwd: options.cwd ?? ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.process);
    this.exited = new Promise((resolve, reject) => {
      this.process.once("error", reject);
      // `close` follows `exit` once all output has been read.
      this.process.once("close", (code, signal) => {
        running.delete(this.process);
        this.exit = { code, signal: signal as NodeJS.Signals | null };
        resolve(this.exit);
        this.notify();
      });
    });
    this.exited.catch(() => this.notify());
    this.process.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      this.stdout += chunk;
      this.notify();
    });
    this.process.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      this.stderr += chunk;
      this.notify();
    });
  }

  /** Starts the server without waiting for it: for those that are to fail. */
  static spawn(runtime: RuntimeName, app: string, args: readonly string[] = [], options: StartOptions = {}): Server {
    const port = args.some((arg) => /^--(port|uds)\b/.test(arg)) ? [] : ["--port", "0"];
    return new Server(runtime, [...serveCommand(runtime), app, ...port, ...args], options);
  }

  /** Starts the server and waits until it says where it listens. */
  static async start(
    runtime: RuntimeName,
    app: string,
    args: readonly string[] = [],
    options: StartOptions = {},
  ): Promise<Server> {
    const server = Server.spawn(runtime, app, args, options);
    await server.listening();
    return server;
  }

  /** Waits for the address in the banner. */
  async listening(): Promise<Address> {
    const match = await this.sees(ADDRESS);
    const [, host, port, path] = match;
    this.where = path === undefined ? { host: host.replace(/^\[|\]$/g, ""), port: Number(port) } : { path };
    return this.where;
  }

  get address(): Address {
    assert.ok(this.where !== undefined, "the server has said where it listens");
    return this.where;
  }

  get port(): number {
    assert.ok("port" in this.address);
    return this.address.port;
  }

  /** `http://127.0.0.1:port`, for clients that take one. */
  get url(): string {
    assert.ok("port" in this.address);
    const host = this.address.host.includes(":") ? `[${this.address.host}]` : this.address.host;
    return `http://${host}:${this.address.port}`;
  }

  get pid(): number {
    assert.ok(this.process.pid !== undefined);
    return this.process.pid;
  }

  /** Waits until the output (standard error and output together) matches. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stderr) ?? pattern.exec(this.stdout);
      if (match !== null) return match;
      if (this.exit !== undefined) {
        throw new Error(`the server ended (${JSON.stringify(this.exit)}) before ${pattern}: ${this.output()}`);
      }
      const change = new Promise<void>((resolve) => this.wake.push(resolve));
      await within(change, `${pattern} in the server's output`, () => `: ${this.output()}`);
    }
  }

  output(): string {
    return excerpt(Buffer.from(this.stdout + this.stderr));
  }

  signal(name: NodeJS.Signals): void {
    // Not by the child's own `kill`: Deno's then takes the signal for the reason of whatever end comes later.
    if (this.exit === undefined) process.kill(this.pid, name);
  }

  /** Waits for the process's end. */
  ended(): Promise<Exit> {
    return within(this.exited, "the server's exit", () => `: ${this.output()}`);
  }

  /** SIGTERM, and a clean exit. */
  async stop(): Promise<void> {
    if (this.exit === undefined) this.signal("SIGTERM");
    assert.deepEqual(await this.ended(), { code: 0, signal: null }, this.output());
  }

  /** Ends the process at once, whatever its state. For clean-up. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited.catch(() => undefined);
  }

  /** Resident memory in bytes. */
  residentBytes(): number {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"));
    assert.ok(match !== null);
    return Number(match[1]) * 1024;
  }

  /** Processor time used so far, user and system, in clock ticks (100 a second on Linux). */
  cpuTicks(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  }

  private notify(): void {
    const woken = this.wake;
    this.wake = [];
    for (const wake of woken) wake();
  }
}

/**
 * A server that the tests of one file share: started by the first that asks, stopped (and checked for a clean exit)
 * after the last. Call it at the top level of a test file.
 */
export function sharedServer(runtime: RuntimeName, app: string, args: readonly string[] = [], options?: StartOptions) {
  let server: Promise<Server> | undefined;
  after(async () => {
    const started = await server?.catch(() => undefined);
    try {
      await started?.stop();
    } finally {
      await started?.kill();
    }
  });
  return (): Promise<Server> => {
    server ??= Server.start(runtime, app, args, options);
    return server;
  };
}

/** Runs `use` with a server of its own, and ends it whatever happens. */
export async function withServer<T>(
  runtime: RuntimeName,
  app: string,
  args: readonly string[],
  use: (server: Server) => Promise<T>,
  options?: StartOptions,
): Promise<T> {
  const server = await Server.start(runtime, app, args, options);
  try {
    return await use(server);
  } finally {
    await server.kill();
  }
}

/** Registers a test for each runtime, so that each counts. */
export function onEach(register: (runtime: RuntimeName) => void): void {
  for (const runtime of RUNTIMES) register(runtime);
}
