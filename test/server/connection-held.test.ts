/** Input that has arrived and waits: what the client's end, and the server's, mean for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Application } from "../../src/asgi/types.ts";
import { settle, Wired } from "../harness/fake-socket.ts";

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Answers `/1` when told to; of other requests it reads all there is, and waits for the client's end. */
function reader() {
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const events: string[] = [];
  const app: Application = async (scope, receive, send) => {
    await gate;
    for (let type = ""; type !== "http.disconnect" && scope.type === "http" && scope.path !== "/1"; ) {
      ({ type } = await receive());
      events.push(type);
    }
    await send({ type: "http.response.start", status: 200, headers: [["content-length", "0"]] });
    await send({ type: "http.response.body" });
  };
  return { app, events, open: () => open() };
}

test("FIN behind a body of more pieces than are held: told when the application has read them all", async () => {
  const { app, events, open } = reader();
  const wired = new Wired(app);
  const client = wired.connect();
  const pieces = "1\r\nx\r\n".repeat(200);
  await client.send(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${pieces}0\r\n\r\n`);
  client.fin();
  open();
  await settle(20);
  assert.equal(events.at(-1), "http.disconnect");
  assert.match(client.socket.text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.equal(client.socket.ending, "closed");
  assert.equal(wired.context.inFlight, 0);
});

test("FIN behind pipelined requests: those that begin later are told as well", async () => {
  const { app, events, open } = reader();
  const wired = new Wired(app);
  const client = wired.connect();
  await client.send(get("/1"), get("/2"), get("/3"));
  client.fin();
  open();
  await settle(20);
  assert.deepEqual(events, ["http.request", "http.disconnect", "http.request", "http.disconnect"]);
  assert.equal(client.socket.text.split("HTTP/1.1 200 OK").length, 4);
  assert.equal(client.socket.ending, "closed");
});

test("a stop while earlier answers are stuck: the request behind them is answered, with Connection: close", async () => {
  const { app, open } = reader();
  open();
  const wired = new Wired(app);
  const client = wired.connect();
  client.socket.take = () => 0;
  await client.send(get("/1"));
  await client.send(get("/1"));
  wired.context.leaving = true;
  wired.context.stopping = true;
  client.connection.stop();
  client.socket.take = (offered) => offered;
  await client.socket.drain();
  const [, first, second] = client.socket.text.split("HTTP/1.1 200 OK");
  assert.doesNotMatch(first, /connection: close/);
  assert.match(second, /connection: close/);
  assert.equal(client.socket.ending, "fin");
});

test("an empty line in two pieces on a connection at rest: the request behind it is answered", async () => {
  const { app, open } = reader();
  open();
  const client = new Wired(app).connect();
  await client.send(get("/1"), "\r", `\n${get("/1")}`);
  assert.equal(client.socket.text.split("HTTP/1.1 200 OK").length, 3);
});

test("a stop: who rests ends at once; who has just asked may ask once more, is answered with Connection: close, and ends", async () => {
  const { app, open } = reader();
  open();
  const wired = new Wired(app);
  const [rested, never] = [wired.connect(), wired.connect()];
  await rested.send(get("/1"));
  wired.context.now += 1000;
  const [asking, idle, unused] = [wired.connect(), wired.connect(), wired.connect()];
  for (const client of [asking, idle]) await client.send(get("/1"));
  Object.assign(wired.context, { leaving: true, stopping: true, idleStays: true });
  for (const connection of [...wired.connections]) connection.stop();
  assert.deepEqual(
    [rested, never].map(({ socket }) => socket.ending),
    ["closed", "closed"],
  );
  await asking.send(get("/1"));
  assert.match(asking.socket.text, /\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*connection: close/);
  assert.deepEqual(
    [asking, idle, unused].map(({ socket }) => socket.ending),
    ["fin", "open", "open"],
  );
  wired.context.idleStays = false;
  for (const connection of [...wired.connections]) connection.stop();
  assert.deepEqual(
    [asking, idle, unused].map(({ socket }) => socket.ending),
    ["fin", "closed", "closed"],
  );
});
