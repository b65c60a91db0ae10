/** What an operator does with Python workers under load: new code, more of them, limits, reload. Real processes, both runtimes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RawClient, request } from "../harness/raw.ts";
import { below, check, SOURCE, TWO, unharmed } from "../harness/scene.ts";
import { gone, runs } from "../harness/site.ts";
import { until } from "../harness/wait.ts";

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

check(
  "SIGTERM to all processes, as a service manager sends it: nobody loads the application once more",
  TWO,
  async (scene) => {
    const pids = await scene.workers(2);
    const marker = join(scene.folder, "loaded");
    scene.write(`open(${JSON.stringify(marker)}, "w").close()\n${readFileSync(SOURCE, "utf8")}`);
    const client = await RawClient.connect(scene.server.address);
    await client.send("GET /sleep?1.5 HTTP/1.1\r\nHost: a\r\n\r\n");
    await scene.ask();
    scene.signal("SIGTERM");
    for (const pid of pids) process.kill(pid, "SIGTERM");
    assert.equal((await client.response()).status, 200);
    assert.deepEqual(await scene.server.ended(), { code: 0, signal: null });
    assert.equal(existsSync(marker), false);
    client.close();
  },
);

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

check("a worker that leaves is heard to its end", [...TWO, "--limit-max-requests", "50"], async (scene) => {
  const pids = await scene.workers(2);
  // More than the stream takes at once: much of it is unread when the process ends.
  const load = scene.load("/large");
  await load.more(600);
  await unharmed(load);
  assert.deepEqual(
    [...load.bodies].map(({ length }) => length),
    [250_000],
  );
  await scene.workers(2, pids);
});

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

check(
  "several fronts: their workers are given nothing of what is between them",
  ["--fronts", "2", ...TWO],
  async (scene) => {
    const names = (await (await fetch(`${scene.server.url}/environment`)).json()) as string[];
    assert.ok(names.includes("PATH"));
    assert.deepEqual(
      names.filter((name) => name.startsWith("RINGCORN")),
      [],
    );
  },
);

check("several fronts: a start that does not end is begun anew at SIGHUP", ["--fronts", "2", ...TWO], async (scene) => {
  scene.write("import time\nprint('waits', flush=True)\ntime.sleep(1000)\n");
  scene.signal("SIGHUP");
  await scene.server.sees(/waits/);
  scene.version("v2");
  scene.signal("SIGHUP");
  await scene.server.sees(/have been replaced[\s\S]*have been replaced/);
  assert.equal((await scene.ask()).version, "v2");
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
