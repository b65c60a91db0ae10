/** Responses that come from the server itself through the ordinary cycle, and the log of applications' mistakes. */

import { callOf } from "../asgi/call.ts";
import type { HttpCycle } from "../asgi/cycle.ts";
import { ClientDisconnected } from "../asgi/errors.ts";
import type { Application, SentHeader } from "../asgi/types.ts";
import { type AccessLog, escapeForLog } from "../observe/access.ts";
import { traceOf } from "../observe/error-text.ts";
import type { Logger } from "../observe/log.ts";
import { reasonPhrase } from "../protocol/http1/encoder.ts";
import { AUTHORITY } from "../protocol/http1/parser.ts";
import type { Runtime, Socket } from "../runtime/types.ts";
import type { ServerContext } from "./context.ts";

/** When a client that was refused for lack of room may try again. */
const RETRY_AFTER_SECONDS = "1";

/** Why input that can't be understood, or that does not come, ends its connection. */
export interface InputFault {
  /** Of the answer. */
  readonly status: number;
  /** For the log. */
  readonly message: string;
}

export const HEAD_TOO_LATE: InputFault = { status: 408, message: "no complete request head in time" };
export const BODY_TOO_LATE: InputFault = { status: 408, message: "no more of the request body in time" };
export const HEAD_CUT: InputFault = { status: 400, message: "the connection ended inside a request head" };

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

/** The server's, or one that refuses what it can't or may not serve. @param targetForm of the request */
export function applicationFor(context: ServerContext, targetForm: number): Application {
  if (targetForm === AUTHORITY) return refusalApp(501);
  const { concurrency } = context.options.limits;
  return concurrency > 0 && context.inFlight > concurrency ? refusalApp(503) : context.app;
}

export function run(cycle: HttpCycle, app: Application): void {
  cycle.run(app);
}

/** What the logs need of a server context. */
interface LogContext {
  readonly logger: Logger;
  readonly runtime: Pick<Runtime, "latin1">;
}

/** What the logs say of a request. */
interface Named {
  readonly method: string;
  readonly rawPath: Uint8Array;
  readonly query: Uint8Array;
  /** 0 while there is none. */
  readonly status: number;
}

/** Input that ends its connection. */
export function logBadInput({ logger }: LogContext, socket: Socket, { status, message }: InputFault): void {
  const from = socket.remote.host;
  logger.warning(`bad request from ${from === "" ? "a local client" : from}: ${message} (${status})`);
}

/** One entry per failed request: what was asked, and the application's own trace. */
export function logApplicationError(context: LogContext & Pick<ServerContext, "app">, cycle: Named, error: unknown) {
  const { logger, runtime, app } = context;
  const request = `${cycle.method} ${escapeForLog(targetOf(cycle, runtime))}`;
  if (error instanceof ClientDisconnected) logger.debug(`the client of ${request} has disconnected`);
  else if (error === undefined) {
    const what = cycle.status === 0 ? "starting its response" : "completing its response";
    const hint = app.length === 0 && callOf(app) === undefined ? "; if it is a factory, start with --factory" : "";
    logger.error(`the application returned without ${what} to ${request}${hint}`);
  } else logger.error(`the application failed on ${request}\n${traceOf(error)}`);
}

/** An application's facts for its test client. */
export function logDebugEvent({ logger, runtime }: LogContext, cycle: HttpCycle, info: unknown): void {
  let text: string;
  try {
    text = JSON.stringify(info);
  } catch (error) {
    text = `not JSON: ${traceOf(error)}`;
  }
  logger.debug(`http.response.debug of ${cycle.method} ${escapeForLog(targetOf(cycle, runtime))}: ${text}`);
}

/** Notes a request whose response has ended. */
export function logAccess(access: AccessLog, cycle: HttpCycle, runtime: Pick<Runtime, "latin1">): void {
  access.request(cycle.client, cycle.method, targetOf(cycle, runtime), cycle.version, cycle.status);
}

/** Notes a WebSocket handshake that has been answered, with 101 or otherwise. */
export function logHandshake({ access, runtime }: ServerContext, named: Named, client: HttpCycle["client"]): void {
  access?.request(client, "GET", targetOf(named, runtime), "1.1", named.status);
}

/** The target as it arrived, each byte as the code unit of its value. */
function targetOf({ rawPath, query }: Named, { latin1 }: Pick<Runtime, "latin1">): string {
  const path = latin1(rawPath, 0, rawPath.length);
  return query.length === 0 ? path : `${path}?${latin1(query, 0, query.length)}`;
}
