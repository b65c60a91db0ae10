/** How many connections and requests at once: caps, descriptors, the accept queue. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasTool, output } from "../harness/clients.ts";
import { RawClient, request } from "../harness/raw.ts";
import { field, type Response, text } from "../harness/response.ts";
import { onEach, RUNTIMES, type Server, testApp, withServer } from "../harness/server.ts";
import { pause, until } from "../harness/wait.ts";

const APP = testApp("contract.ts");
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/** Of 100 ticks a second; a spinning loop uses nearly all of them. */
const IDLE_TICKS = 30;

/** A connection that sent a request: served and still open, or refused with what it was told. */
async function tryConnection(server: Server): Promise<{ client: RawClient; response: Response }> {
  const client = await RawClient.connect(server.address);
  await client.send(GET);
  return { client, response: await client.response() };
}

/** Opens connections until one is refused, and one more. */
async function fill(server: Server, most: number): Promise<{ served: RawClient[]; refused: Response }> {
  const served: RawClient[] = [];
  for (let i = 0; i <= most; i++) {
    const { client, response } = await tryConnection(server);
    if (response.status !== 200) {
      client.close();
      return { served, refused: response };
    }
    served.push(client);
  }
  throw new Error(`none of ${most + 1} connections was refused`);
}

async function servesAgain(server: Server): Promise<void> {
  await until(async () => {
    const { client, response } = await tryConnection(server);
    client.close();
    return response.status === 200;
  }, "a new connection is served after others were closed");
}

onEach((runtime) => {
  test(`${runtime}: above --limit-connections: 503 and close, the others are served`, async () => {
    await withServer(runtime, APP, ["--limit-connections", "5"], async (server) => {
      const { served, refused } = await fill(server, 5);
      assert.equal(served.length, 5);
      assert.equal(refused.status, 503);
      assert.equal(field(refused, "connection")?.toLowerCase(), "close");
      for (const client of served) {
        await client.send(GET);
        assert.equal(text(await client.response()), "hello");
      }
      served.pop()?.close();
      await servesAgain(server);
      for (const client of served) client.close();
    });
  });

  test(`${runtime}: a refused connection is closed also when it sends nothing`, async () => {
    await withServer(runtime, APP, ["--limit-connections", "1"], async (server) => {
      const { client } = await tryConnection(server);
      const other = await RawClient.connect(server.address);
      assert.match(await other.all(), /^HTTP\/1\.1 503 /);
      client.close();
    });
  });

  test(`${runtime}: with few descriptors: 503, an idle processor, and service again`, async () => {
    const options = { shell: "ulimit -n 100 &&" };
    await withServer(
      runtime,
      APP,
      [],
      async (server) => {
        const { served, refused } = await fill(server, 100);
        assert.equal(refused.status, 503);
        assert.ok(served.length >= 10, `${served.length} connections are served with 100 descriptors`);
        const waiting = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(server.address)));
        const before = server.cpuTicks();
        await pause(1000);
        const used = server.cpuTicks() - before;
        assert.ok(used <= IDLE_TICKS, `${used} ticks in a second`);
        for (const client of served) {
          await client.send(GET);
          assert.equal(text(await client.response()), "hello");
        }
        for (const client of [...waiting, ...served]) client.close();
        await servesAgain(server);
      },
      options,
    );
  });

  test(`${runtime}: above --limit-concurrency: 503 with Retry-After, and the connection goes on`, async () => {
    await withServer(runtime, APP, ["--limit-concurrency", "2"], async (server) => {
      const busy = [await RawClient.connect(server.address), await RawClient.connect(server.address)];
      for (const [i, client] of busy.entries()) {
        await client.send(`GET /stream-gated?g=busy${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
        await client.sees("first,");
      }
      const { client, response } = await tryConnection(server);
      assert.equal(response.status, 503);
      assert.match(field(response, "retry-after") ?? "", /^\d+$/);
      client.close();
      // One request ends (its client goes): there is room for the one that opens the other's gate.
      busy[0].reset();
      await until(async () => {
        const opened = await request(server.address, "/open?g=busy1");
        return opened.status === 200;
      }, "a request is served again");
      assert.equal(text(await busy[1].response()), "first,last");
      busy[1].close();
    });
  });

  test(`${runtime}: idle keep-alive connections do not count as concurrency`, async () => {
    await withServer(runtime, APP, ["--limit-concurrency", "1"], async (server) => {
      const idle: RawClient[] = [];
      for (let i = 0; i < 5; i++) {
        const { client, response } = await tryConnection(server);
        assert.equal(response.status, 200);
        idle.push(client);
      }
      for (const client of idle) client.close();
    });
  });

  for (const backlog of [2048, 333]) {
    test(`${runtime}: the accept queue holds --backlog ${backlog}`, { skip: !hasTool("ss") }, async () => {
      const args = backlog === 2048 ? [] : ["--backlog", String(backlog)];
      await withServer(runtime, APP, args, async (server) => {
        const most = Number((await output("cat", ["/proc/sys/net/core/somaxconn"])).trim());
        const listening = await output("ss", ["-ltnH", `sport = :${server.port}`]);
        const [, , queue] = listening.trim().split(/\s+/);
        assert.equal(Number(queue), Math.min(backlog, most), listening);
      });
    });
  }
});

test("both runtimes are tested", () => {
  assert.deepEqual(RUNTIMES, ["bun", "deno"]);
});
