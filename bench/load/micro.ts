/**
 * The suites micro/...: the parts by themselves, each file as a process of its own on Bun and on Deno, on the server's core.
 */
import { spawn } from "node:child_process";
import type { MicroReport } from "../micro/harness.ts";
import { resettle } from "../micro/rounds.ts";
import { endWithUs } from "./children.ts";
import { programs, ROOT } from "./programs.ts";
import type { BenchContext, MicroResult } from "./types.ts";

type MicroRuntime = MicroResult["runtime"];

export interface MicroFile {
  /** Its suite. */
  readonly name: string;
  /** Below bench/micro. */
  readonly file: string;
  readonly runtimes: readonly MicroRuntime[];
}

const BOTH = ["bun", "deno"] as const;
export const MICRO_FILES: readonly MicroFile[] = [
  ...["parser", "encoder", "channel", "scope", "wire", "websocket", "cycle"].map((name) => ({
    name: `micro/${name}`,
    file: `${name}.ts`,
    runtimes: BOTH,
  })),
  { name: "micro/wire-python", file: "wire.py", runtimes: ["python"] },
];
/** What has its place here, and why it is empty. */
const EMPTY = "micro: HPACK has its place here and no rows, since the server does not speak HTTP/2 yet.";

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
    endWithUs(child);
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

/** How a file of each runtime is started; without those that are not installed. */
function starts(): ReadonlyMap<MicroRuntime, readonly string[]> {
  const { bun, deno } = programs();
  const found = new Map<MicroRuntime, readonly string[]>([["python", [process.env.BENCH_PYTHON ?? "python3"]]]);
  if (bun !== undefined) found.set("bun", [bun]);
  if (deno !== undefined) found.set("deno", [deno, "run", "-A", "--unstable-net", "--v8-flags=--expose-gc"]);
  return found;
}

export async function runMicroFile(context: BenchContext, { name, file, runtimes }: MicroFile): Promise<void> {
  const { result } = context;
  const fastest: Record<string, number> = { ...result.calibration };
  const commands = starts();
  result.missing ??= {};
  if (!result.notes.includes(EMPTY)) result.notes.push(EMPTY);
  for (const runtime of runtimes) {
    if (context.signal.aborted) return;
    const start = commands.get(runtime);
    if (start === undefined) continue;
    const path = `bench/micro/${file}`;
    context.progress(`${name} on ${runtime} (${context.plan.toGo()})`);
    const patience = Math.max(0, (context.settings.patienceSeconds ?? 0) - (result.waitedSeconds ?? 0));
    const { code, output } = await runFile(context, [...start, path, "--json", "--patience", String(patience)]);
    if (context.signal.aborted) return;
    const report = parseMicro(output);
    if (code !== 0 || report === undefined) {
      result.notes.push(`micro: ${path} on ${runtime} failed: ${output.trim().slice(-300)}`);
    }
    context.plan.turn(name);
    if (report === undefined) continue;
    result.waitedSeconds = (result.waitedSeconds ?? 0) + report.waitedSeconds;
    fastest[runtime] = Math.max(fastest[runtime] ?? 0, report.fastest);
    for (const each of report.missing) {
      const [what, ...why] = each.split(": ");
      result.missing[what] = why.join(": ");
    }
    // A run that goes on after an interruption may have some of them already.
    result.micro = result.micro.filter((row) => row.suite !== report.suite || row.runtime !== runtime);
    result.micro.push(...report.results.map((figures) => ({ suite: report.suite, runtime, ...figures })));
  }
  // What a later file has learnt of the machine's speed holds for the earlier ones as well.
  result.calibration = fastest;
  result.micro = result.micro.flatMap((row) => resettle([row], fastest[row.runtime] ?? 0));
}
