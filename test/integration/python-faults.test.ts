/** What may happen to Python workers under load: death, new code, limits, silence, garbage. Real processes, both runtimes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Load } from "../harness/load.ts";
import { RawClient, request } from "../harness/raw.ts";
import { onEach, ROOT, type RuntimeName, Server } from "../harness/server.ts";
import { gone, runs } from "../harness/site.ts";
import { pause, until } from "../harness/wait.ts";

const SOURCE = join(ROOT, "test", "python", "apps", "faults.py");
const VENV = join(ROOT, ".venv", "bin", "python");
const PYTHON = existsSync(VENV) ? VENV : "python3";
const hasPython = spawnSync(PYTHON, ["--version"]).status === 0;
const CONNECTIONS = 8;

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A server, its application in a folder of its own, and the means to harm both. */
class Scene {
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

function check(name: string, args: readonly string[], run: (scene: Scene, runtime: RuntimeName) => Promise<void>) {
  onEach((runtime) => {
    test(`${runtime}: ${name}`, { skip: hasPython ? false : "Python is not installed" }, async () => {
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
function below(pid: number): number[] {
  const listed = spawnSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" }).stdout;
  const pairs = listed
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const children = pairs.filter(([, parent]) => parent === pid).map(([child]) => child);
  return children.flatMap((child) => [child, ...below(child)]);
}

async function unharmed(load: Load): Promise<void> {
  await load.stop();
  assert.deepEqual([load.lost, [...load.answers.keys()]], [0, [200]]);
}

const TWO = ["--workers", "2"];

check("kill -9 of a worker under load loses no connection", TWO, async (scene) => {
  const { server } = scene;
  const pids = await scene.workers(2);
  const load = scene.load();
  await load.more(200);
  process.kill(pids[0], "SIGKILL");
  await server.sees(/Worker \d+ is gone \(it was ended by SIGKILL\).*; another one starts/);
  await load.more(200);
  await scene.workers(2, [pids[0]]);
  await load.stop();
  assert.equal(load.lost, 0);
  assert.deepEqual(
    [...load.answers.keys()].filter((status) => status !== 200 && status !== 502),
    [],
  );
  assert.ok(load.failed <= CONNECTIONS, `${load.failed} were in flight there`);
});

check("SIGHUP under load: not one failed request, and the new code serves", TWO, async (scene) => {
  const pids = await scene.workers(2);
  const load = scene.load();
  await load.more(200);
  scene.version("v2");
  scene.signal("SIGHUP");
  await scene.server.sees(/The workers have been replaced\./);
  await load.more(200);
  await unharmed(load);
  for (const pid of pids) await gone(pid, "the old worker");
  const fresh = await scene.workers(2, pids);
  assert.equal((await scene.ask()).version, "v2");
  assert.equal(fresh.length, 2);
});

check("broken code at SIGHUP never goes live", TWO, async (scene) => {
  const pids = await scene.workers(2);
  const load = scene.load();
  scene.write("import nothing_of_this_name\n");
  scene.signal("SIGHUP");
  await scene.server.sees(/needs the package nothing_of_this_name[\s\S]*Traceback[\s\S]*old code go on serving\./);
  await load.more(200);
  await unharmed(load);
  assert.deepEqual((await scene.workers(2)).sort(), pids.sort());
  assert.equal(scene.server.stderr.match(/Traceback/g)?.length, 1, "told once");
  scene.version("v3");
  scene.signal("SIGHUP");
  await until(async () => (await scene.ask()).version === "v3", "the mended code serves");
});

check("SIGTTIN and SIGTTOU: one worker more, one less", [], async (scene) => {
  const [first] = await scene.workers(1);
  scene.signal("SIGTTIN");
  await scene.workers(2);
  const load = scene.load();
  scene.signal("SIGTTOU");
  await scene.server.sees(/Workers: 1\./);
  await load.more(200);
  await unharmed(load);
  assert.deepEqual(await scene.workers(1), [first]);
  scene.signal("SIGTTOU");
  await scene.server.sees(/The last worker stays/);
});

check(
  "replacement after so many requests drops nothing",
  [...TWO, "--limit-max-requests", "150", "--limit-max-requests-jitter", "50"],
  async (scene) => {
    const load = scene.load();
    const pids = () => new Set([...load.bodies].map((body) => JSON.parse(body).pid));
    await until(() => pids().size >= 5, "several generations have answered");
    await unharmed(load);
  },
);

check("a worker that uses too much memory is replaced", ["--limit-max-rss", "150m"], async (scene) => {
  const [pid] = await scene.workers(1);
  const load = scene.load();
  await scene.ask("/grow?200");
  await scene.server.sees(/Worker \d+ uses \d+\.\d MB of memory, more than 150\.0 MB, and is replaced\./);
  await until(() => !runs(pid), "the large worker has left");
  await unharmed(load);
});

check("a worker is replaced at the end of its lifetime", ["--worker-lifetime", "0.5"], async (scene) => {
  const load = scene.load();
  const pids = () => new Set([...load.bodies].map((body) => JSON.parse(body).pid));
  await until(() => pids().size >= 2, "a second generation answers");
  await unharmed(load);
});

check("a stopped worker is replaced while the others serve", [...TWO, "--timeout-worker", "1"], async (scene) => {
  const pids = await scene.workers(2);
  const load = scene.load();
  await load.more(100);
  process.kill(pids[0], "SIGSTOP");
  await scene.server.sees(/Worker \d+ is stuck: its event loop has not turned for 1 s/);
  await gone(pids[0], "the stopped worker");
  await load.more(100);
  await scene.workers(2, [pids[0]]);
  await load.stop();
  assert.equal(load.lost, 0);
  assert.ok(load.failed <= CONNECTIONS, `${load.failed} were in flight there`);
  assert.equal(scene.server.stderr.match(/is stuck|is gone/g)?.length, 1, "one line");
});

check("a waiting loop is stuck, a computing one is not", [...TWO, "--timeout-worker", "1"], async (scene) => {
  const pids = await scene.workers(2);
  const computed = await scene.ask("/spin?2");
  assert.ok(pids.includes(computed.pid));
  assert.doesNotMatch(scene.server.stderr, /is stuck/);
  const blocked = await fetch(`${scene.server.url}/block?60`);
  assert.equal(blocked.status, 502);
  assert.match(scene.server.stderr, /is stuck/);
});

check("a busy worker gets nothing that another can take", TWO, async (scene) => {
  const pids = await scene.workers(2);
  let over = false;
  const spinning = scene.ask("/spin?4").finally(() => {
    over = true;
  });
  // Until its heartbeat has told.
  await pause(1_500);
  const answers = await Promise.all(Array.from({ length: 8 }, () => scene.ask("/sleep?0.05")));
  assert.equal(over, false, "all were answered meanwhile");
  const others = new Set(answers.map(({ pid }) => pid));
  assert.equal(others.size, 1);
  const { pid } = await spinning;
  assert.deepEqual([...others, pid].sort(), pids.sort());
});

check("a worker that floods is replaced", TWO, async (scene) => {
  const pids = await scene.workers(2);
  const flooded = await fetch(`${scene.server.url}/flood`);
  assert.equal(flooded.status, 502);
  await scene.server.sees(/Worker \d+ is gone \(it sent a record of [^)]*\)/);
  await scene.workers(2);
  assert.equal(pids.filter(runs).length, 1);
});

check(
  "beyond --limit-concurrency requests wait, beyond --limit-queue they get 503",
  [...["--limit-concurrency", "1", "--limit-queue", "2"]],
  async (scene) => {
    const responses = await Promise.all(Array.from({ length: 5 }, () => fetch(`${scene.server.url}/sleep?0.5`)));
    const statuses = responses.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 200, 200, 503, 503]);
    for (const response of responses) {
      if (response.status === 503) assert.equal(response.headers.get("retry-after"), "1");
    }
  },
);

check("--reload: requests wait for the new code, streams don't delay it", ["--reload"], async (scene) => {
  const stream = await RawClient.connect(scene.server.address);
  await stream.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  await stream.sees("tick");
  const load = scene.load();
  await load.more(50);
  const text = readFileSync(SOURCE, "utf8").replace('"v1"', '"v2"');
  scene.write(`${text}\ntime.sleep(0.5)\n`);
  await scene.server.sees(/main\.py changed; reloading\./);
  assert.equal((await scene.ask()).version, "v2", "the first answer after the change is the new code's");
  await unharmed(load);
  stream.close();
});

check("--reload: an error is shown as a page, and the next save recovers", ["--reload"], async (scene) => {
  const page = () => fetch(scene.server.url, { headers: { accept: "text/html" } });
  scene.write("# <script>\nx = = 1\n");
  const shown = await until(async () => {
    const response = await page();
    return response.status === 500 ? response : undefined;
  }, "the page is shown");
  assert.equal(shown.headers.get("cache-control"), "no-store");
  assert.equal(shown.headers.get("content-type"), "text/html; charset=utf-8");
  const html = await shown.text();
  assert.match(html, /<pre>[\s\S]*main\.py&quot;, line 2[\s\S]*SyntaxError/);
  await scene.server.sees(/SyntaxError: [\s\S]*Waiting for a file to change\./);
  const plain = await fetch(scene.server.url, { headers: { accept: "*/*" } });
  assert.match(plain.headers.get("content-type") ?? "", /^text\/plain/);
  scene.version("v3");
  await until(async () => (await page()).status === 200, "the mended code answers");
  assert.equal((await scene.ask()).version, "v3");
});

check("without --reload no traceback is shown to clients", [], async (scene) => {
  scene.write("x = = 1\n");
  const [pid] = await scene.workers(1);
  process.kill(pid, "SIGKILL");
  await scene.server.sees(/SyntaxError/);
  const held = fetch(scene.server.url);
  scene.version("v2");
  const response = await held;
  assert.equal(response.status, 200);
  assert.doesNotMatch(await response.text(), /SyntaxError/);
});

check("when the front is killed, all its processes leave", [...TWO, "--reload"], async (scene) => {
  await scene.workers(2);
  const stuck = await RawClient.connect(scene.server.address);
  await stuck.send("GET /block?100 HTTP/1.1\r\nHost: a\r\n\r\n");
  // Two workers, and the interpreter of the next one.
  const pids = await until(() => {
    const found = below(scene.server.pid);
    return found.length === 3 ? found : undefined;
  }, "three processes run");
  await scene.server.kill();
  for (const pid of pids) await gone(pid);
});

check("several fronts: HUP, TTIN and TTOU reach their workers", ["--fronts", "2", ...TWO], async (scene) => {
  // Connections are the kernel's to spread: each of these asks on one of its own.
  const seen = async (count: number, others: readonly number[]) =>
    until(async () => {
      const answers = await Promise.all(
        Array.from({ length: 24 }, async () => {
          const { body } = await request(scene.server.address, "/sleep?0.01");
          return JSON.parse(Buffer.from(body).toString()).pid as number;
        }),
      );
      const pids = [...new Set(answers)];
      return pids.length === count && !pids.some((pid) => others.includes(pid)) ? pids : undefined;
    }, `${count} workers answer`);
  const first = await seen(2, []);
  const fronts = spawnSync("ps", ["--ppid", `${scene.server.pid}`, "-o", "pid="], { encoding: "utf8" }).stdout;
  const load = scene.load();
  scene.version("v2");
  scene.signal("SIGHUP");
  const second = await seen(2, first);
  await unharmed(load);
  for (const pid of first) await gone(pid);
  scene.signal("SIGTTIN");
  const third = await seen(3, []);
  for (const pid of second) assert.ok(third.includes(pid));
  scene.signal("SIGTTOU");
  await seen(2, []);
  const now = spawnSync("ps", ["--ppid", `${scene.server.pid}`, "-o", "pid="], { encoding: "utf8" }).stdout;
  assert.equal(now, fronts, "the fronts stay");
  const all = below(scene.server.pid);
  await scene.server.stop();
  for (const pid of all) await gone(pid);
});
