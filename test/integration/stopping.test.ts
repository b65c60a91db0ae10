/** Every way to stop: idle, in flight, streaming, a second signal, the deadline, a parent that dies. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Address, RawClient, request } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { onEach, plainEnvironment, ROOT, Server, serveCommand, testApp, withServer } from "../harness/server.ts";
import { pause, until, within } from "../harness/wait.ts";

const APP = testApp("contract.ts");
const GET = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Between one signal and the next. */
const AGAIN_MS = 100;

/** Resolves once the address refuses connections: the listener is closed. */
async function refusesConnections(address: Address): Promise<void> {
  await until(async () => {
    const client = await RawClient.connect(address).catch(() => undefined);
    client?.close();
    return client === undefined;
  }, "the server refuses connections");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

onEach((runtime) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${runtime}: ${signal} ends an idle server with exit code 0`, async () => {
      await withServer(runtime, APP, [], async (server) => {
        server.signal(signal);
        assert.deepEqual(await server.ended(), { code: 0, signal: null });
      });
    });

    test(`${runtime}: ${signal} closes idle connections`, async () => {
      await withServer(runtime, APP, [], async (server) => {
        // Accepted in this order: when the second has its answer, the first is no longer in the kernel's queue.
        const unused = await RawClient.connect(server.address);
        const used = await RawClient.connect(server.address);
        await used.send(GET("/"));
        await used.response();
        server.signal(signal);
        assert.equal(await used.ended(), "fin");
        assert.equal(used.unparsed(), "");
        assert.equal(await unused.ended(), "fin");
        assert.deepEqual(await server.ended(), { code: 0, signal: null });
      });
    });

    test(`${runtime}: ${signal}: what is in flight is answered with close, nothing new is accepted`, async () => {
      await withServer(runtime, APP, [], async (server) => {
        const busy = await RawClient.connect(server.address);
        await busy.send("POST /echo?t=busy HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
        await request(server.address, "/await?of=busy&what=POST");
        server.signal(signal);
        await refusesConnections(server.address);
        await busy.send("lo");
        const response = await busy.response();
        assert.equal(text(response), "hello");
        assert.equal(field(response, "connection")?.toLowerCase(), "close");
        assert.equal(await busy.ended(), "fin");
        assert.deepEqual(await server.ended(), { code: 0, signal: null });
      });
    });
  }

  test(`${runtime}: who asks again and again is told that the connection ends`, async () => {
    await withServer(runtime, APP, [], async (server) => {
      const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.connect(server.address)));
      let answers = 0;
      const endings = clients.map(async (client) => {
        for (;;) {
          await client.send(GET("/"));
          const response = await client.response();
          if (field(response, "connection")?.toLowerCase() === "close") return true;
          if (++answers === 100) server.signal("SIGTERM");
        }
      });
      // A test that is held up may be late with one, not with all.
      const told = (await Promise.allSettled(endings)).filter(({ status }) => status === "fulfilled");
      assert.ok(told.length > 0, `${answers} answers, and then the end of all connections`);
      for (const client of clients) client.close();
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
    });
  });

  test(`${runtime}: requests queued behind the one in flight are not lost silently`, async () => {
    await withServer(runtime, APP, [], async (server) => {
      const busy = await RawClient.connect(server.address);
      await busy.send(`POST /echo?t=queued HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel`);
      await request(server.address, "/await?of=queued&what=POST");
      server.signal("SIGTERM");
      await refusesConnections(server.address);
      await busy.send(`lo${GET("/")}`);
      const first = await busy.response();
      // Either the first says close, so that the client knows to send the second again, or both are answered.
      if (field(first, "connection") === undefined) assert.equal(text(await busy.response()), "hello");
      assert.equal(await busy.ended(), "fin");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
    });
  });

  test(`${runtime}: a client that never closes does not hold the stop back`, async () => {
    const args = ["--timeout-linger", "600", "--timeout-graceful-shutdown", "600"];
    await withServer(runtime, APP, args, async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send("POST /echo?t=open HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
      await request(server.address, "/await?of=open&what=POST");
      server.signal("SIGTERM");
      await refusesConnections(server.address);
      await client.send("lo");
      assert.equal(text(await client.response()), "hello");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      client.close();
    });
  });

  test(`${runtime}: a stream that began before the signal is finished`, async () => {
    await withServer(runtime, APP, [], async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send("POST /echo-stream HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst");
      await client.sees("first");
      server.signal("SIGTERM");
      await refusesConnections(server.address);
      await client.send("last!");
      assert.equal(text(await client.response()), "firstlast!");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
    });
  });

  test(`${runtime}: a streaming app is told before the deadline and may say goodbye`, async () => {
    const args = ["--timeout-graceful-shutdown", "10", "--timeout-graceful-notice", "9.8"];
    await withServer(runtime, APP, args, async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send(GET("/sse?t=stream"));
      await client.sees("data: 1");
      server.signal("SIGTERM");
      assert.match(text(await client.response()), /data: bye/);
      assert.equal(await client.ended(), "fin");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
    });
  });

  test(`${runtime}: an app that gives up when it is told before the deadline: 503, and no complaint about it`, async () => {
    const args = ["--timeout-graceful-shutdown", "10", "--timeout-graceful-notice", "9.8"];
    await withServer(runtime, APP, args, async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send("POST /sink?t=upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
      await request(server.address, "/await?of=upload&what=first");
      server.signal("SIGTERM");
      const response = await client.response("POST");
      assert.equal(response.status, 503);
      assert.equal(field(response, "connection")?.toLowerCase(), "close");
      assert.equal(await client.ended(), "fin");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      assert.doesNotMatch(server.stderr, /ERROR/);
      assert.match(server.stdout, /"POST \/sink\?t=upload HTTP\/1\.1" 503 /);
    });
  });

  test(`${runtime}: a slow client gets all of a response that is complete before the stop`, async () => {
    const directory = mkdtempSync(join(tmpdir(), "rc-"));
    const path = join(directory, "s");
    await withServer(runtime, APP, ["--uds", path], async (server) => {
      const slow = connect(path);
      let last = "";
      slow.on("data", (chunk) => {
        last = `${last}${chunk.toString("latin1")}`.slice(-5);
        slow.pause();
      });
      const ended = new Promise((resolve, reject) => slow.once("end", resolve).once("error", reject));
      slow.write("GET /stream?n=300&size=8000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      // A little at a time, so that all buffers on the way are full when the application has done its part.
      await until(async () => {
        slow.resume();
        await pause(20);
        return server.stdout.includes("GET /stream");
      }, "the response is complete");
      assert.notEqual(last, "0\r\n\r\n");
      server.signal("SIGTERM");
      await refusesConnections(server.address);
      slow.removeAllListeners("data").on("data", (chunk) => {
        last = `${last}${chunk.toString("latin1")}`.slice(-5);
      });
      slow.resume();
      await within(ended, "the end of the response");
      assert.equal(last, "0\r\n\r\n");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
    });
    rmSync(directory, { recursive: true });
  });

  test(`${runtime}: a stop waits for what an application does behind its answer, then shuts it down`, async () => {
    await withServer(runtime, APP, [], async (server) => {
      assert.equal(text(await request(server.address, "/behind?ms=400")), "answered");
      const stays = await RawClient.connect(server.address);
      await stays.send(GET("/behind?ms=300"));
      assert.equal(text(await stays.response()), "answered");
      server.signal("SIGTERM");
      assert.equal(await stays.ended(), "fin");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      const said = server.stderr.match(/the work behind the answer is done|the application is shut down/g);
      const done = "the work behind the answer is done";
      assert.deepEqual(said, [done, done, "the application is shut down"]);
    });
  });

  test(`${runtime}: … but not longer than the deadline`, async () => {
    await withServer(runtime, APP, ["--timeout-graceful-shutdown", "0.4"], async (server) => {
      assert.equal(text(await request(server.address, "/behind?ms=600000")), "answered");
      server.signal("SIGTERM");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      assert.match(server.stderr, /Waiting for 1 call of the application, whose clients are answered or gone/);
      assert.match(server.stderr, /1 call of the application did not return in time/);
      assert.match(server.stderr, /the application is shut down/);
    });
  });

  test(`${runtime}: nothing hangs: an app that never answers ends with the deadline`, async () => {
    await withServer(runtime, APP, ["--timeout-graceful-shutdown", "0.4"], async (server) => {
      const client = await RawClient.connect(server.address);
      await client.send(GET("/gated?g=never&t=never"));
      await request(server.address, "/await?of=never&what=gated");
      server.signal("SIGTERM");
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      await client.ended();
    });
  });

  for (const [first, second] of [
    ["SIGTERM", "SIGTERM"],
    ["SIGINT", "SIGINT"],
    ["SIGTERM", "SIGINT"],
  ] as const) {
    test(`${runtime}: ${second} behind ${first} ends at once`, async () => {
      await withServer(runtime, APP, [], async (server) => {
        const client = await RawClient.connect(server.address);
        await client.send(GET("/gated?g=never&t=never"));
        await request(server.address, "/await?of=never&what=gated");
        server.signal(first);
        await refusesConnections(server.address);
        // Signals close behind the first count as the same one: a terminal's Ctrl-C may arrive twice.
        const again = setInterval(() => server.signal(second), AGAIN_MS);
        try {
          assert.deepEqual(await server.ended(), { code: 1, signal: null });
        } finally {
          clearInterval(again);
        }
      });
    });
  }

  test(`${runtime}: a port in use is one plain sentence and exit code 1`, async () => {
    await withServer(runtime, APP, [], async (server) => {
      const second = Server.spawn(runtime, APP, ["--port", String(server.port)]);
      const { code } = await second.ended();
      assert.notEqual(code, 0);
      assert.match(second.stderr, new RegExp(String(server.port)));
      assert.match(second.stderr, /in use|already listening/i);
      assert.doesNotMatch(second.stderr, /\n\s+at /, "no stack trace");
      assert.equal(text(await request(server.address, "/")), "hello", "the first is unharmed");
    });
  });

  test(`${runtime}: under a wrapper that is killed, the server leaves`, async () => {
    const command = [...serveCommand(runtime), APP, "--port", "0", "--exit-with-parent"];
    const wrapper = spawn("sh", ["-c", '"$@" & echo "pid $!" >&2; wait', "sh", ...command], {
      cwd: ROOT,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    wrapper.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
    const pid = Number((await until(() => /^pid (\d+)$/m.exec(said), "the wrapper says the pid"))[1]);
    try {
      await until(() => /http:\/\//.exec(said), `the server listens: ${said}`);
      wrapper.kill("SIGKILL");
      await until(() => !isAlive(pid), "the server has left");
    } finally {
      if (isAlive(pid)) process.kill(pid, "SIGKILL");
    }
  });
});

test("npm run serve: SIGTERM to npm ends the server", async () => {
  const npm = spawn("npm", ["run", "serve", "--", APP, "--port", "0"], {
    cwd: ROOT,
    env: plainEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
  }
  const [, port] = await until(() => /http:\/\/127\.0\.0\.1:(\d+)/.exec(said), "the server under npm listens");
  const address = { host: "127.0.0.1", port: Number(port) };
  assert.equal(text(await request(address, "/")), "hello");
  const ended = new Promise((resolve) => npm.once("exit", resolve));
  npm.kill("SIGTERM");
  await within(ended, "npm's exit");
  await refusesConnections(address);
});
