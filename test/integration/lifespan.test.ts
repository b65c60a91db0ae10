/** Lifespan: its modes, failures, state, and that shutdown runs once, after the last request. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient, request } from "../harness/raw.ts";
import { text } from "../harness/response.ts";
import { onEach, Server, testApp, withServer } from "../harness/server.ts";

const app = (name: string) => testApp(`lifespan.ts:${name}`);

onEach((runtime) => {
  test(`${runtime}: startup, requests and one shutdown, in this order`, async () => {
    await withServer(runtime, app("well"), ["--no-access-log"], async (server) => {
      await request(server.address, "/one");
      const client = await RawClient.connect(server.address);
      await client.send("POST /gated HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1");
      await server.sees(/app: request \/gated/);
      server.signal("SIGTERM");
      await server.sees(/Stopping/);
      // The body's last byte arrives only now, and lets the app answer.
      await client.send("2");
      assert.equal((await client.response()).status, 200);
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
      const said = [...server.stdout.matchAll(/app: (.+)/g)].map((match) => match[1]);
      assert.deepEqual(said.slice(0, 1), ["lifespan 3.0 2.0 lifespan.startup"]);
      assert.equal(said.filter((line) => line === "lifespan.shutdown").length, 1);
      assert.ok(said.indexOf("answered /gated") > 0, said.join("; "));
      assert.ok(said.indexOf("answered /gated") < said.indexOf("lifespan.shutdown"), said.join("; "));
      assert.equal(said.at(-1), "lifespan ends");
    });
  });

  test(`${runtime}: each request has a shallow copy of the state`, async () => {
    await withServer(runtime, app("well"), [], async (server) => {
      assert.equal(text(await request(server.address, "/a")), '{"name":"well","pool":["shared","/a"]}');
      assert.equal(text(await request(server.address, "/b")), '{"name":"well","pool":["shared","/a","/b"]}');
    });
  });

  for (const mode of ["auto", "on"]) {
    test(`${runtime}: --lifespan ${mode}: a failed startup stops the server with the app's message`, async () => {
      const server = Server.spawn(runtime, app("failing"), ["--lifespan", mode]);
      const { code } = await server.ended();
      assert.notEqual(code, 0);
      assert.match(server.stderr, /the database is away/);
      assert.doesNotMatch(server.stderr, /http:\/\/127/, "it never listened");
    });
  }

  test(`${runtime}: --lifespan on: an app that raises at startup stops the server`, async () => {
    const server = Server.spawn(runtime, app("raising"), ["--lifespan", "on"]);
    assert.notEqual((await server.ended()).code, 0);
    assert.match(server.stderr, /raised at startup/);
  });

  for (const name of ["raising", "unaware", "silent"]) {
    test(`${runtime}: --lifespan auto: ${name} is served without lifespan`, async () => {
      await withServer(runtime, app(name), [], async (server) => {
        const response = await request(server.address, "/");
        assert.equal(response.status, 200);
        if (name === "unaware") assert.equal(text(response), "state {}");
        await server.stop();
        const told = server.stderr.match(
          /WARNING: +The application raised in its lifespan's startup.*\n.*raised at startup/,
        );
        assert.equal(told !== null, name === "raising", server.stderr);
        if (name !== "raising") assert.doesNotMatch(server.stderr, /WARNING/);
      });
    });
  }

  test(`${runtime}: --lifespan off: the app is not asked`, async () => {
    await withServer(runtime, app("watching"), ["--lifespan", "off"], async (server) => {
      await request(server.address, "/");
      await server.stop();
      assert.match(server.stdout, /called for http/);
      assert.doesNotMatch(server.stdout, /called for lifespan/);
    });
  });

  test(`${runtime}: --lifespan off serves an app whose startup would fail`, async () => {
    await withServer(runtime, app("failing"), ["--lifespan", "off"], async (server) => {
      assert.equal(text(await request(server.address, "/")), "served");
    });
  });

  test(`${runtime}: a failed shutdown is logged with the app's message`, async () => {
    await withServer(runtime, app("failingShutdown"), [], async (server) => {
      server.signal("SIGTERM");
      await server.ended();
      assert.match(server.stderr, /could not flush/);
    });
  });

  test(`${runtime}: an app that raises at shutdown does not hold the server back`, async () => {
    await withServer(runtime, app("raisingShutdown"), [], async (server) => {
      server.signal("SIGTERM");
      await server.ended();
      assert.match(server.stderr, /raised at shutdown/);
    });
  });

  test(`${runtime}: a shutdown that hangs ends at the deadline`, async () => {
    await withServer(runtime, app("hangingShutdown"), ["--timeout-graceful-shutdown", "0.5"], async (server) => {
      server.signal("SIGTERM");
      await server.sees(/lifespan\.shutdown/);
      await server.ended();
    });
  });

  test(`${runtime}: a factory makes the app`, async () => {
    await withServer(runtime, app("makeApp"), ["--factory"], async (server) => {
      assert.equal(text(await request(server.address, "/")), "state {}");
      assert.equal(server.stdout.match(/factory called/g)?.length, 1);
    });
  });
});
