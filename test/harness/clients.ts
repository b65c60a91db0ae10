/** Runs real clients as child processes and gives what they print. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { within } from "./wait.ts";

const found = new Map<string, boolean>();

/** Whether a program is installed; tests of those that are not are skipped. */
export function hasTool(name: string): boolean {
  let has = found.get(name);
  if (has === undefined) {
    has = spawnSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" }).status === 0;
    found.set(name, has);
  }
  return has;
}

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(program: string, args: readonly string[], input = ""): Promise<Run> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  try {
    const code = await within(ended, `the end of ${program}`, () => `: ${stdout.slice(0, 500)}${stderr.slice(0, 500)}`);
    return { code, stdout, stderr };
  } finally {
    child.kill("SIGKILL");
  }
}

/** Runs a program that must succeed, and gives its output. */
export async function output(program: string, args: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, input);
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

export function python(script: string, args: readonly string[]): Promise<string> {
  return output("python3", [script, ...args]);
}
