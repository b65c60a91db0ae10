/**
 * A factory: a function that makes the application, called once when the server starts. Lifespan then opens what the
 * requests share, and closes it after the last one.
 *
 *   bun run serve ./examples/factory.ts:createApp --factory
 *   curl http://127.0.0.1:8000/
 */
import type { Application, LifespanScope, Receive, Send } from "ringcorn";

/** Stands for a database: something that is opened at the start and closed at the end. */
class Visits {
  #count = 0;
  next(): number {
    return ++this.#count;
  }
  close(): void {
    console.log(`${this.#count} visits`);
  }
}

export function createApp(): Application {
  return async (scope, receive, send) => {
    if (scope.type === "lifespan") return lifespan(scope, receive, send);
    if (scope.type !== "http") return;
    // Every request's `state` is a shallow copy of what startup left: the same object, not a copy of it.
    const visits = scope.state.visits as Visits;
    const body = new TextEncoder().encode(`Visit number ${visits.next()}\n`);
    await send({ type: "http.response.start", status: 200, headers: [["content-type", "text/plain"]] });
    await send({ type: "http.response.body", body });
  };
}

async function lifespan(scope: LifespanScope, receive: Receive, send: Send): Promise<void> {
  await receive(); // lifespan.startup
  const visits = new Visits();
  scope.state.visits = visits;
  // Instead, `lifespan.startup.failed` with a message would keep the server from starting.
  await send({ type: "lifespan.startup.complete" });
  await receive(); // lifespan.shutdown, after the last request
  visits.close();
  await send({ type: "lifespan.shutdown.complete" });
}
