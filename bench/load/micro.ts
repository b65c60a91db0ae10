/**
 * The suite micro: the parts by themselves, each file as a process of its own on Bun and on Deno, on the server's core.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { MicroFigures } from "../micro/harness.ts";
import { programs, ROOT } from "./programs.ts";
import type { BenchContext, MicroResult, RuntimeName } from "./types.ts";

export const MICRO_FILES = ["parser", "encoder", "channel", "websocket"] as const;

/** Finds the harness's JSON line among what else was printed. */
export function parseMicro(text: string, runtime: RuntimeName): MicroResult[] {
  for (const line of text.split("\n")) {
    if (!line.startsWith('{"suite":')) continue;
    const { suite, results } = JSON.parse(line) as { suite: string; results: MicroFigures[] };
    return results.map((figures) => ({ suite, runtime, ...figures }));
  }
  return [];
}

function runFile(context: BenchContext, command: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn("taskset", ["-c", String(context.machine.serverCpu), ...command], {
      cwd: ROOT,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_ENV: "production", NO_COLOR: "1" },
    });
    let output = "";
    const interrupt = () => child.kill("SIGKILL");
    context.signal.addEventListener("abort", interrupt);
    const hear = (piece: Buffer) => {
      output += piece.toString("utf8");
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("error", reject);
    child.once("close", (code) => {
      context.signal.removeEventListener("abort", interrupt);
      resolve({ code, output });
    });
  });
}

export async function runMicroSuite(context: BenchContext): Promise<void> {
  const { bun, deno } = programs();
  const starts: [RuntimeName, string[]][] = [];
  if (bun !== undefined) starts.push(["bun", [bun]]);
  if (deno !== undefined) starts.push(["deno", [deno, "run", "-A", "--unstable-net", "--v8-flags=--expose-gc"]]);
  for (const name of MICRO_FILES) {
    const file = `bench/micro/${name}.ts`;
    if (!existsSync(`${ROOT}${file}`)) {
      context.result.notes.push(`micro: ${file} is not there.`);
      continue;
    }
    for (const [runtime, start] of starts) {
      if (context.signal.aborted) return;
      context.progress(`micro ${name} on ${runtime} ...`);
      const { code, output } = await runFile(context, [...start, file, "--json"]);
      if (context.signal.aborted) return;
      const results = parseMicro(output, runtime);
      if (code !== 0 || results.length === 0) {
        context.result.notes.push(`micro: ${file} on ${runtime} failed: ${output.trim().slice(-300)}`);
      }
      context.plan.turn("micro");
      context.result.micro.push(...results);
    }
  }
}
