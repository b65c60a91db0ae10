/** Node's own http client with a keep-alive agent. Usage: node node_http.mjs HOST PORT, or node_http.mjs unix PATH. */
import assert from "node:assert/strict";
import http from "node:http";

const [where, place] = process.argv.slice(2);
const address = where === "unix" ? { socketPath: place } : { host: where, port: Number(place) };
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

function call(method, path, { body, headers = {}, chunked = false } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ ...address, agent, method, path, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          trailers: response.trailers,
          reused: request.reusedSocket,
          body: Buffer.concat(parts).toString(),
        }),
      );
    });
    request.on("error", reject);
    if (chunked) for (const part of body) request.write(part);
    request.end(chunked ? undefined : body);
  });
}

assert.equal((await call("GET", "/")).body, "hello");
assert.equal((await call("GET", "/")).reused, true, "the connection is used again");
assert.equal((await call("POST", "/echo", { body: "x".repeat(300_000) })).body.length, 300_000);
assert.equal((await call("POST", "/echo-stream", { body: ["one,", "two"], chunked: true })).body, "one,two");
assert.equal((await call("HEAD", "/")).headers["content-length"], "5");
assert.equal((await call("GET", "/status?s=304")).status, 304);
assert.equal((await call("GET", "/trailers", { headers: { te: "trailers" } })).trailers["x-sum"], "42");
assert.equal((await call("GET", "/no-such-route")).status, 404);
const many = await Promise.all(Array.from({ length: 200 }, (_, i) => call("GET", `/status?body=n${i}`)));
assert.deepEqual(
  many.map(({ body }) => body),
  many.map((_, i) => `n${i}`),
);

const continued = await new Promise((resolve, reject) => {
  const headers = { expect: "100-continue", "content-length": 5 };
  const request = http.request({ ...address, agent, method: "POST", path: "/echo", headers }, (response) => {
    response.setEncoding("utf8").on("data", resolve);
  });
  request.on("error", reject);
  request.on("continue", () => request.end("hello"));
  request.flushHeaders();
});
assert.equal(continued, "hello");

const hints = await new Promise((resolve, reject) => {
  const seen = [];
  const request = http.request({ ...address, agent, path: "/early" }, (response) => {
    response.resume().on("end", () => resolve(seen));
  });
  request.on("information", ({ statusCode }) => seen.push(statusCode));
  request.on("error", reject);
  request.end();
});
assert.deepEqual(hints, [103]);
agent.destroy();
process.stdout.write("ok");
