/** Servers for the tests with real Python frameworks: each is started once, on the runtime that runs the tests. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { RawClient } from "./raw.ts";
import type { Response as Answer } from "./response.ts";
import { ROOT, type RuntimeName, type Server, sharedServer } from "./server.ts";

const VENV = join(ROOT, ".venv", "bin", "python");
export const PYTHON = existsSync(VENV) ? VENV : "python3";
const APPS = join(ROOT, "test", "python", "apps");
const RUNTIME: RuntimeName = "Bun" in globalThis ? "bun" : "deno";
const hasPython = spawnSync(PYTHON, ["--version"]).status === 0;

const imports = new Map<string, boolean>();

/** Whether the tests' Python can import the module. */
function has(module: string): boolean {
  let found = imports.get(module);
  if (found === undefined) {
    found = hasPython && spawnSync(PYTHON, ["-c", `import ${module}`]).status === 0;
    imports.set(module, found);
  }
  return found;
}

/** Why a test that needs these modules is skipped, or false. */
export function missing(modules: readonly string[]): string | false {
  if (!hasPython) return "Python is not installed";
  const lacking = modules.filter((module) => !has(module));
  return lacking.length === 0 ? false : `${lacking.join(", ")} is not installed`;
}

export interface Framework {
  /** What stands before the tests' names. */
  readonly name: string;
  readonly target: string;
  /** The modules without which its tests are skipped. */
  readonly needs: readonly string[];
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export type Check = (what: string, run: (server: Server) => Promise<void>) => void;

/** `node:test`'s `test`, called in the test's own file: Deno's report names the file that calls it. */
export type Register = (name: string, options: { skip: string | false }, run: () => Promise<void>) => void;

/** Registers tests of one application. Call it at the top level of a test file. */
export function checks({ name, target, needs, options = [], env = {} }: Framework, register: Register): Check {
  const skip = missing(needs);
  const started = sharedServer(RUNTIME, target, ["--app-dir", APPS, "--python", PYTHON, ...options], { env });
  return (what, run) => {
    register(`${name}: ${what}`, { skip }, async () => run(await started()));
  };
}

export async function json(server: Server, path: string, init?: RequestInit): Promise<Record<string, unknown>> {
  return (await (await fetch(server.url + path, init)).json()) as Record<string, unknown>;
}

/** Reads a little of the answer, then resets the connection. */
export async function leave(server: Server, path: string, until = "200 OK"): Promise<void> {
  const client = await RawClient.connect(server.address);
  await client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await client.sees(until);
  client.reset();
}

/** The answers to requests that were sent at once on one connection. */
export async function pipelined(server: Server, heads: readonly string[]): Promise<Answer[]> {
  const client = await RawClient.connect(server.address);
  await client.send(heads.map((head) => `${head}\r\nHost: a\r\n\r\n`).join(""));
  const answers: Answer[] = [];
  for (const _ of heads) answers.push(await client.response());
  client.close();
  return answers;
}
