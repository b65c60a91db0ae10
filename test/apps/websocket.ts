/** WebSocket applications for the contract tests, by path. */
import type { Application, Receive, Send, WebSocketScope } from "../../src/asgi/types.ts";

type Play = (scope: WebSocketScope, receive: Receive, send: Send) => Promise<void>;

const ascii = new TextDecoder("latin1");

/** Says what it was told, for tests to read with `/log`. */
const journal: string[] = [];

async function echoUntilGone(receive: Receive, send: Send, note: (text: string) => void): Promise<void> {
  for (;;) {
    const event = await receive();
    if (event.type === "websocket.disconnect") {
      note(`disconnect ${event.code} ${event.reason}`);
      return;
    }
    if (event.type !== "websocket.receive") continue;
    if (event.text !== null) await send({ type: "websocket.send", text: event.text });
    else await send({ type: "websocket.send", bytes: event.bytes });
  }
}

const PLAYS: Readonly<Record<string, Play>> = {
  "/echo": async (scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    await echoUntilGone(receive, send, (text) => journal.push(`${ascii.decode(scope.query_string)} ${text}`));
  },
  "/kinds": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    for (;;) {
      const event = await receive();
      if (event.type !== "websocket.receive" || event.bytes === null) return;
      await send({ type: "websocket.send", text: `${event.bytes.constructor.name} ${event.bytes.length}` });
    }
  },
  "/scope": async (scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept", subprotocol: scope.subprotocols[0] ?? null, headers: [["x-own", "yes"]] });
    const { type, asgi, http_version, scheme, path, root_path, subprotocols, extensions, client, server } = scope;
    const facts = {
      type,
      asgi,
      http_version,
      scheme,
      path,
      root_path,
      subprotocols,
      extensions: Object.keys(extensions),
      client: client?.[0],
      server: server?.[0],
      raw_path: ascii.decode(scope.raw_path),
      query_string: ascii.decode(scope.query_string),
      headers: [...scope.headers].map(([name]) => ascii.decode(name)),
    };
    await send({ type: "websocket.send", text: JSON.stringify(facts) });
    await send({ type: "websocket.close", code: 4001, reason: "told" });
    await receive();
  },
  "/accept-and-return": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
  },
  "/refuse": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.close", code: 4000 });
  },
  "/return": async () => {},
  "/throw": async () => {
    throw new Error("before accept");
  },
  "/throw-later": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    throw new Error("after accept");
  },
  "/deny": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.http.response.start", status: 401, headers: [["www-authenticate", "Basic"]] });
    await send({ type: "websocket.http.response.body", body: new TextEncoder().encode("who "), more_body: true });
    await send({ type: "websocket.http.response.body", body: new TextEncoder().encode("are you?") });
  },
  "/deny-half": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.http.response.start", status: 401 });
  },
  "/wrong-order": async (_scope, receive, send) => {
    await receive();
    const said: string[] = [];
    const attempt = async (event: Parameters<Send>[0]) => {
      try {
        await send(event);
        said.push("taken");
      } catch (error) {
        said.push((error as Error).name);
      }
    };
    await attempt({ type: "websocket.send", text: "early" });
    await attempt({ type: "http.response.body" });
    await attempt({ type: "websocket.accept", subprotocol: "not-offered" });
    await attempt({ type: "websocket.accept", headers: [["sec-websocket-accept", "mine"]] });
    await attempt({ type: "websocket.accept" });
    await attempt({ type: "websocket.accept" });
    await attempt({ type: "websocket.http.response.start", status: 200 });
    await attempt({ type: "websocket.send" });
    await attempt({ type: "websocket.send", text: "a", bytes: new Uint8Array(1) });
    await attempt({ type: "websocket.close", code: 1006 });
    await send({ type: "websocket.send", text: said.join(" ") });
    await send({ type: "websocket.close" });
    await attempt({ type: "websocket.send", text: "late" });
    journal.push(`wrong-order ${said[said.length - 1]}`);
  },
  "/deaf": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    await new Promise(() => {});
  },
  /** Has something to do behind the end; how long is asked for, in milliseconds. */
  "/slow-end": async (scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    while ((await receive()).type !== "websocket.disconnect");
    await new Promise((resolve) => setTimeout(resolve, Number(ascii.decode(scope.query_string))));
    console.error("the slow end is over");
  },
  "/undecided": async (_scope, receive) => {
    await receive();
    const event = await receive();
    journal.push(`undecided ${JSON.stringify(event)}`);
  },
  /** Sends many messages, each only when the one before has been taken. */
  "/pour": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    const bytes = new Uint8Array(256 * 1024).fill(7);
    let count = 0;
    try {
      for (; count < 1000; count++) {
        await send({ type: "websocket.send", bytes });
        journal.push(`poured ${count}`);
      }
    } catch (error) {
      journal.push(`pour ended with ${(error as Error).name}`);
    }
  },
  /** Sends without waiting. */
  "/gush": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    const bytes = new Uint8Array(256 * 1024);
    const sent = Array.from({ length: 400 }, () => send({ type: "websocket.send", bytes }));
    const ends = await Promise.allSettled(sent);
    journal.push(`gush ${ends.some(({ status }) => status === "rejected") ? "rejected" : "taken"}`);
  },
  "/log": async (_scope, receive, send) => {
    await receive();
    await send({ type: "websocket.accept" });
    await send({ type: "websocket.send", text: journal.join("\n") });
    await send({ type: "websocket.close" });
  },
};

const app: Application = async (scope, receive, send) => {
  if (scope.type === "lifespan") {
    for (const step of ["startup", "shutdown"] as const) {
      await receive();
      if (step === "shutdown") console.error("the application is shut down");
      await send({ type: `lifespan.${step}.complete` });
    }
    return;
  }
  if (scope.type === "websocket") {
    await (PLAYS[scope.path.slice(scope.root_path.length)] ?? PLAYS["/refuse"])(scope, receive, send);
    return;
  }
  const text = scope.path === "/pid" ? String(process.pid) : journal.join("\n");
  const body = new TextEncoder().encode(text);
  await send({ type: "http.response.start", status: 200, headers: [["content-length", String(body.length)]] });
  await send({ type: "http.response.body", body });
};

export default app;
