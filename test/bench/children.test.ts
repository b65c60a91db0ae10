/** A program of bench/ that a signal ends leaves nothing running. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { program, ROOT } from "../../bench/load/programs.ts";
import { GUARD_MS } from "../harness/wait.ts";

/** Starts a grandchild in a group of its own, tells its number, and waits for ever. */
const PROGRAM = `
import { spawn } from "node:child_process";
import { endWithUs } from "${ROOT}bench/load/children.ts";
import { runProgram } from "${ROOT}bench/program.ts";
await runProgram(() => new Promise(() => {
  const child = endWithUs(spawn("/bin/sh", ["-c", "sleep 600 & wait"], { detached: true, stdio: ["ignore", "pipe", "pipe"] }));
  console.log(child.pid);
  setInterval(() => {}, 1000);
}));
`;

function state(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1][0];
  } catch {
    return "gone";
  }
}

for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  test(`${signal} ends the groups that were started, with status ${status}`, async () => {
    const child = spawn(program("bun"), ["-e", PROGRAM], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = await new Promise<number>((resolve) => {
      createInterface({ input: child.stdout }).once("line", (line) => resolve(Number(line)));
    });
    assert.notEqual(state(pid), "gone");
    // Deno tells of a status above 128 as of the signal that it stands for.
    const ended = new Promise<unknown>((resolve) => child.once("close", (code, by) => resolve(code ?? by)));
    child.kill(signal);
    assert.ok([status, signal].includes((await ended) as never));
    const until = performance.now() + GUARD_MS;
    // Its new parent has to take notice of its end.
    while (!["gone", "Z"].includes(state(pid)) && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(["gone", "Z"].includes(state(pid)), state(pid));
  });
}
