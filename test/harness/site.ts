/** A folder of its own with an application in it, for tests that change files or let processes die. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { until } from "./wait.ts";

/**
 * An application that answers `<version> <process id> <root path>`. `/env?NAME` answers a variable, `/die` ends the
 * process, `/hang` never answers.
 */
export function appText(version: string, extra = ""): string {
  return `${extra}
export default async function app(scope, receive, send) {
  if (scope.type !== "http") throw new Error("http only");
  if (scope.path.endsWith("/die")) process.exit(3);
  if (scope.path.endsWith("/hang")) await new Promise(() => {});
  const name = new TextDecoder().decode(scope.query_string);
  const text = scope.path.endsWith("/env") ? String(process.env[name]) : "${version} " + process.pid + " " + scope.root_path;
  const body = new TextEncoder().encode(text);
  await send({ type: "http.response.start", status: 200, headers: [["content-length", String(body.length)]] });
  await send({ type: "http.response.body", body });
}
`;
}

export class Site {
  readonly directory: string;

  /** Call it at the top level of a test file: the folder is removed after the file's tests. */
  constructor() {
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), "ringcorn-site-")));
    after(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }
}

/** One request on a connection of its own; the body, or undefined when anything went wrong. */
export function fresh(where: { port: number } | { path: string }, target = "/"): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const address = "path" in where ? { path: where.path } : { port: where.port, host: "127.0.0.1" };
    const socket = connect(address, () => {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`);
    });
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      const ok = text.startsWith("HTTP/1.1 200 ") && text.includes("\r\n\r\n");
      resolve(ok ? text.slice(text.indexOf("\r\n\r\n") + 4) : undefined);
    });
  });
}

/** The version and process id that an application of `appText` answers. */
export async function whoAnswers(
  where: { port: number } | { path: string },
): Promise<{ version: string; pid: number }> {
  const body = await until(() => fresh(where), "the application answers");
  const [version, pid] = body.split(" ");
  return { version, pid: Number(pid) };
}

/** Whether a process of this id runs. */
export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits until a process has ended. */
export async function gone(pid: number, what = "the process"): Promise<void> {
  await until(() => !runs(pid), `${what} (${pid}) has ended`);
}
