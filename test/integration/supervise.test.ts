/** Several processes under a supervisor: real ones, killed, replaced and stopped. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { RawClient } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { RUNTIMES, type RuntimeName, Server, withServer } from "../harness/server.ts";
import { appText, fresh, gone, Site, whoAnswers } from "../harness/site.ts";
import { pause, until, within } from "../harness/wait.ts";

const site = new Site();
const APP = site.write("app.ts", appText("v1"));
/** Longer than repeats of a signal count as one. */
const SECOND_SIGNAL_MS = 400;
/** The first new worker is starting, or serves, by then; the roll begins anew either way. */
const BETWEEN_SIGNALS_MS = 100;
const CLIENTS = 8;

/** Asks until `count` different processes have answered; their ids. */
async function processes(server: Server, count: number): Promise<Set<number>> {
  const seen = new Set<number>();
  await until(async () => {
    seen.add((await whoAnswers(server)).pid);
    return seen.size >= count;
  }, `${count} processes answer`);
  return seen;
}

/** Makes requests, each on a new connection and CLIENTS at a time, until `count` processes have answered. */
async function load(server: Server, count: number): Promise<{ failures: number }> {
  const seen = new Set<string>();
  let failures = 0;
  const client = async (): Promise<void> => {
    while (seen.size < count) {
      const body = await fresh(server);
      if (body === undefined) failures += 1;
      else seen.add(body.split(" ")[1]);
    }
  };
  await within(Promise.all(Array.from({ length: CLIENTS }, client)), `${count} processes answer`);
  return { failures };
}

function occurrences(server: Server, pattern: RegExp): number {
  return [...server.stderr.matchAll(new RegExp(pattern, "g"))].length;
}

function withWorkers(runtime: RuntimeName, app: string, args: string[], use: (server: Server) => Promise<void>) {
  return withServer(runtime, app, ["--no-access-log", ...args], use);
}

for (const runtime of RUNTIMES) {
  test(`${runtime}: --workers: each process answers on the one port, and all leave on SIGTERM`, () =>
    withWorkers(runtime, APP, ["--workers", "2"], async (server) => {
      const pids = await processes(server, 2);
      assert.ok(!pids.has(server.pid), "the supervisor does not serve");
      await server.stop();
      for (const pid of pids) await gone(pid, "a worker");
    }));

  test(`${runtime}: workers may have the longest time there is for their end`, () =>
    withWorkers(runtime, APP, ["--workers", "2", "--timeout-graceful-shutdown", "2147483"], async (server) => {
      await processes(server, 2);
      await server.stop();
      assert.doesNotMatch(server.stderr, /killed|Overflow/);
    }));

  test(`${runtime}: a worker that is killed is replaced`, () =>
    withWorkers(runtime, APP, ["--workers", "2"], async (server) => {
      const [first, second] = await processes(server, 2);
      process.kill(first, "SIGKILL");
      await server.sees(new RegExp(`Worker ${first} was ended by SIGKILL; another one starts in 100 ms`));
      await until(async () => {
        const { pid } = await whoAnswers(server);
        return pid !== first && pid !== second;
      }, "a new process answers");
    }));

  test(`${runtime}: a worker whose application ends the process is replaced`, () =>
    withWorkers(runtime, APP, ["--limit-max-requests", "1000"], async (server) => {
      const { pid } = await whoAnswers(server);
      await fresh(server, "/die");
      await server.sees(new RegExp(`Worker ${pid} ended with exit code 3`));
      assert.notEqual((await whoAnswers(server)).pid, pid);
    }));

  test(`${runtime}: the workers leave when the supervisor is killed`, () =>
    withWorkers(runtime, APP, ["--workers", "2"], async (server) => {
      const pids = await processes(server, 2);
      await server.kill();
      for (const pid of pids) await gone(pid, "a worker");
    }));

  test(`${runtime}: Ctrl-C reaches supervisor and workers, and all end with 0`, () =>
    withWorkers(runtime, APP, ["--workers", "2"], async (server) => {
      for (const pid of await processes(server, 2)) process.kill(pid, "SIGINT");
      await processes(server, 2);
      server.signal("SIGINT");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      assert.equal(occurrences(server, /Worker \d+ /), 0);
    }));

  test(`${runtime}: a second signal ends all at once`, () =>
    withWorkers(runtime, APP, ["--workers", "2"], async (server) => {
      const pids = await processes(server, 2);
      void fresh(server, "/hang");
      await processes(server, 2);
      server.signal("SIGTERM");
      await server.sees(/Stopping/);
      await pause(SECOND_SIGNAL_MS);
      server.signal("SIGTERM");
      assert.deepEqual(await server.ended(), { code: 1, signal: null });
      for (const pid of pids) await gone(pid, "a worker");
    }));

  test(`${runtime}: SIGHUP replaces every worker, SIGTTIN adds one, SIGTTOU removes one`, () =>
    withWorkers(runtime, APP, ["--workers", "2"], async (server) => {
      const before = await processes(server, 2);
      server.signal("SIGHUP");
      for (const pid of before) await gone(pid, "an old worker");
      const replaced = await processes(server, 2);
      for (const pid of replaced) assert.ok(!before.has(pid));
      server.signal("SIGTTIN");
      await server.sees(/Workers: 3\./);
      await processes(server, 3);
      server.signal("SIGTTOU");
      await server.sees(/Workers: 2\./);
      await server.stop();
    }));

  test(`${runtime}: SIGHUP with broken code keeps the old, and says why once; mended code is taken`, async () => {
    const app = site.write(`hup-${runtime}.ts`, appText("old"));
    await withWorkers(runtime, app, ["--workers", "2"], async (server) => {
      const before = await processes(server, 2);
      site.write(`hup-${runtime}.ts`, "throw new Error('half an edit');");
      server.signal("SIGHUP");
      await server.sees(/half an edit[\s\S]*The old process goes on serving/);
      assert.deepEqual(await processes(server, 2), before);
      assert.equal(occurrences(server, /half an edit/), 1);
      site.write(`hup-${runtime}.ts`, appText("new"));
      server.signal("SIGHUP");
      for (const pid of before) await gone(pid, "an old worker");
      assert.equal((await whoAnswers(server)).version, "new");
      await server.stop();
    });
  });

  test(`${runtime}: an application that fails at first ends the whole, with its own message`, async () => {
    const app = site.write(`fails-${runtime}.ts`, "throw new RangeError('no settings');");
    const server = Server.spawn(runtime, app, ["--workers", "3"]);
    assert.deepEqual(await server.ended(), { code: 1, signal: null });
    assert.match(server.stderr, /CRITICAL: The application .* failed to load\.\n {10}RangeError: no settings/);
    assert.equal(occurrences(server, /no settings/), 1);
  });

  test(`${runtime}: an address in use is one sentence, before any worker starts`, async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await until(() => other.listening, "the other server listens");
    const { port } = other.address() as { port: number };
    const server = Server.spawn(runtime, APP, ["--workers", "2", "--port", String(port)]);
    assert.deepEqual(await server.ended(), { code: 1, signal: null });
    assert.match(server.stderr, new RegExp(`^CRITICAL: [^\\n]*${port}[^\\n]*\\n$`));
    other.close();
  });

  test(`${runtime}: a port that Ringcorn's own workers share is in use for another supervisor`, () =>
    withWorkers(runtime, APP, ["--workers", "2"], async (server) => {
      const other = Server.spawn(runtime, APP, ["--workers", "2", "--port", String(server.port)]);
      assert.deepEqual(await other.ended(), { code: 1, signal: null });
    }));

  test(`${runtime}: a crash loop is reported once`, async () => {
    const flag = site.path(`crash-${runtime}`);
    const extra = `
import { existsSync } from "node:fs";
setTimeout(() => { if (existsSync(${JSON.stringify(flag)})) process.exit(9); }, 200);
`;
    const app = site.write(`loop-${runtime}.ts`, appText("v1", extra));
    await withWorkers(runtime, app, ["--limit-max-requests", "1000"], async (server) => {
      site.write(`crash-${runtime}`, "");
      await fresh(server, "/die");
      await server.sees(/Workers keep dying \(5 times, the last one ended with exit code 9\)/);
      await until(async () => (await fresh(server)) !== undefined, "a worker after the report answers");
      assert.equal(occurrences(server, /Workers keep dying/), 1);
      assert.equal(occurrences(server, /another one starts in/), 4);
      await server.stop();
    });
  });

  for (const workers of ["1", "2"]) {
    test(`${runtime}: --limit-max-requests with ${workers} process(es) replaces them and drops no request`, () =>
      withWorkers(runtime, APP, ["--limit-max-requests", "150", "--workers", workers], async (server) => {
        assert.deepEqual(await load(server, 2 + 2 * Number(workers)), { failures: 0 });
        await server.stop();
      }));
  }

  test(`${runtime}: who keeps a connection to a process that is replaced reads that it ends`, () =>
    withWorkers(runtime, APP, ["--limit-max-requests", "150"], async (server) => {
      const seen = new Set<string>();
      let announced = 0;
      let silent = 0;
      const client = async (): Promise<void> => {
        let connection = await RawClient.connect(server.address);
        while (seen.size < 4) {
          await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
          const response = await connection.response().catch(() => undefined);
          if (response !== undefined) seen.add(text(response).split(" ")[1]);
          if (response !== undefined && field(response, "connection") !== "close") continue;
          if (response === undefined) silent += 1;
          else announced += 1;
          connection.close();
          connection = await RawClient.connect(server.address);
        }
        connection.close();
      };
      await within(Promise.all(Array.from({ length: CLIENTS }, client)), "four processes answer");
      // On a machine that gives a client no turn for a quarter of a second, some may meet a closed connection.
      assert.ok(announced > silent, `${announced} ends were announced, ${silent} were not`);
      await server.stop();
    }));

  test(`${runtime}: SIGHUP under load drops no request`, () =>
    withWorkers(runtime, APP, ["--workers", "2"], async (server) => {
      await processes(server, 2);
      for (let signals = 0; signals < 4; ) {
        const loaded = load(server, 4);
        for (const last of [signals + 1, signals + 2]) {
          server.signal("SIGHUP");
          await until(() => occurrences(server, /SIGHUP: replacing/) >= last, "the signal has arrived");
          await pause(BETWEEN_SIGNALS_MS);
          signals = last;
        }
        assert.deepEqual(await loaded, { failures: 0 });
      }
      await server.stop();
    }));

  test(`${runtime}: a Unix socket is handed over`, async () => {
    const path = site.path(`${runtime}.sock`);
    await withWorkers(runtime, APP, ["--uds", path, "--limit-max-requests", "20"], async (server) => {
      const first = await whoAnswers({ path });
      await until(async () => {
        const body = await fresh({ path });
        assert.notEqual(body, undefined);
        return body?.split(" ")[1] !== String(first.pid);
      }, "another process answers");
      await gone(first.pid, "the first worker");
      assert.notEqual(await fresh({ path }), undefined);
      await server.stop();
    });
  });

  test(`${runtime}: a Unix socket for several workers is refused`, async () => {
    const server = Server.spawn(runtime, APP, ["--uds", site.path("x.sock"), "--workers", "2"]);
    assert.deepEqual(await server.ended(), { code: 2, signal: null });
    assert.match(server.stderr, /^Error: --workers can't share a Unix socket[^\n]*\n$/);
  });
}
