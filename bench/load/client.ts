/**
 * Starts the suite's own client programs (on the generator's cores: .mjs on Node, .ts on Bun) and reads their lines.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { PlainError } from "../../src/runtime/types.ts";
import { endWithUs } from "./children.ts";
import { program, ROOT } from "./programs.ts";

export interface Client {
  readonly pid: number | undefined;
  /** How it was started. */
  readonly command: string;
  /** The next line it prints. @throws PlainError when it ends, or is silent for `timeoutMs`. */
  line(timeoutMs: number): Promise<string>;
  /** Writes a line to its input. */
  say(text: string): void;
  /** Ends its input and waits until it is gone. */
  finish(): Promise<void>;
}

export interface ClientOptions {
  /** Name of the program in bench/load. */
  readonly file: string;
  readonly parameters: readonly (string | number)[];
  readonly cpus: readonly number[];
  readonly descriptors?: number;
  readonly signal: AbortSignal;
}

export function startClient(options: ClientOptions): Client {
  const limit = `ulimit -n ${options.descriptors ?? 1024} 2>/dev/null || ulimit -n "$(ulimit -Hn)"; `;
  const script = `${limit}exec taskset -c ${options.cpus.join(",")} "$@"`;
  const runtime = options.file.endsWith(".ts") ? "bun" : "node";
  const command = [program(runtime), `${ROOT}bench/load/${options.file}`, ...options.parameters.map(String)];
  const child = endWithUs(
    spawn("/bin/sh", ["-c", script, "sh", ...command], { detached: true, stdio: ["pipe", "pipe", "pipe"] }),
  );
  const lines: string[] = [];
  let errors = "";
  let ended = false;
  let wake = () => {};
  const interrupt = () => child.kill("SIGKILL");
  options.signal.addEventListener("abort", interrupt);
  // A client that has ended reads no more; its silence is noticed.
  child.stdin.on("error", () => {});
  child.stderr.on("data", (piece: Buffer) => {
    errors += piece.toString("utf8");
  });
  createInterface({ input: child.stdout }).on("line", (text) => {
    lines.push(text);
    wake();
  });
  const gone = new Promise<void>((resolve) => {
    child.once("close", () => {
      ended = true;
      options.signal.removeEventListener("abort", interrupt);
      resolve();
      wake();
    });
  });
  return {
    pid: child.pid,
    command: command.join(" "),
    async line(timeoutMs) {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        wake();
      }, timeoutMs);
      while (lines.length === 0 && !ended && !late) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      clearTimeout(timer);
      const next = lines.shift();
      if (next !== undefined) return next;
      throw new PlainError(`${options.file} ${late ? "said nothing in time" : "ended early"}. ${errors}`);
    },
    say(text) {
      child.stdin.write(`${text}\n`);
    },
    async finish() {
      child.stdin.end();
      const timer = setTimeout(interrupt, 10_000);
      await gone;
      clearTimeout(timer);
    },
  };
}
