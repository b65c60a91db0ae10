/**
 * The application of the hello suites: the same status, fields and body as the peers answer, in events made for each
 * request as applications do.
 */
import type { Application } from "../../src/asgi/types.ts";

const TEXT = new TextEncoder();
const BODY = TEXT.encode("Hello, world!");
const HEADERS = [
  [TEXT.encode("content-type"), TEXT.encode("text/plain;charset=utf-8")],
  [TEXT.encode("content-length"), TEXT.encode(String(BODY.length))],
] as const;

export const app: Application = async (scope, _receive, send) => {
  if (scope.type !== "http") throw new Error(`This application does not speak ${scope.type}.`);
  await send({ type: "http.response.start", status: 200, headers: HEADERS });
  await send({ type: "http.response.body", body: BODY });
};
