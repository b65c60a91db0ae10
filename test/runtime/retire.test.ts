/** Two processes on one port, and the one of them that retires. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { retireListeners, spreadConnections } from "../../src/runtime/retire.ts";
import type { Listener } from "../../src/runtime/types.ts";
import { runtime, sleep } from "./harness.ts";

const isLinux = process.platform === "linux";
const OWN = String(process.pid);

const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** Starts another process that shares `port`; settles when it listens. */
function startSharing(port: number): Promise<string> {
  const script = fileURLToPath(new URL("./programs/share.ts", import.meta.url));
  const flags = runtime.name === "deno" ? ["run", "-A", "--unstable-net"] : [];
  const child = spawn(process.execPath, [...flags, script, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve) => child.stdout.once("data", () => resolve(String(child.pid))));
}

function share(): Promise<Listener> {
  const name = new TextEncoder().encode(OWN);
  return runtime.listen({ host: "127.0.0.1", port: 0, backlog: 128, reusePort: true }, (socket) => ({
    onData() {
      socket.write(name, 0, name.length);
      socket.close();
    },
    onDrain() {},
    onEnd() {},
    onEndUnread() {},
    onClose() {},
  }));
}

/** The process that answers one connection; "" when it is reset. */
function answered(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write("?"));
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

/** Who answers `count` connections that are made at once. */
async function answers(port: number, count: number): Promise<Set<string>> {
  return new Set(await Promise.all(Array.from({ length: count }, () => answered(port))));
}

test("a retired listener leads new connections to its successor", { skip: !isLinux }, async () => {
  const listener = await share();
  const { port } = listener.address;
  const other = await startSharing(port);
  assert.deepEqual([...(await answers(port, 60))].sort(), [OWN, other].sort());
  assert.equal(await retireListeners(port, 1), true);
  assert.deepEqual([...(await answers(port, 60))], [other]);
  listener.close();
  assert.deepEqual([...(await answers(port, 20))], [other]);
});

test("without a successor's place new connections still reach the others", { skip: !isLinux }, async () => {
  const listener = await share();
  const { port } = listener.address;
  const other = await startSharing(port);
  assert.equal(await retireListeners(port, undefined), true);
  const answered = answers(port, 20);
  // Those that met the retired listener repeat their SYN after a second, and find it closed.
  await sleep(100);
  listener.close();
  assert.deepEqual([...(await answered)], [other]);
});

test("connections are spread again when a listener is added", { skip: !isLinux }, async () => {
  const listener = await share();
  const { port } = listener.address;
  const second = await startSharing(port);
  assert.equal(await retireListeners(port, 1), true);
  listener.close();
  const third = await startSharing(port);
  // The kernel may name a place that exists again: the third one's.
  const own = await runtime.listen({ host: "127.0.0.1", port, backlog: 16, reusePort: true }, (socket) => {
    socket.reset();
    return { onData() {}, onDrain() {}, onEnd() {}, onEndUnread() {}, onClose() {} };
  });
  await spreadConnections(port);
  own.close();
  assert.deepEqual([...(await answers(port, 60))].filter((name) => name !== "").sort(), [second, third].sort());
});

test("a port on which nothing listens can't be retired", { skip: !isLinux }, async () => {
  const listener = await share();
  listener.close();
  // Deno closes the descriptor when the pending accept has ended.
  await sleep(1);
  assert.equal(await retireListeners(listener.address.port, 0), false);
});
