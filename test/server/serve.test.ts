/** Ringcorn as a library: what `import ... from "ringcorn"` gives, and what `serve` does with it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  type Application,
  DEFAULT_OPTIONS,
  type HttpScope,
  type Logger,
  PlainError,
  type Receive,
  type Scope,
  type Send,
  type ServeOptions,
  type ServerHandle,
  serve,
} from "ringcorn";
import { LIMIT_RANGES, OPTION_RANGES, type Range } from "../../src/server/ranges.ts";
import { RawClient, request } from "../harness/raw.ts";
import { field, text } from "../harness/response.ts";
import { until } from "../harness/wait.ts";

const lines: string[] = [];
const logger: Logger = {
  critical: (message) => lines.push(message),
  error: (message) => lines.push(message),
  warning: (message) => lines.push(message),
  info: (message) => lines.push(message),
  debug: () => {},
  trace: () => {},
  enabled: () => false,
};
const QUIET: ServeOptions = { port: 0, accessLog: false, logger };

/** Notes what it is called for; answers the body that it got, in pieces. */
function echo(notes: string[]): Application {
  return async (scope: Scope, receive: Receive, send: Send) => {
    notes.push(scope.type);
    if (scope.type === "lifespan") {
      scope.state.mark = "set";
      await receive();
      await send({ type: "lifespan.startup.complete" });
      await receive();
      notes.push("shutdown");
      await send({ type: "lifespan.shutdown.complete" });
      return;
    }
    if (scope.type === "http") await answer(scope, receive, send);
  };
}

async function answer(scope: HttpScope, receive: Receive, send: Send): Promise<void> {
  await send({ type: "http.response.start", status: 200, headers: [["x-mark", String(scope.state.mark)]] });
  for (let more = true; more; ) {
    const event = await receive();
    if (event.type !== "http.request") return;
    more = event.more_body;
    await send({ type: "http.response.body", body: event.body, more_body: more });
  }
}

async function serving(app: Application, options: ServeOptions, use: (server: ServerHandle) => Promise<void>) {
  const server = await serve(app, { ...QUIET, ...options });
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

test("serve: an address, answers, and a stop that runs the lifespan's end", async () => {
  const notes: string[] = [];
  const server = await serve(echo(notes), QUIET);
  assert.equal(server.address.host, "127.0.0.1");
  assert.ok(server.address.port > 0);
  const response = await request(server.address, "/", { method: "POST", body: "hello" });
  assert.equal(text(response), "hello");
  assert.equal(field(response, "x-mark"), "set");
  assert.equal(field(response, "server"), "ringcorn");
  assert.equal(server.requestsStarted, 1);
  await Promise.all([server.stop(), server.stop()]);
  await server.stopped;
  assert.deepEqual(notes, ["lifespan", "http", "shutdown"]);
  await assert.rejects(RawClient.connect(server.address), "nobody listens any more");
});

test("serve: stop finishes what is in flight", async () => {
  const server = await serve(echo([]), QUIET);
  const client = await RawClient.connect(server.address);
  await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha");
  await client.sees("ha");
  const stopped = server.stop();
  await client.send("lf");
  assert.equal(text(await client.response("POST")), "half");
  assert.equal(await client.ended(), "fin");
  await stopped;
});

test("serve: leave ends each connection with its next answer, and goes on serving", async () => {
  await serving(echo([]), {}, async (server) => {
    const kept = await RawClient.connect(server.address);
    await kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(field(await kept.response(), "connection"), undefined);
    server.leave();
    await kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(field(await kept.response(), "connection"), "close");
    assert.equal(await kept.ended(), "fin");
    const other = await RawClient.connect(server.address);
    await other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(field(await other.response(), "connection"), "close");
    assert.equal(await other.ended(), "fin");
  });
});

test("serve: a stop right behind leave waits as long for who is asking as any other", async () => {
  let answered = false;
  // Held up for a quarter of a second, the test is late with one; not with all.
  for (let i = 0; i < 5 && !answered; i++) {
    const server = await serve(echo([]), QUIET);
    const kept = await RawClient.connect(server.address);
    await kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await kept.response();
    server.leave();
    const stopped = server.stop();
    await until(async () => {
      const late = await RawClient.connect(server.address).catch(() => undefined);
      late?.close();
      return late === undefined;
    }, "the listener is closed");
    await kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").catch(() => {});
    const answer = await kept.response().catch(() => undefined);
    answered = answer !== undefined && field(answer, "connection") === "close";
    kept.close();
    await stopped;
  }
  assert.equal(answered, true);
});

test("serve: options and limits, those left out and those undefined at their defaults", async () => {
  const options: ServeOptions = {
    host: undefined,
    serverHeader: undefined,
    headers: [["x-own", "yes"]],
    limits: { bodyBytes: 3, headBytes: undefined },
  };
  await serving(echo([]), options, async (server) => {
    assert.equal(server.address.host, DEFAULT_OPTIONS.host);
    const well = await request(server.address, "/", { method: "POST", body: "abc" });
    assert.deepEqual([text(well), field(well, "x-own"), field(well, "server")], ["abc", "yes", "ringcorn"]);
    assert.equal((await request(server.address, "/", { method: "POST", body: "abcd" })).status, 413);
    assert.equal((await request(server.address, "/", { fields: `X: ${"x".repeat(40_000)}\r\n` })).status, 431);
  });
});

test("serve: several servers in one process, each with its own application", async () => {
  await serving(echo([]), {}, (one) =>
    serving(
      async (_scope, _receive, send) => {
        await send({ type: "http.response.start", status: 204 });
        await send({ type: "http.response.body" });
      },
      { lifespan: "off" },
      async (two) => {
        assert.notEqual(one.address.port, two.address.port);
        assert.equal((await request(one.address, "/")).status, 200);
        assert.equal((await request(two.address, "/")).status, 204);
      },
    ),
  );
});

test("serve: a Unix socket", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ringcorn-serve-"));
  const uds = join(folder, "a.sock");
  await serving(echo([]), { uds }, async (server) => {
    assert.equal(server.address.host, uds);
    assert.equal(text(await request({ path: uds }, "/", { method: "POST", body: "hello" })), "hello");
  });
  rmSync(folder, { recursive: true });
});

test("serve: a startup that fails, an address in use and a field that can't be sent are plain errors", async () => {
  const failing: Application = async (_scope, receive, send) => {
    await receive();
    await send({ type: "lifespan.startup.failed", message: "the database is away" });
  };
  await assert.rejects(serve(failing, QUIET), (error) => error instanceof PlainError && /is away/.test(error.message));
  await assert.rejects(serve(echo([]), { ...QUIET, headers: [["a b", "c"]] }), PlainError);
  await assert.rejects(serve(echo([]), { ...QUIET, forwardedAllowIps: ["10.0.0.0/99"] }), PlainError);
  await serving(echo([]), {}, async ({ address }) => {
    await assert.rejects(serve(echo([]), { ...QUIET, port: address.port }), PlainError);
  });
});

test("serve: who has been started is shut down when the server can't be made", async () => {
  const wrong: ServeOptions[] = [{ headers: [["x-mark", "a\nb"]] }, { forwardedAllowIps: ["10.0.0.0/99"] }];
  for (const options of wrong) {
    const notes: string[] = [];
    await assert.rejects(serve(echo(notes), { ...QUIET, ...options }), PlainError);
    assert.deepEqual(notes, ["lifespan", "shutdown"]);
  }
});

test("serve: a number out of its range is one sentence", async () => {
  for (const [options, message] of [
    [
      { limits: { headBytes: 2 ** 31 } },
      /^The option limits\.headBytes must be a whole number from 14 to 268435456; it is 2147483648\.$/,
    ],
    [
      { limits: { fieldCount: 1.5 } },
      /^The option limits\.fieldCount must be a whole number of 1 or more; it is 1\.5\.$/,
    ],
    [{ limits: { bodyTimeoutMs: Number.NaN } }, /^The option limits\.bodyTimeoutMs must be a number of milliseconds /],
    // The timer would be due at once: a stop would cut every request.
    [{ gracefulTimeoutMs: 2 ** 31 }, /gracefulTimeoutMs must be a number of milliseconds from 0 to 2147483647; it is /],
    [{ wsMessageBytes: 2 ** 40 }, /wsMessageBytes must be a whole number from 1 to 268435456; /],
    [{ backlog: 0 }, /backlog must be a whole number from 1 to 2147483647; it is 0\.$/],
  ] as const) {
    const refused = serve(echo([]), { ...QUIET, ...options });
    await assert.rejects(refused, (error) => error instanceof PlainError && message.test(error.message), `${message}`);
  }
});

test("serve: with every number at its greatest, requests in pieces are answered, and it stops", async () => {
  const most = (ranges: Readonly<Record<string, Range>>) =>
    Object.fromEntries(Object.entries(ranges).map(([name, [, greatest]]) => [name, greatest]));
  const all = { ...most(OPTION_RANGES), port: 0, limits: most(LIMIT_RANGES) };
  await serving(echo([]), all, async ({ address }) => {
    const client = await RawClient.connect(address);
    await client.send(
      "POST /",
      " HTTP/1.1\r\nHo",
      "st: a\r\nTransfer-Encoding: chunked\r\n",
      "\r\n3;a",
      "=b\r\nabc\r\n0\r\nT:",
    );
    await client.send(" x\r\n\r\n");
    assert.equal(text(await client.response()), "abc");
    client.close();
  });
});

test("serve: the logger takes what the server says; an application that throws ends nothing", async () => {
  lines.length = 0;
  const throws: Application = async () => {
    throw new Error("on purpose");
  };
  await serving(throws, { lifespan: "off" }, async (server) => {
    for (let i = 0; i < 2; i++) assert.equal((await request(server.address, "/")).status, 500);
  });
  assert.equal(lines.filter((line) => line.includes("on purpose")).length, 2);
});

test("serve: with signals, SIGTERM stops it and the process ends by itself; its port was printed", () => {
  const program = `
    import { serve } from "ringcorn";
    const app = async (scope, receive, send) => {
      if (scope.type !== "lifespan") return;
      await receive();
      await send({ type: "lifespan.startup.complete" });
      await receive();
      console.log("shutdown");
      await send({ type: "lifespan.shutdown.complete" });
    };
    const server = await serve(app, { port: 0, signals: true });
    console.log(server.address.port > 0);
    process.kill(process.pid, "SIGTERM");
    await server.stopped;
    console.log("stopped");
  `;
  const isDeno = "Deno" in globalThis;
  const args = isDeno ? ["eval", "--unstable-net", `import process from "node:process";${program}`] : ["-e", program];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.deepEqual([stdout, status], ["true\nshutdown\nstopped\n", 0], stderr);
});
