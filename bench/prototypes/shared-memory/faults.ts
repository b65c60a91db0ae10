/**
 * What goes wrong with rings, tried: `bun bench/prototypes/shared-memory/faults.ts [--python .venv/bin/python]`.
 * Each line says what was done to a worker of its own, and what the front made of it.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { processTree } from "../../load/procfs.ts";
import { FILE_BYTES } from "./ring.ts";
import { spawnRings } from "./ring-child.ts";

const { values: options } = parseArgs({ options: { python: { type: "string", default: ".venv/bin/python" } } });
const HERE = fileURLToPath(new URL("./", import.meta.url));
const PATIENCE_MS = 3000;

/** What a worker does that has mapped its rings; `words[64]` is the ring to the front's tail, `words[96]` its head. */
const BEGIN = `import sys, os, time; sys.path.insert(0, ${JSON.stringify(HERE)}); import rings
r = rings.Rings(sys.argv[1]); w = r.writer; words = w.words; bell = lambda: os.write(3, b"0")
`;
const FAULTS: readonly (readonly [what: string, code: string])[] = [
  ["dies with half a record copied and not published", `w._copy(b"x" * 500); os.kill(os.getpid(), 9)`],
  ["publishes ten bytes of a record of twelve, then dies", `w.put([b"x" * 10]); bell(); os.kill(os.getpid(), 9)`],
  ["writes a tail beyond the ring", `words[0] = 0xDEADBEEF; bell(); time.sleep(60)`],
  ["sets its tail back", `w.put([b"x" * 10]); bell(); time.sleep(.3); words[0] = 5; bell(); time.sleep(60)`],
];

function attempt(code: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let bytes = 0;
  let exit = "still running";
  const timer = setTimeout(() => resolve(`nothing within ${PATIENCE_MS} ms`), PATIENCE_MS);
  spawnRings({
    command: [options.python, "-c", BEGIN + code],
    env: process.env as Record<string, string>,
    onData: (chunk) => {
      bytes += chunk.length;
    },
    onDrain: () => {},
    onEnd: () => {},
    onExit: (status, signal) => {
      clearTimeout(timer);
      exit = signal ?? `${status}`;
      // The stream's end follows.
      setTimeout(() => resolve(`${bytes} bytes handed over, then its end (${exit})`), 100);
    },
  });
  return promise;
}

/** A front of its own that reads a ring's file which somebody has cut: the exit tells. */
function truncated(): Promise<string> {
  const folder = mkdtempSync("/dev/shm/rings-");
  const path = join(folder, "rings");
  writeFileSync(path, new Uint8Array(FILE_BYTES));
  const code = `const map = Bun.mmap(${JSON.stringify(path)}, { shared: true });
    console.log(map[8192]); process.stdin.once("data", () => { console.log(map[8192]); process.exit(0); });`;
  const front = spawn(process.execPath, ["-e", code], { stdio: ["pipe", "pipe", "ignore"] });
  front.stdout.once("data", () => {
    truncateSync(path, 0);
    front.stdin.write("\n");
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  front.once("exit", (status, signal) => {
    rmSync(folder, { recursive: true, force: true });
    resolve(status === 0 ? "the front lives on" : `the front itself is ended (${signal ?? status})`);
  });
  return promise;
}

/** Memory without a name that the worker itself has made and sealed, before anything of an application runs. */
async function sealed(): Promise<string> {
  const code = `import fcntl, os, sys
file = os.memfd_create("rings", os.MFD_ALLOW_SEALING)
os.posix_fallocate(file, 0, ${FILE_BYTES})
fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
print(file, flush=True)
input()
try:
    os.ftruncate(file, 0)
except OSError as error:
    print(error.strerror, flush=True)
input()`;
  const worker = spawn(options.python, ["-c", code], { stdio: ["pipe", "pipe", "inherit"] });
  const said = (): Promise<string> =>
    new Promise((done) => worker.stdout.once("data", (line) => done(`${line}`.trim())));
  const map = Bun.mmap(`/proc/${worker.pid}/fd/${await said()}`, { shared: true });
  const answer = said();
  worker.stdin.write("\n");
  const text = `${await answer}; the front still reads ${map[8192]}`;
  worker.stdin.end("\n");
  return text;
}

function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

/** A whole front under load, killed: its workers must leave, and nothing may stay behind. */
async function frontKilled(): Promise<string> {
  const args = [`${HERE}run.ts`, "--cores", "0,1", "--only", "hello, 64", "--rounds", "1", "--seconds", "10"];
  const front = spawn(process.execPath, [...args, "--python", options.python], { stdio: ["ignore", "pipe", "ignore"] });
  // It prints its first line when the workers are ready.
  await new Promise((done) => front.stdout.once("data", done));
  await Bun.sleep(500);
  const workers = processTree(front.pid!).slice(1);
  front.kill("SIGKILL");
  await Bun.sleep(1000);
  const left = workers.filter(runs).length;
  const files = readdirSync("/dev/shm").filter((name) => name.startsWith("rings-")).length;
  return `of ${workers.length} workers ${left} stay after a second, ${files} files`;
}

for (const [what, code] of FAULTS) console.log(`a worker ${what}: ${await attempt(code)}`);
console.log(`a worker cuts the file: ${await truncated()}`);
console.log(`a worker cuts sealed memory: ${await sealed()}`);
console.log(`the front is killed: ${await frontKilled()}`);
