/** Apps for the lifespan tests. Each says on standard output what happens to it. */
import type { Receive, Scope, Send } from "../../src/asgi/types.ts";
import { answer, readBody } from "./http.ts";
import { passGate } from "./journal.ts";

function say(text: string): void {
  console.log(`app: ${text}`);
}

/** Starts, serves and stops. A request is answered once its whole body is there. */
export async function well(scope: Scope, receive: Receive, send: Send): Promise<void> {
  if (scope.type === "lifespan") {
    say(`lifespan ${scope.asgi.version} ${scope.asgi.spec_version} ${(await receive()).type}`);
    scope.state.pool = ["shared"];
    scope.state.name = "well";
    await send({ type: "lifespan.startup.complete" });
    say((await receive()).type);
    await send({ type: "lifespan.shutdown.complete" });
    say("lifespan ends");
    return;
  }
  if (scope.type !== "http") return;
  say(`request ${scope.path}`);
  await readBody(receive);
  const pool = scope.state.pool as string[] | undefined;
  pool?.push(scope.path);
  const name = scope.state.name;
  scope.state.name = "changed";
  await answer(send, JSON.stringify({ name, pool }));
  say(`answered ${scope.path}`);
}

export async function failing(scope: Scope, receive: Receive, send: Send): Promise<void> {
  if (scope.type !== "lifespan") return answer(send as Send, "served");
  await receive();
  await send({ type: "lifespan.startup.failed", message: "the database is away" });
}

export async function raising(scope: Scope, receive: Receive, send: Send): Promise<void> {
  if (scope.type !== "lifespan") return answer(send, "served");
  await receive();
  throw new Error("raised at startup");
}

/** Knows no lifespan, as many apps: throws at once. */
export async function unaware(scope: Scope, _receive: Receive, send: Send): Promise<void> {
  if (scope.type !== "http") throw new Error(`no ${scope.type} here`);
  await answer(send, `state ${JSON.stringify(scope.state)}`);
}

/** Returns from the lifespan without a word. */
export async function silent(scope: Scope, _receive: Receive, send: Send): Promise<void> {
  if (scope.type === "http") await answer(send, "served");
}

export async function failingShutdown(scope: Scope, receive: Receive, send: Send): Promise<void> {
  if (scope.type !== "lifespan") return answer(send, "served");
  await receive();
  await send({ type: "lifespan.startup.complete" });
  await receive();
  await send({ type: "lifespan.shutdown.failed", message: "could not flush" });
}

export async function raisingShutdown(scope: Scope, receive: Receive, send: Send): Promise<void> {
  if (scope.type !== "lifespan") return answer(send, "served");
  await receive();
  await send({ type: "lifespan.startup.complete" });
  await receive();
  throw new Error("raised at shutdown");
}

/** Never ends its shutdown: the deadline has to. */
export async function hangingShutdown(scope: Scope, receive: Receive, send: Send): Promise<void> {
  if (scope.type !== "lifespan") return answer(send, "served");
  await receive();
  await send({ type: "lifespan.startup.complete" });
  say((await receive()).type);
  await passGate("never opened");
}

/** Says whether the app is called for a lifespan at all. */
export async function watching(scope: Scope, receive: Receive, send: Send): Promise<void> {
  say(`called for ${scope.type}`);
  await well(scope, receive, send);
}

/** Shows the paths of its scope, whatever they are. */
export async function shown(scope: Scope, _receive: Receive, send: Send): Promise<void> {
  if (scope.type !== "http") throw new Error(`no ${scope.type} here`);
  const { root_path, path, raw_path } = scope;
  await answer(send, JSON.stringify({ root_path, path, raw_path: new TextDecoder().decode(raw_path) }));
}

/** A factory, for `--factory`. */
export function makeApp() {
  say("factory called");
  return unaware;
}
