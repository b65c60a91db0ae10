/**
 * The access log: one line per answered request on standard output, in uvicorn's form
 * (`INFO:     127.0.0.1:5000 - "GET /x HTTP/1.1" 200 OK`).
 *
 * What a client sent (method, target, forwarded address) is escaped as nginx does it (`\x1b`, also for `"` and `\`),
 * so that it can neither break a line, nor end the quoted part, nor reach a terminal as a control sequence.
 */

import { reasonPhrase } from "../protocol/http1/encoder.ts";
import type { Runtime } from "../runtime/types.ts";
import { levelPrefix } from "./log.ts";

export interface AccessLog {
  /**
   * Notes one answered request.
   * @param client the client's address, or null for a Unix socket's peer
   * @param target the request target as it arrived, each byte as the code unit of its value
   * @param httpVersion "1.0", "1.1", ...
   */
  request(
    client: readonly [string, number] | null,
    method: string,
    target: string,
    httpVersion: string,
    status: number,
  ): void;
}

/** An access log that holds the lines of one turn of the event loop: `flush` before the process ends. */
export interface BufferedAccessLog extends AccessLog {
  flush(): void;
}

/** A turn that logs more than this writes at once: bounds the memory of a burst. */
export const ACCESS_BUFFER_CHARACTERS = 64 * 1024;

/** Everything but visible ASCII, space excluded, less the quote and the backslash. */
const TO_ESCAPE = /[^!#-[\]-~]/g;
const NEEDS_ESCAPE = /[^!#-[\]-~]/;

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** `text` with everything but visible ASCII written as `\xNN` (or `\uNNNN`), and also the quote and the backslash. */
export function escapeForLog(text: string): string {
  return NEEDS_ESCAPE.test(text) ? text.replace(TO_ESCAPE, escapeCharacter) : text;
}

function clientText(client: readonly [string, number] | null): string {
  if (client === null) return "-";
  const host = escapeForLog(client[0]);
  return host.includes(":") ? `[${host}]:${client[1]}` : `${host}:${client[1]}`;
}

/** An access log with one write per turn of the event loop. */
export function createAccessLog(runtime: Pick<Runtime, "defer" | "writeOut">, colours: boolean): BufferedAccessLog {
  const prefix = levelPrefix("info", colours);
  let pending = "";
  let deferred = false;
  const flush = (): void => {
    if (pending === "") return;
    const lines = pending;
    pending = "";
    runtime.writeOut(lines);
  };
  const endOfTurn = (): void => {
    deferred = false;
    flush();
  };
  return {
    flush,
    request(client, method, target, httpVersion, status) {
      const line = `${clientText(client)} - "${escapeForLog(method)} ${escapeForLog(target)} HTTP/${httpVersion}"`;
      pending += `${prefix}${line} ${status} ${reasonPhrase(status)}\n`;
      if (pending.length >= ACCESS_BUFFER_CHARACTERS) flush();
      else if (!deferred) {
        deferred = true;
        runtime.defer(endOfTurn);
      }
    },
  };
}
