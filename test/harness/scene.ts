/** A server with a Python application that can be harmed, for the tests of its supervision. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { Load } from "./load.ts";
import { missing, PYTHON } from "./python.ts";
import { onEach, ROOT, type RuntimeName, Server } from "./server.ts";
import { until } from "./wait.ts";

/** What each scene's application begins with. */
export const SOURCE = join(ROOT, "test", "python", "apps", "faults.py");
export const CONNECTIONS = 8;

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A server, its application in a folder of its own, and the means to harm both. */
export class Scene {
  readonly server: Server;
  readonly #file: string;

  constructor(server: Server, file: string) {
    this.server = server;
    this.#file = file;
  }

  load(target = "/sleep?0.002"): Load {
    return new Load(this.server.address, target, CONNECTIONS);
  }

  /** By its id: Deno's `ChildProcess.kill` takes every signal for the last one. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.server.pid, name);
  }

  /** Where the application's file stands. */
  get folder(): string {
    return dirname(this.#file);
  }

  /** The application's file from now on. */
  write(text: string): void {
    writeFileSync(this.#file, text);
  }

  version(name: string): void {
    this.write(readFileSync(SOURCE, "utf8").replace('"v1"', JSON.stringify(name)));
  }

  async ask(target = "/"): Promise<{ pid: number; version: string }> {
    const response = await fetch(this.server.url + target);
    assert.equal(response.status, 200);
    return (await response.json()) as { pid: number; version: string };
  }

  /** Waits until so many workers answer, none of `others`; their process ids. */
  async workers(count: number, others: readonly number[] = []): Promise<number[]> {
    return until(async () => {
      const answers = await Promise.all(Array.from({ length: 4 * count }, () => this.ask("/sleep?0.01")));
      const pids = [...new Set(answers.map(({ pid }) => pid))];
      return pids.length === count && !pids.some((pid) => others.includes(pid)) ? pids : undefined;
    }, `${count} workers answer`);
  }
}

/** Registers a test for each runtime, with a server of its own. */
export function check(
  name: string,
  args: readonly string[],
  run: (scene: Scene, runtime: RuntimeName) => Promise<void>,
) {
  onEach((runtime) => {
    test(`${runtime}: ${name}`, { skip: missing() }, async () => {
      const folder = mkdtempSync(join(tmpdir(), "ringcorn-faults-"));
      folders.push(folder);
      const file = join(folder, "main.py");
      copyFileSync(SOURCE, file);
      const options = ["--app-dir", folder, "--python", PYTHON, "--loop", "asyncio", "--no-access-log", ...args];
      const server = await Server.start(runtime, "main:app", options);
      try {
        await run(new Scene(server, file), runtime);
      } finally {
        await server.kill();
      }
    });
  });
}

/** All processes below one. */
export function below(pid: number): number[] {
  const listed = spawnSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" }).stdout;
  const pairs = listed
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const children = pairs.filter(([, parent]) => parent === pid).map(([child]) => child);
  return children.flatMap((child) => [child, ...below(child)]);
}

/** Ends the load: every request of it has succeeded. */
export async function unharmed(load: Load): Promise<void> {
  await load.stop();
  assert.deepEqual([load.lost, [...load.answers.keys()]], [0, [200]]);
}

export const TWO = ["--workers", "2"];
