/**
 * The suite micro: the parts by themselves, each file as a process of its own on Bun and on Deno, on the server's core.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { MicroReport } from "../micro/harness.ts";
import { resettle } from "../micro/rounds.ts";
import { programs, ROOT } from "./programs.ts";
import type { BenchContext, RuntimeName } from "./types.ts";

export const MICRO_FILES = ["parser", "encoder", "channel", "websocket"] as const;

/** Finds the harness's JSON line among what else was printed. */
export function parseMicro(text: string): MicroReport | undefined {
  const line = text.split("\n").find((each) => each.startsWith('{"suite":'));
  return line === undefined ? undefined : (JSON.parse(line) as MicroReport);
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
  const { result } = context;
  const fastest: Record<string, number> = {};
  let patience = context.settings.patienceSeconds ?? 0;
  for (const name of MICRO_FILES) {
    const file = `bench/micro/${name}.ts`;
    if (!existsSync(`${ROOT}${file}`)) {
      result.notes.push(`micro: ${file} is not there.`);
      continue;
    }
    for (const [runtime, start] of starts) {
      if (context.signal.aborted) return;
      context.progress(`micro ${name} on ${runtime} ...`);
      const { code, output } = await runFile(context, [...start, file, "--json", "--patience", String(patience)]);
      if (context.signal.aborted) return;
      const report = parseMicro(output);
      if (code !== 0 || report === undefined) {
        result.notes.push(`micro: ${file} on ${runtime} failed: ${output.trim().slice(-300)}`);
      }
      context.plan.turn("micro");
      if (report === undefined) continue;
      patience = Math.max(0, patience - report.waitedSeconds);
      fastest[runtime] = Math.max(fastest[runtime] ?? 0, report.fastest);
      for (const each of report.missing) {
        const [what, ...why] = each.split(": ");
        result.missing = { ...result.missing, [what]: why.join(": ") };
      }
      result.micro.push(...report.results.map((figures) => ({ suite: report.suite, runtime, ...figures })));
    }
  }
  // What a later file has learnt of the machine's speed holds for the earlier ones as well.
  result.calibration = fastest;
  result.micro = starts.flatMap(([runtime]) =>
    resettle(
      result.micro.filter((row) => row.runtime === runtime),
      fastest[runtime] ?? 0,
    ),
  );
}
