/** Builds executables as a user does, and serves from them. */
import assert from "node:assert/strict";
import { Program } from "./program.ts";
import { ROOT } from "./server.ts";

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function run(command: readonly string[], env: Record<string, string> = {}, cwd = ROOT): Promise<Run> {
  const program = new Program(command, { env, cwd });
  program.finish();
  const code = await program.exit();
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** Runs an npm script as a user does. */
export function npm(script: string, args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  return run(["npm", "run", "-s", script, "--", ...args], env);
}

/** Builds `outfile` once for all tests that ask for it. */
export function builtAt(outfile: string, args: readonly string[], script = "build"): () => Promise<string> {
  let made: Promise<string> | undefined;
  const make = async (): Promise<string> => {
    const { code, stdout, stderr } = await npm(script, [...args, "--outfile", outfile]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /: \d+\.\d MB, started and asked\n$/);
    return outfile;
  };
  return () => (made ??= make());
}

export interface Options {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts a server, hands over its port, and sees it end by SIGTERM with 0. */
export async function servingFrom(
  command: readonly string[],
  use: (port: number, program: Program) => Promise<void>,
  options: Options,
): Promise<void> {
  const program = new Program([...command, "--port", "0"], options);
  try {
    const [, port] = await program.sees(/http:\/\/127\.0\.0\.1:(\d+)/);
    await use(Number(port), program);
    assert.equal(await program.stop(), 0);
  } finally {
    program.process.kill("SIGKILL");
  }
}
