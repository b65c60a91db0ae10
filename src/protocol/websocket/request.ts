/** What the handshake asks of a request, read from the HTTP/1 parser's offsets. */
import type { RequestHead } from "../http1/head.ts";
import { HEADER_NAMES, METHODS } from "../http1/tables.ts";
import type { HandshakeRequest } from "./handshake.ts";

/** The names that `HandshakeRequest.values` is asked for. */
const NAMES: readonly string[] = [
  "host",
  "upgrade",
  "connection",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
];
/** By the parser's id of a field name: its index in NAMES, -1 for all others. */
const INDEX = Int8Array.from(HEADER_NAMES, (name) => NAMES.indexOf(name));
const NONE: readonly string[] = [];

/** Copies what the handshake needs: it stays valid when the parser goes on. @param latin1 the runtime's */
export function requestOf(
  head: RequestHead,
  latin1: (bytes: Uint8Array, start: number, end: number) => string,
): HandshakeRequest {
  const { head: bytes, fields, fieldIds, fieldCount, methodId } = head;
  const found: (string[] | undefined)[] = new Array(NAMES.length).fill(undefined);
  for (let i = 0; i < fieldCount; i++) {
    const index = INDEX[fieldIds[i]];
    if (index < 0) continue;
    const value = latin1(bytes, fields[4 * i + 2], fields[4 * i + 3]);
    const values = found[index];
    if (values === undefined) found[index] = [value];
    else values.push(value);
  }
  return {
    method: methodId >= 0 ? METHODS[methodId] : latin1(bytes, head.methodStart, head.methodEnd),
    minor: head.minor,
    hasBody: head.hasBody,
    values(name) {
      const index = NAMES.indexOf(name);
      if (index < 0) throw new Error(`The handshake has no field ${name}.`);
      return found[index] ?? NONE;
    },
  };
}
