/** Servers for the tests with real Python frameworks: each is started once, on the runtime that runs the tests. */
import { join } from "node:path";
import { missing, PYTHON } from "./python.ts";
import { RawClient } from "./raw.ts";
import type { Response as Answer } from "./response.ts";
import { ROOT, type RuntimeName, type Server, sharedServer } from "./server.ts";

const APPS = join(ROOT, "test", "python", "apps");
const RUNTIME: RuntimeName = "Bun" in globalThis ? "bun" : "deno";
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
