/** Children, the message pipe, signals and output, each in processes of their own. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, constants, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { spawnStream } from "../../src/runtime/stream-child.ts";
import { PlainError } from "../../src/runtime/types.ts";
import { gone } from "../harness/site.ts";
import { runtime, sleep, temporaryDirectory, until } from "./harness.ts";

function program(name: string): string {
  return fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
}

function command(name: string): [string, string[]] {
  const script = program(name);
  return runtime.name === "deno"
    ? [process.execPath, ["run", "-A", "--unstable-net", script]]
    : [process.execPath, [script]];
}

function start(name: string, ...args: string[]): ChildProcess {
  const [file, rest] = command(name);
  return spawn(file, [...rest, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

function collect(child: ChildProcess): { out: string; err: string } {
  const text = { out: "", err: "" };
  child.stdout!.setEncoding("utf8").on("data", (part: string) => {
    text.out += part;
  });
  child.stderr!.setEncoding("utf8").on("data", (part: string) => {
    text.err += part;
  });
  return text;
}

function exited(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("close", (code) => resolve(code)));
}

for (const [how, code] of [
  ["exit", 7],
  ["natural", 0],
] as const) {
  test(`parent and child exchange messages; the child ends (${how}) and its code arrives`, async () => {
    const parent = start("start", "child.ts", how);
    const text = collect(parent);
    assert.equal(await exited(parent), code, text.err);
    const [hello, answer] = text.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(hello.parent, parent.pid);
    assert.notEqual(hello.pid, parent.pid);
    assert.equal(hello.channelVariable, false);
    assert.equal(hello.again, true);
    assert.deepEqual(answer.echo, { to: "child" });
    assert.equal(answer.text, "ä€😀".repeat(20_000));
  });
}

test("a child hears that its parent was killed, and sees another parent", async () => {
  const directory = temporaryDirectory();
  const file = join(directory.path, "log");
  const parent = start("start", "child.ts", "orphan", file);
  const text = collect(parent);
  await until(() => text.out.includes("\n"), "the child's first message");
  parent.kill("SIGKILL");
  await until(() => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"), "the child's report");
  const [, now] = /^gone, parent (\d+)\n$/.exec(readFileSync(file, "utf8"))!;
  assert.notEqual(Number(now), parent.pid);
  directory.remove();
});

test("a process that was not spawned has no parent link", async () => {
  const child = start("child");
  assert.equal(await exited(child), 97);
});

test("spawn: kill, exit by signal, and sends after the end are refused", async () => {
  const [file, args] = command("signals");
  const ends: unknown[] = [];
  const child = runtime.spawn({
    command: [file, ...args.slice(0, -1), program("start"), "child.ts", "orphan", "/dev/null"],
    env: process.env as Record<string, string>,
    onMessage: () => {},
    onExit: (code, signal) => ends.push([code, signal]),
  });
  assert.ok(child.pid > 1);
  child.kill("SIGKILL");
  await until(() => ends.length > 0, "exit");
  assert.deepEqual(ends, [[null, "SIGKILL"]]);
  assert.equal(child.send({}), false);
  child.kill("SIGTERM");
});

test("spawn: a second signal reaches a child that survived the first", async () => {
  const [file, args] = command("signals");
  const ends: unknown[] = [];
  const child = runtime.spawn({
    command: [file, ...args, "quiet"],
    env: process.env as Record<string, string>,
    onMessage: () => {},
    onExit: (code, signal) => ends.push([code, signal]),
  });
  // SIGINT is caught once the program is up; before that it would end it.
  await sleep(400);
  child.kill("SIGINT");
  await sleep(50);
  assert.deepEqual(ends, []);
  child.kill("SIGKILL");
  await until(() => ends.length > 0, "exit");
  assert.deepEqual(ends, [[null, "SIGKILL"]]);
});

test("spawn: a program that does not exist is one sentence", () => {
  const options = { env: {}, onMessage: () => {}, onExit: () => {} };
  assert.throws(
    () => runtime.spawn({ ...options, command: ["/no/such/program"] }),
    (error: unknown) => error instanceof PlainError && /^The program \/no\/such\/program can't be/.test(error.message),
  );
});

for (const [how, code] of [
  ["exit", 3],
  ["end", 0],
  ["throw", 1],
] as const) {
  test(`output is whole when a slow reader outlives the program (${how})`, async () => {
    const lines = 6000;
    const child = start("print", how, String(lines));
    let out = "";
    let err = "";
    child.stderr!.setEncoding("utf8").on("data", (part: string) => {
      err += part;
    });
    child.stdout!.setEncoding("utf8").on("data", (part: string) => {
      out += part;
      if (out.length < 100_000) {
        child.stdout!.pause();
        setTimeout(() => child.stdout!.resume(), 5);
      }
    });
    assert.equal(await exited(child), code, err);
    const expected = Array.from({ length: lines }, (_, i) => `line ${i} ${"-".repeat(90)}\n`).join("");
    assert.equal(out.length, expected.length);
    assert.equal(out, expected);
    assert.equal(err.split("\n").filter((line) => line.startsWith("error ")).length, lines / 1000);
  });
}

test("output to a reader that has left does no harm", async () => {
  const child = start("print", "exit", "20000");
  child.stdout!.destroy();
  child.stderr!.resume();
  assert.equal(await exited(child), 3);
});

test("a reader that has stopped does not hold the end of the process back", async () => {
  const directory = temporaryDirectory();
  const pipe = join(directory.path, "pipe");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const [file, args] = command("print");
  const quoted = [file, ...args].map((part) => `'${part}'`).join(" ");
  const child = spawn("sh", ["-c", `exec ${quoted} exit 20000 > '${pipe}' 2> /dev/null`], { stdio: "ignore" });
  assert.equal(await exited(child), 3);
  closeSync(reader);
  directory.remove();
});

test("output to a regular file", () => {
  const [file, args] = command("print");
  const quoted = [file, ...args].map((part) => `'${part}'`).join(" ");
  const directory = temporaryDirectory();
  const target = join(directory.path, "out");
  const shell = spawnSync("sh", ["-c", `echo first > '${target}'; ${quoted} exit 100 >> '${target}' 2>&1`]);
  assert.equal(shell.status, 3);
  const lines = readFileSync(target, "utf8").split("\n");
  assert.equal(lines.length, 1 + 100 + 1 + 1);
  assert.equal(lines[0], "first");
  directory.remove();
});

/** Runs a shell's script in a folder of its own file system of 16 KB, which is full. */
function onFullDisk(script: string) {
  const directory = temporaryDirectory();
  const mount = 'mount -t tmpfs -o size=16k none "$0" && cd "$0" && head -c 16384 /dev/zero > ballast';
  const shell = spawnSync("unshare", ["-rm", "sh", "-c", `${mount} && { ${script}; }`, directory.path], {
    encoding: "utf8",
  });
  directory.remove();
  return shell;
}

const canMount = process.platform === "linux" && onFullDisk("true").status === 0;

test("output to a full disk is lost, told, and goes on when there is room", { skip: !canMount }, () => {
  const [file, args] = command("full");
  const quoted = [file, ...args].map((part) => `'${part}'`).join(" ");
  const { status, stdout, stderr } = onFullDisk(`${quoted} ballast >> out; cat out`);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "[8 bytes of output were dropped: the disk was full]\nthree\nfour\n");
});

test("signals arrive, and a removed listener leaves the default", async () => {
  const child = start("signals");
  const text = collect(child);
  await until(() => text.out.includes("ready"), "ready");
  for (const name of ["SIGINT", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGTERM"] as const) {
    process.kill(child.pid!, name);
    await until(() => text.out.includes(name), name);
  }
  await sleep(50);
  const signal = new Promise((resolve) => child.once("exit", (_code, by) => resolve(by)));
  process.kill(child.pid!, "SIGTERM");
  assert.equal(await signal, "SIGTERM");
});

test("without descriptors accepting waits, idle, and goes on when there are some", {
  skip:
    runtime.name === "bun" ? "Bun's own accept loop spins; the server's connection cap stays below the limit" : false,
}, async () => {
  const [file, args] = command("crowd");
  const quoted = [file, ...args].map((part) => `'${part}'`).join(" ");
  const child = spawn("sh", ["-c", `ulimit -n 60; exec ${quoted}`], { stdio: ["ignore", "pipe", "pipe"] });
  const text = collect(child);
  await until(() => /port \d+\n/.test(text.out), "the port");
  const port = Number(/port (\d+)/.exec(text.out)![1]);
  const clients = Array.from({ length: 100 }, () => connect(port, "127.0.0.1"));
  const answers = new Set<object>();
  for (const client of clients) {
    client.on("error", () => {});
    client.on("data", () => answers.add(client));
    client.write("x");
  }
  await until(() => answers.size > 20, "some answers");
  await sleep(500);
  const shares = () => [...text.out.matchAll(/cpu ([\d.]+)\n/g)].map((match) => Number(match[1]));
  const before = shares().length;
  await until(() => shares().length > before + 2, "the CPU share");
  assert.ok(answers.size < 60);
  assert.ok(shares().at(-1)! < 0.5, `CPU share ${shares().at(-1)}`);
  for (const client of answers) (client as Socket).destroy();
  const served = answers.size;
  await until(() => answers.size > served + 10, "answers to those that waited");
  assert.doesNotMatch(text.out, /error/);
  for (const client of clients) client.destroy();
  child.kill("SIGKILL");
  await exited(child);
});

test("who exits leaves no child with a stream behind", async () => {
  const child = start("abandon");
  const text = collect(child);
  assert.equal(await exited(child), 0);
  assert.match(text.out, /^\d+$/);
  await gone(Number(text.out), "the child");
});

test("selfCommand starts the same program again", () => {
  const [file, args] = command("self");
  const first = JSON.parse(spawnSync(file, [...args, "--port", "1"], { encoding: "utf8" }).stdout);
  assert.deepEqual(first.arguments, ["--port", "1"]);
  const [again, ...rest] = first.command as string[];
  const second = JSON.parse(spawnSync(again!, [...rest, "x"], { encoding: "utf8" }).stdout);
  assert.deepEqual(second, { command: first.command, arguments: ["x"] });
});

test("selfCommand passes on how modules are found, and no debugger", { skip: process.platform !== "linux" }, () => {
  const directory = temporaryDirectory();
  const extra = join(directory.path, "extra.json");
  writeFileSync(extra, "{}");
  const shared = [runtime.name === "bun" ? "--preload" : "--import-map", extra];
  const [file, args] = command("self");
  const options = [...args.slice(0, -1), "--inspect=127.0.0.1:0", ...shared];
  const { stdout } = spawnSync(file, [...options, program("self"), "--import-map", ""], { encoding: "utf8" });
  const told = JSON.parse(stdout);
  assert.deepEqual(told.arguments, ["--import-map", ""]);
  assert.deepEqual(told.command.slice(-3), [...shared, program("self")]);
  assert.ok(!told.command.some((word: string) => word.startsWith("--inspect")));
  directory.remove();
});

test("a compiled executable starts itself again", { skip: runtime.name !== "bun" }, () => {
  const directory = temporaryDirectory();
  const executable = join(directory.path, "self");
  const build = spawnSync(process.execPath, ["build", "--compile", program("self"), "--outfile", executable]);
  assert.equal(build.status, 0, String(build.stderr));
  const answer = JSON.parse(spawnSync(executable, ["--port", "1"], { encoding: "utf8" }).stdout);
  assert.deepEqual(answer, { command: [executable], arguments: ["--port", "1"] });
  directory.remove();
});

test("a program that can't be started is one sentence, and no exit is told", async () => {
  const exits: unknown[] = [];
  const onExit = (...exit: unknown[]): void => void exits.push(exit);
  const nothing = (): void => undefined;
  const folder = temporaryDirectory();
  // A folder can't be executed.
  for (const path of [join(folder.path, "missing"), folder.path]) {
    const command = [path, "argument"];
    for (const start of [
      () => runtime.spawn({ command, env: {}, onMessage: nothing, onExit }),
      () => spawnStream({ command, env: {}, onData: nothing, onDrain: nothing, onEnd: nothing, onExit }),
    ]) {
      assert.throws(
        start,
        (error) => error instanceof PlainError && error.message.includes(`${path} can't be started;`),
      );
    }
  }
  await sleep(50);
  folder.remove();
  assert.deepEqual(exits, []);
});
