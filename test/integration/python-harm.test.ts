/** What an application may do to its own worker, and what an operator may do too often. Real processes, both runtimes. */
import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RawClient } from "../harness/raw.ts";
import { check, type Scene, SOURCE, TWO, unharmed } from "../harness/scene.ts";
import { gone, runs } from "../harness/site.ts";
import { pause, until } from "../harness/wait.ts";

/** Paths of faults.py, and what the log says of the worker. */
const ENDS: Readonly<Record<string, RegExp>> = {
  "/exit": /it ended with code 3/,
  "/exit-beside-a-thread": /it closed its stream/,
  "/crash": /it was ended by SIGSEGV/,
  "/close": /it ended with code|it closed its stream/,
  "/stop-loop": /it ended with code/,
  "/cancel-all": /it ended with code/,
};

for (const [path, why] of Object.entries(ENDS)) {
  check(`${path} in a request ends its worker, and neither the connection nor the server`, [], async (scene) => {
    const [pid] = await scene.workers(1);
    const client = await RawClient.connect(scene.server.address);
    await client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    // The application had no time to fail by itself, but where it was cancelled: then the connection is closed behind 500.
    assert.equal((await client.response()).status, path === "/cancel-all" ? 500 : 502);
    const [text] = await scene.server.sees(/Worker \d+ is gone \([^)]*\)/);
    assert.match(text, why);
    await gone(pid, "the worker");
    if (path === "/cancel-all") await scene.ask();
    else {
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      assert.equal((await client.response()).status, 200);
    }
    client.close();
    await scene.server.stop();
  });
}

check("a child that holds the dead worker's stream delays nothing", [], async (scene) => {
  const [pid] = await scene.workers(1);
  await scene.ask("/leave-behind?5");
  const waiting = fetch(`${scene.server.url}/sleep?60`);
  await pause(100);
  process.kill(pid, "SIGKILL");
  assert.equal((await waiting).status, 502);
  await scene.workers(1, [pid]);
  await scene.server.stop();
});

check("a forked child ends when it is told to, and its worker goes on", [], async (scene) => {
  const [pid] = await scene.workers(1);
  const answer = await fetch(`${scene.server.url}/child`);
  // As multiprocessing has it: ended by SIGTERM.
  assert.deepEqual(await answer.json(), { pid, ended: -15 });
  // What wakes the worker's loop it would have taken for its own.
  await scene.workers(1);
  assert.equal((await scene.ask()).pid, pid);
});

check("a stop leaves no forked child behind, and lets what is left running tidy up", [], async (scene) => {
  const { server } = scene;
  const [pid] = await scene.workers(1);
  const { child } = (await (await fetch(`${server.url}/keep-child`)).json()) as { child: number };
  await scene.ask("/leave-running");
  assert.ok(runs(child));
  await server.stop();
  assert.match(server.stdout + server.stderr, /what was left running has tidied up/);
  await gone(pid, "the worker");
  await gone(child, "its child");
});

check("a stop ends a worker that does not answer", ["--timeout-graceful-shutdown", "0.4"], async (scene) => {
  const [pid] = await scene.workers(1);
  const client = await RawClient.connect(scene.server.address);
  await client.send("GET /block?60 HTTP/1.1\r\nHost: a\r\n\r\n");
  await pause(200);
  await scene.server.stop();
  assert.match(scene.server.stderr, /Worker \d+ did not finish in time and is killed\./);
  await gone(pid, "the worker");
  client.close();
});

/** Signals in quick succession, in an order that is the same each time. */
async function storm(scene: Scene, signals: readonly NodeJS.Signals[], times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    scene.signal(signals[i % signals.length]);
    await pause((i * 7) % 40);
  }
}

check("a storm of SIGHUP harms no request, and the last code serves", TWO, async (scene) => {
  const load = scene.load();
  await load.more(50);
  await storm(scene, ["SIGHUP"], 40);
  scene.version("v9");
  scene.signal("SIGHUP");
  await until(async () => (await scene.ask()).version === "v9", "the new code serves");
  await scene.server.sees(/The workers have been replaced\./);
  await unharmed(load);
  await scene.workers(2);
});

check("a storm of SIGTTIN, SIGTTOU and SIGHUP harms no request", TWO, async (scene) => {
  const load = scene.load();
  await load.more(50);
  await storm(scene, ["SIGTTIN", "SIGTTIN", "SIGTTOU", "SIGHUP", "SIGTTOU"], 40);
  await load.more(200);
  await unharmed(load);
  // The system may make one signal of two.
  const counts = [...scene.server.stderr.matchAll(/Workers: (\d+)\./g)];
  await scene.workers(Number(counts.at(-1)?.[1]));
  await scene.server.stop();
});

check("--reload: files that are renamed over, and saved too often", ["--reload"], async (scene) => {
  const { folder } = scene;
  const text = (version: string) => readFileSync(SOURCE, "utf8").replace('"v1"', JSON.stringify(version));
  const load = scene.load();
  writeFileSync(join(folder, "main.py.new"), text("v2"));
  renameSync(join(folder, "main.py.new"), join(folder, "main.py"));
  await until(async () => (await scene.ask()).version === "v2", "what was renamed over it serves");
  for (let i = 0; i < 20; i++) {
    scene.version(`w${i}`);
    await pause(15);
  }
  scene.version("v3");
  await until(async () => (await scene.ask()).version === "v3", "the last of many saves serves");
  await unharmed(load);
});

check(
  "--reload: the filters say what counts",
  ["--reload", ...["--reload-include", "*.py", "--reload-include", "*.html", "--reload-exclude", "old-*"]],
  async (scene) => {
    const [pid] = await scene.workers(1);
    const put = (name: string) => writeFileSync(join(scene.folder, name), "x");
    for (const name of ["notes.txt", "old-page.html", "old-code.py", "page.html"]) put(name);
    await scene.server.sees(/page\.html changed; reloading/);
    await scene.workers(1, [pid]);
    scene.version("v2");
    await scene.server.sees(/main\.py changed; reloading/);
    assert.equal((await scene.ask()).version, "v2");
    assert.doesNotMatch(scene.server.stderr, /notes|old-/);
  },
);
