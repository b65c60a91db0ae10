/** The scope of a WebSocket, from that of the request which asks for it. ASGI WebSocket specification, "Connection Scope". */
import { type FieldLines, HeaderList } from "./headers.ts";
import type { Extensions, Headers, HttpScope, WebSocketScope } from "./types.ts";

export const WEBSOCKET_EXTENSIONS: Extensions = Object.freeze({
  "websocket.http.response": Object.freeze({}),
});

const NO_BYTES = new Uint8Array(0);

/**
 * A WebSocket may live for hours: its scope refers to no memory that it shares with others. Copies are not made with
 * `slice`, which is a view where the array is a Buffer, as a runtime may hand over. There is one, since each array with
 * memory of its own costs some 400 bytes on V8.
 * @param scope of the request, which nobody else has
 * @param subprotocols as the client offers them
 */
export function webSocketScope(scope: HttpScope, subprotocols: readonly string[]): WebSocketScope {
  const { raw_path, query_string, headers } = scope;
  const lines = headers instanceof HeaderList ? headers.lines() : null;
  const kept = keep(raw_path, query_string, lines);
  const queryEnd = raw_path.length + query_string.length;
  return {
    type: "websocket",
    asgi: scope.asgi,
    http_version: "1.1",
    scheme: scope.scheme === "https" ? "wss" : "ws",
    path: scope.path,
    raw_path: kept.subarray(0, raw_path.length),
    query_string: query_string.length === 0 ? NO_BYTES : kept.subarray(raw_path.length, queryEnd),
    root_path: scope.root_path,
    headers: ownHeaders(headers, lines, kept, queryEnd),
    client: scope.client,
    server: scope.server,
    subprotocols,
    state: scope.state,
    extensions: WEBSOCKET_EXTENSIONS,
  };
}

/** Path, query and field lines, one behind the other. */
function keep(path: Uint8Array, query: Uint8Array, lines: FieldLines | null): Uint8Array {
  const linesBytes = lines === null ? 0 : lines.end - lines.start;
  const kept = new Uint8Array(path.length + query.length + linesBytes);
  kept.set(path);
  kept.set(query, path.length);
  if (lines !== null) kept.set(lines.bytes.subarray(lines.start, lines.end), path.length + query.length);
  return kept;
}

function ownHeaders(headers: Headers, lines: FieldLines | null, kept: Uint8Array, start: number): Headers {
  if (!(headers instanceof HeaderList)) return headers;
  if (lines !== null) return headers.moved(kept, start, kept.length);
  // Pairs have memory of their own.
  headers.pairs();
  return headers;
}
