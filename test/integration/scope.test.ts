/** The scope: complete and as ASGI's HTTP specification says, with root_path, state and proxy fields. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient, request } from "../harness/raw.ts";
import { text } from "../harness/response.ts";
import { onEach, type RuntimeName, type Server, sharedServer, testApp, withServer } from "../harness/server.ts";

interface ShownScope {
  readonly [key: string]: unknown;
  readonly headers: [string, string][];
  readonly client: [string, number] | null;
  readonly server: [string, number | null] | null;
}

const KEYS =
  "asgi client extensions headers http_version method path query_string raw_path root_path scheme server state type";

async function scopeOf(server: Server, target: string, fields = "", method = "GET"): Promise<ShownScope> {
  const response = await request(server.address, target, { fields, method });
  assert.equal(response.status, 200, text(response));
  return JSON.parse(text(response)) as ShownScope;
}

function completeness(runtime: RuntimeName, shared: () => Promise<Server>): void {
  test(`${runtime}: the scope has every key with its type`, async () => {
    const server = await shared();
    const client = await RawClient.connect(server.address);
    const sent =
      "GET /scope?a=b&c=%20 HTTP/1.1\r\nHost: example.org:8\r\nX-Two: 1\r\nX-two:  2 \r\nCookie: a=b\r\n\r\n";
    await client.send(sent);
    const scope = JSON.parse(text(await client.response())) as ShownScope;
    assert.equal((scope.keys as string[]).filter((key) => KEYS.includes(key)).join(" "), KEYS);
    assert.equal(scope.type, "http");
    assert.deepEqual(scope.asgi, { version: "3.0", spec_version: "2.5" });
    assert.equal(scope.http_version, "1.1");
    assert.equal(scope.method, "GET");
    assert.equal(scope.scheme, "http");
    assert.equal(scope.path, "/scope");
    assert.equal(scope.raw_path, "/scope");
    assert.equal(scope.query_string, "a=b&c=%20");
    assert.equal(scope.root_path, "");
    assert.equal(scope.bytes, true);
    assert.deepEqual(scope.headers, [
      ["host", "example.org:8"],
      ["x-two", "1"],
      ["x-two", "2"],
      ["cookie", "a=b"],
    ]);
    assert.deepEqual(scope.client, ["127.0.0.1", client.socket.localPort]);
    assert.deepEqual(scope.server, ["127.0.0.1", server.port]);
    assert.deepEqual(scope.state, { mark: "set at startup" });
    for (const name of ["trailers", "pathsend", "early_hint", "debug"]) {
      assert.ok(`http.response.${name}` in (scope.extensions as object), name);
    }
    client.close();
  });

  test(`${runtime}: bytes are plain arrays, in front of a body too, and in it`, async () => {
    const client = await RawClient.connect((await shared()).address);
    for (const body of ["", "hello", "x".repeat(100_000)]) {
      await client.send(`POST /scope?a HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      assert.equal((JSON.parse(text(await client.response())) as ShownScope).bytes, true, `${body.length} bytes`);
    }
    client.close();
  });

  test(`${runtime}: the path is decoded as UTF-8, the raw path is not`, async () => {
    const scope = await scopeOf(await shared(), "/sc%6Fpe?%C3%A9");
    assert.equal(scope.path, "/scope");
    assert.equal(scope.raw_path, "/sc%6Fpe");
    assert.equal(scope.query_string, "%C3%A9");
  });

  for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "X-OWN"]) {
    test(`${runtime}: method ${method}`, async () => {
      assert.equal((await scopeOf(await shared(), "/scope", "", method)).method, method);
    });
  }

  test(`${runtime}: an HTTP/1.0 scope says so`, async () => {
    const client = await RawClient.connect((await shared()).address);
    await client.send("GET /scope HTTP/1.0\r\n\r\n");
    const scope = JSON.parse(text(await client.response())) as ShownScope;
    assert.equal(scope.http_version, "1.0");
    assert.ok(!("http.response.trailers" in (scope.extensions as object)));
  });

  test(`${runtime}: the absolute form's path and authority count`, async () => {
    const scope = await scopeOf(await shared(), "http://other.example/scope?x");
    assert.equal(scope.path, "/scope");
    assert.equal(scope.raw_path, "/scope");
    assert.equal(scope.query_string, "x");
    const hosts = scope.headers.filter(([name]) => name === "host").map(([, value]) => value);
    assert.deepEqual(hosts, ["other.example"]);
  });

  test(`${runtime}: OPTIONS * and CONNECT reach the app or are refused, never garbled`, async () => {
    const server = await shared();
    const options = await request(server.address, "*", { method: "OPTIONS" });
    assert.ok([200, 404].includes(options.status), String(options.status));
    const client = await RawClient.connect(server.address);
    await client.send("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n");
    assert.ok((await client.response()).status >= 400);
    client.close();
  });

  test(`${runtime}: a field value keeps its bytes above 0x7f`, async () => {
    const scope = await scopeOf(await shared(), "/scope", "X-Wide: \x85caf\xe9 \x80\xff\xa0\r\n");
    assert.deepEqual(
      scope.headers.find(([name]) => name === "x-wide"),
      ["x-wide", "\x85caf\xe9 \x80\xff\xa0"],
    );
  });
}

/** Trusted networks, the fields sent, and the client and scheme the app is to see ("peer": the socket's own address). */
const PROXIES: readonly [trusted: string, fields: string, client: string, scheme: string][] = [
  ["127.0.0.1", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4", "http"],
  ["127.0.0.1", "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n", "5.6.7.8", "http"],
  ["127.0.0.1", "X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n", "1.2.3.4", "http"],
  ["127.0.0.1", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\n", "5.6.7.8", "http"],
  ["127.0.0.1,10.0.0.0/8", "X-Forwarded-For: 1.2.3.4, 10.1.1.1, 10.255.0.3\r\n", "1.2.3.4", "http"],
  ["127.0.0.1,10.0.0.0/8", "X-Forwarded-For: 9.9.9.9, 1.2.3.4, 10.1.1.1\r\n", "1.2.3.4", "http"],
  ["127.0.0.1,10.0.0.0/8", "X-Forwarded-For: 1.2.3.4, 11.1.1.1, 10.1.1.1\r\n", "11.1.1.1", "http"],
  ["127.0.0.1,2001:db8::/32", "X-Forwarded-For: 2001:db9::1, 2001:db8::7\r\n", "2001:db9::1", "http"],
  ["127.0.0.1,10.0.0.0/8", "X-Forwarded-For: 1.2.3.4, ::ffff:10.1.1.1\r\n", "1.2.3.4", "http"],
  ["::ffff:127.0.0.0/104,::ffff:10.0.0.0/104", "X-Forwarded-For: 1.2.3.4, 10.1.1.1\r\n", "1.2.3.4", "http"],
  ["::ffff:10.0.0.0/104", "X-Forwarded-For: 1.2.3.4\r\n", "peer", "http"],
  ["*", "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n", "1.2.3.4", "http"],
  ["127.0.0.1", "X-Forwarded-Proto: https\r\n", "peer", "https"],
  ["127.0.0.1", "X-Forwarded-Proto: HTTPS\r\n", "peer", "https"],
  ["127.0.0.1", "X-Forwarded-Proto: gopher\r\n", "peer", "http"],
  ["127.0.0.1", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n", "1.2.3.4", "https"],
  ["127.0.0.0/8", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4", "http"],
  ["10.0.0.1", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n", "peer", "http"],
  ["127.0.0.1", "X-Forwarded-For: \r\n", "peer", "http"],
  ["127.0.0.1", "X-Forwarded-For: nonsense\r\n", "peer", "http"],
];

function proxies(runtime: RuntimeName): void {
  for (const trusted of new Set(PROXIES.map(([networks]) => networks))) {
    const shared = sharedServer(runtime, testApp("contract.ts"), ["--forwarded-allow-ips", trusted]);
    for (const [networks, fields, client, scheme] of PROXIES) {
      if (networks !== trusted) continue;
      test(`${runtime}: trusting ${trusted}, ${fields.trim().replaceAll("\r\n", "; ")}: ${client}, ${scheme}`, async () => {
        const scope = await scopeOf(await shared(), "/scope", fields);
        assert.equal(scope.scheme, scheme);
        assert.equal(scope.client?.[0], client === "peer" ? "127.0.0.1" : client);
        if (client === "peer") assert.notEqual(scope.client?.[1], 0);
      });
    }
  }

  test(`${runtime}: the loopback is trusted by default, nobody with --no-proxy-headers`, async () => {
    const fields = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n";
    await withServer(runtime, testApp("contract.ts"), [], async (server) => {
      const scope = await scopeOf(server, "/scope", fields);
      assert.deepEqual([scope.client?.[0], scope.scheme], ["1.2.3.4", "https"]);
    });
    await withServer(runtime, testApp("contract.ts"), ["--no-proxy-headers"], async (server) => {
      const scope = await scopeOf(server, "/scope", fields);
      assert.deepEqual([scope.client?.[0], scope.scheme], ["127.0.0.1", "http"]);
    });
  });
}

onEach((runtime) => {
  completeness(runtime, sharedServer(runtime, testApp("contract.ts"), ["--host", "127.0.0.1"]));
  proxies(runtime);

  test(`${runtime}: --root-path is in root_path and in front of the path`, async () => {
    await withServer(runtime, testApp("lifespan.ts:shown"), ["--root-path", "/api"], async (server) => {
      const scope = JSON.parse(text(await request(server.address, "/x%20y?q"))) as ShownScope;
      assert.equal(scope.root_path, "/api");
      assert.equal(scope.path, "/api/x y");
      assert.equal(scope.raw_path, "/api/x%20y");
    });
  });

  for (const trusted of ["127.0.0.1", "::ffff:127.0.0.0/104"]) {
    test(`${runtime}: a socket for both families: its IPv4 peers are trusted as ${trusted}`, async () => {
      await withServer(
        runtime,
        testApp("contract.ts"),
        ["--host", "::", "--forwarded-allow-ips", trusted],
        async (server) => {
          const fields = "Connection: close\r\nX-Forwarded-For: 1.2.3.4\r\n";
          const client = await RawClient.connect({ host: "127.0.0.1", port: server.port });
          await client.send(`GET /scope HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
          const scope = JSON.parse(text(await client.response())) as ShownScope;
          assert.equal(scope.client?.[0], "1.2.3.4");
          client.close();
        },
      );
    });
  }

  test(`${runtime}: IPv6 addresses come without brackets`, async () => {
    await withServer(runtime, testApp("contract.ts"), ["--host", "::1"], async (server) => {
      const scope = await scopeOf(server, "/scope");
      assert.equal(scope.client?.[0], "::1");
      assert.deepEqual(scope.server, ["::1", server.port]);
    });
  });
});
