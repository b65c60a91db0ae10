/**
 * What --reload costs with a Python application: from the write of its file to the whole answer of the new code, beside
 * what the application's import alone takes. Bun runs it; FastAPI is measured where `.venv` has it.
 *
 *   bun --no-env-file scripts/reload-figures.ts [rounds]
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./build/program.ts";

const ROUNDS = 8;
/** Between two changes: the spare interpreter has started by then. */
const PAUSE_MS = 1_200;
const VENV = join(ROOT, ".venv", "bin", "python");
const PYTHON = existsSync(VENV) ? VENV : "python3";
/** What a worker has loaded before it is told what to serve. */
const LOADED = "asyncio, contextlib, importlib.util, inspect, json, logging, socket, threading, traceback";

const PLAIN = (version: string) => `async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"${version}"})
`;
const FASTAPI = (version: string) => `from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()

@app.get("/", response_class=PlainTextResponse)
async def root():
    return "${version}"
`;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** Milliseconds of the import in an interpreter of its own. */
function importMs(folder: string): number {
  const code = `import ${LOADED}, time; t = time.perf_counter(); import main; print((time.perf_counter() - t) * 1e3)`;
  return Number(spawnSync(PYTHON, ["-c", code], { cwd: folder, encoding: "utf8" }).stdout);
}

function listening(server: ChildProcess): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    server.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
      if (found !== null) resolve(found[0]);
    });
    server.once("exit", () => reject(new Error(text)));
  });
}

async function measure(runtime: "bun" | "deno", make: (version: string) => string, rounds: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "ringcorn-reload-"));
  const file = join(folder, "main.py");
  writeFileSync(file, make("v0"));
  const program = join(ROOT, "node_modules", ".bin", runtime);
  const run = runtime === "bun" ? [] : ["run", "-A", "--unstable-net"];
  const options = ["--app-dir", folder, "--python", PYTHON, "--port", "0", "--reload", "--no-access-log"];
  const command = [...run, join(ROOT, "src", "cli", "main.ts"), "main:app", ...options];
  const server = spawn(program, command, { stdio: ["ignore", "ignore", "pipe"] });
  const times: number[] = [];
  const imports: number[] = [];
  try {
    const url = await listening(server);
    for (let round = 1; round <= rounds; round++) {
      await pause(PAUSE_MS);
      const version = `v${round}`;
      const begin = performance.now();
      writeFileSync(file, make(version));
      while ((await (await fetch(url)).text()) !== version) await pause(1);
      times.push(performance.now() - begin);
      imports.push(importMs(folder));
    }
  } finally {
    server.kill("SIGTERM");
    rmSync(folder, { recursive: true });
  }
  const [whole, own] = [median(times), median(imports)];
  return `${own.toFixed(0)} ms | ${whole.toFixed(0)} ms | ${(whole - own).toFixed(0)} ms |`;
}

async function main(rounds: number): Promise<void> {
  const applications: [string, (version: string) => string][] = [["a function", PLAIN]];
  if (spawnSync(PYTHON, ["-c", "import fastapi"]).status === 0) applications.push(["FastAPI, one route", FASTAPI]);
  const lines = ["| application | front | its import | save to answer | difference |", "|---|---|---|---|---|"];
  for (const [name, make] of applications) {
    for (const runtime of ["bun", "deno"] as const) {
      lines.push(`| ${name} | ${runtime === "bun" ? "Bun" : "Deno"} | ${await measure(runtime, make, rounds)}`);
    }
  }
  process.stdout.write(`${lines.join("\n")}\n\nMedians of ${rounds} changes each; ${cpus().length} cores.\n`);
}

await main(Number(process.argv[2] ?? ROUNDS));
