/**
 * `npm run build:figures`: what the executable costs beside the command run from its sources. Both serve the demo;
 * starts alternate, so that the machine's other work meets both alike. Linux, after `npm run build`.
 *
 *   npm run build:figures -- [rounds]
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { revisionText } from "../bench/load/revision.ts";
import { PlainError } from "../src/runtime/types.ts";
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

/** When a file that goes into the executable was last written. */
function sourcesWrittenMs(): number {
  const source = join(ROOT, "src");
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => /\.(ts|py)$/.test(name));
  return Math.max(...files.map((name) => statSync(join(source, name)).mtimeMs));
}

/** @throws PlainError where an executable is older than the sources: the figures would be those of another commit */
function subjects(): Subject[] {
  const writtenMs = sourcesWrittenMs();
  const source = ["--no-env-file", join(ROOT, "src", "cli", "main.ts")];
  const all: Subject[] = [
    { name: "`bun src/cli/main.ts`", command: [process.execPath, ...source], sizeBytes: undefined },
  ];
  for (const name of ["ringcorn", "ringcorn-deno"]) {
    const path = join(ROOT, "dist", name);
    if (!existsSync(path)) continue;
    const { mtimeMs, size } = statSync(path);
    if (mtimeMs < writtenMs) throw new PlainError(`dist/${name} is older than src/: build it again, or remove it.`);
    all.unshift({ name: `\`dist/${name}\``, command: [path], sizeBytes: size });
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
      `Medians of ${rounds} starts each, ${revisionText()}. ${machine}.`,
      "",
    ].join("\n"),
  );
}

const rounds = Number(process.argv[2] ?? ROUNDS);
try {
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new PlainError("The number of rounds must be a whole number from 1.");
  await main(rounds);
} catch (error) {
  if (!(error instanceof PlainError)) throw error;
  process.stderr.write(`Error: ${error.message}\n`);
  process.exitCode = 1;
}
