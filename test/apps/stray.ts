/** Throws where no request can catch it. */
import type { Application } from "../../src/asgi/types.ts";

let endLifespan: () => void = () => {};
const lifespanEnds = new Promise<void>((resolve) => {
  endLifespan = resolve;
});

const app: Application = async (scope, receive, send) => {
  if (scope.type === "lifespan") {
    await receive();
    await send({ type: "lifespan.startup.complete" });
    await lifespanEnds;
    throw new Error("lifespan gave up");
  }
  if (scope.type !== "http") throw new Error(`no ${scope.type} here`);
  if (scope.path === "/reject") void Promise.reject(new Error("stray rejection"));
  // Has no text: String(it) throws.
  if (scope.path === "/reject-odd") void Promise.reject(Object.create(null));
  if (scope.path === "/throw") {
    setTimeout(() => {
      throw new Error("stray throw");
    }, 1);
  }
  if (scope.path === "/end-lifespan") endLifespan();
  await send({ type: "http.response.start", status: 200 });
  await send({ type: "http.response.body", body: new TextEncoder().encode("ok") });
};

export default app;
