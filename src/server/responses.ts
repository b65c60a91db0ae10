/** Responses that come from the server itself through the ordinary cycle, and the log of applications' mistakes. */

import type { HttpCycle } from "../asgi/cycle.ts";
import { ClientDisconnected } from "../asgi/errors.ts";
import type { Application, SentHeader } from "../asgi/types.ts";
import type { AccessLog } from "../observe/access.ts";
import type { Logger } from "../observe/log.ts";
import { reasonPhrase } from "../protocol/http1/encoder.ts";

/** When a client that was refused for lack of room may try again. */
const RETRY_AFTER_SECONDS = "1";

const APPS = new Map<number, Application>();

/** An application that answers every request with this status and a short text. */
export function refusalApp(status: 501 | 503): Application {
  const known = APPS.get(status);
  if (known !== undefined) return known;
  const body = new TextEncoder().encode(`${reasonPhrase(status)}\n`);
  const headers: SentHeader[] = [
    ["content-type", "text/plain; charset=utf-8"],
    ["content-length", String(body.length)],
  ];
  if (status === 503) headers.push(["retry-after", RETRY_AFTER_SECONDS]);
  const app: Application = async (_scope, _receive, send) => {
    await send({ type: "http.response.start", status, headers });
    await send({ type: "http.response.body", body });
  };
  APPS.set(status, app);
  return app;
}

/** One entry per failed request: what was asked, and the application's own trace. */
export function logApplicationError(logger: Logger, cycle: HttpCycle, error: unknown): void {
  const { method, path } = cycle.scope;
  const request = `${method} ${JSON.stringify(path)}`;
  if (error instanceof ClientDisconnected) logger.debug(`the client of ${request} has disconnected`);
  else if (error === undefined) {
    const what = cycle.status === 0 ? "starting its response" : "completing its response";
    logger.error(`the application returned without ${what} to ${request}`);
  } else {
    const trace = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
    const named =
      error instanceof Error && !trace.includes(error.message) ? `${error.name}: ${error.message}\n${trace}` : trace;
    logger.error(`the application failed on ${request}\n${named}`);
  }
}

/** Notes a request whose response has ended. */
export function logAccess(
  access: AccessLog,
  { scope, status }: HttpCycle,
  latin1: (bytes: Uint8Array, start: number, end: number) => string,
): void {
  const { raw_path: path, query_string: query } = scope;
  const text = latin1(path, 0, path.length);
  const target = query.length === 0 ? text : `${text}?${latin1(query, 0, query.length)}`;
  access.request(scope.client, scope.method, target, scope.http_version, status);
}
