/** The scope of a WebSocket in Python's marshal format: that of a request, with the list of subprotocols behind it. */
import type { WebSocketScope } from "../asgi/types.ts";
import { putScope, putTexts } from "./marshal.ts";
import { HEADER_BYTES, type RecordBuffer } from "./wire.ts";

/** As `putScope`. RFC 6455 section 4.1: the method is GET. */
export function putSocketScope(out: RecordBuffer, scope: WebSocketScope): number {
  const start = putScope(out, { ...scope, type: "http", method: "GET" });
  // The tuple has one part more.
  out.bytes[start + HEADER_BYTES + 1] += 1;
  putTexts(out, scope.subprotocols);
  return start;
}
