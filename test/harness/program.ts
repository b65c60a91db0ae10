/** Runs a program of the tree (an example, a command of the docs) as a child process and reads what it prints. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { excerpt } from "./response.ts";
import { plainEnvironment, ROOT, type RuntimeName } from "./server.ts";
import { within } from "./wait.ts";

/** The command line that runs the TypeScript file `script` (from the tree's root) on `runtime`. */
export function runCommand(runtime: RuntimeName, script: string): string[] {
  const program = join(ROOT, "node_modules", ".bin", runtime);
  return runtime === "bun" ? [program, script] : [program, "run", "-A", script];
}

/** Whether the system has this program. */
export function installed(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In a process group of its own, which `killGroup` ends. */
  readonly group?: boolean;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Program {
  readonly process: ChildProcess;
  /** Exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  stdout = "";
  stderr = "";
  private ended = false;
  private wake: (() => void)[] = [];

  constructor(command: readonly string[], options: ProgramOptions = {}) {
    const [file, ...args] = command;
    this.process = spawn(file, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...plainEnvironment(), ...options.env },
      stdio: "pipe",
      detached: options.group ?? false,
    });
    running.add(this.process);
    // A program that ends without reading its input is none of the test's business.
    this.process.stdin?.on("error", () => undefined);
    this.exited = new Promise((resolve, reject) => {
      this.process.once("error", reject);
      this.process.once("close", (code) => {
        running.delete(this.process);
        this.ended = true;
        this.notify();
        resolve(code);
      });
    });
    this.exited.catch(() => undefined);
    this.process.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      this.stdout += chunk;
      this.notify();
    });
    this.process.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      this.stderr += chunk;
      this.notify();
    });
  }

  /** Waits until the output matches. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (match !== null) return match;
      if (this.ended) throw new Error(`the program ended before ${pattern}: ${this.output()}`);
      const change = new Promise<void>((resolve) => this.wake.push(resolve));
      await within(change, `${pattern} in the program's output`, () => `: ${this.output()}`);
    }
  }

  type(text: string): void {
    this.process.stdin?.write(text);
  }

  /** Ends its input. */
  finish(): void {
    this.process.stdin?.end();
  }

  async exit(): Promise<number | null> {
    return within(this.exited, "the program's exit", () => `: ${this.output()}`);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    // By its id: Deno's `ChildProcess.kill` reports the signal as the way it ended, whatever the program made of it.
    if (!this.ended && this.process.pid !== undefined) process.kill(this.process.pid, signal);
    return this.exit();
  }

  /** Ends it with everything that it has started and left. Only with `group`. */
  killGroup(): void {
    try {
      process.kill(-(this.process.pid as number), "SIGKILL");
    } catch {
      // Nothing of the group is left.
    }
  }

  private output(): string {
    return excerpt(Buffer.from(this.stdout + this.stderr));
  }

  private notify(): void {
    const woken = this.wake;
    this.wake = [];
    for (const wake of woken) wake();
  }
}

/** Runs a command to its end and returns what it printed on standard output. @throws when it fails. */
export async function output(command: readonly string[], options: { cwd?: string } = {}): Promise<string> {
  const program = new Program(command, options);
  program.finish();
  const code = await program.exit();
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${program.stderr}`);
  return program.stdout;
}
