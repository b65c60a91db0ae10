/**
 * `npm run build:figures`: what the executable costs beside the command run from its sources. Both serve the demo;
 * starts alternate, so that the machine's other work meets both alike. Linux, after `npm run build`.
 *
 *   npm run build:figures -- [rounds]
 */
import { existsSync, statSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./build/program.ts";
import { residentBytes, start } from "./build/start.ts";

const ROUNDS = 20;
/** Idle memory is read when what the start left has been collected, or not: both count as idle. */
const SETTLE_MS = 1_000;
const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  readonly sizeBytes: number | undefined;
}

interface Figures {
  readonly startMs: number[];
  readonly idleBytes: number[];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function subjects(): Subject[] {
  const source = ["--no-env-file", join(ROOT, "src", "cli", "main.ts")];
  const all: Subject[] = [
    { name: "`bun src/cli/main.ts`", command: [process.execPath, ...source], sizeBytes: undefined },
  ];
  for (const name of ["ringcorn", "ringcorn-deno"]) {
    const path = join(ROOT, "dist", name);
    if (existsSync(path)) all.unshift({ name: `\`dist/${name}\``, command: [path], sizeBytes: statSync(path).size });
  }
  return all;
}

async function measure({ command }: Subject, figures: Figures): Promise<void> {
  const server = await start(command, REQUEST);
  figures.startMs.push(server.milliseconds);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  figures.idleBytes.push(residentBytes(server.pid));
  await server.stop();
}

async function main(rounds: number): Promise<void> {
  const measured = subjects().map((subject) => ({ subject, figures: { startMs: [], idleBytes: [] } as Figures }));
  for (let round = 0; round < rounds; round++) {
    for (const { subject, figures } of measured) await measure(subject, figures);
  }
  const lines = measured.map(({ subject, figures }) => {
    const size = subject.sizeBytes === undefined ? "–" : subject.sizeBytes.toLocaleString("en");
    const fastest = Math.min(...figures.startMs).toFixed(0);
    const startText = `${median(figures.startMs).toFixed(0)} ms (fastest ${fastest})`;
    return `| ${subject.name} | ${size} | ${startText} | ${(median(figures.idleBytes) / 1e6).toFixed(1)} MB |`;
  });
  const machine = `${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}; Bun ${Bun.version}, ${process.platform} ${process.arch}`;
  process.stdout.write(
    [
      "| | size in bytes | start to first answer | idle memory |",
      "|---|---|---|---|",
      ...lines,
      "",
      `Medians of ${rounds} starts each. ${machine}.`,
      "",
    ].join("\n"),
  );
}

const rounds = Number(process.argv[2] ?? ROUNDS);
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write("Error: the number of rounds must be a whole number from 1.\n");
  process.exitCode = 1;
} else await main(rounds);
