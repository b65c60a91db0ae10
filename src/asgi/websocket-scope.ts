/** The scope of a WebSocket, from that of the request which asks for it. ASGI WebSocket specification, "Connection Scope". */
import { HeaderList } from "./headers.ts";
import type { Extensions, HttpScope, WebSocketScope } from "./types.ts";

export const WEBSOCKET_EXTENSIONS: Extensions = Object.freeze({
  "websocket.http.response": Object.freeze({}),
});

/**
 * A WebSocket may live for hours: its scope refers to no memory that it shares with others.
 * @param scope of the request, which nobody else has
 * @param subprotocols as the client offers them
 */
export function webSocketScope(scope: HttpScope, subprotocols: readonly string[]): WebSocketScope {
  const { headers } = scope;
  return {
    type: "websocket",
    asgi: scope.asgi,
    http_version: "1.1",
    scheme: scope.scheme === "https" ? "wss" : "ws",
    path: scope.path,
    raw_path: scope.raw_path.slice(),
    query_string: scope.query_string.slice(),
    root_path: scope.root_path,
    headers: headers instanceof HeaderList ? ownCopy(headers) : headers,
    client: scope.client,
    server: scope.server,
    subprotocols,
    state: scope.state,
    extensions: WEBSOCKET_EXTENSIONS,
  };
}

function ownCopy(headers: HeaderList): HeaderList {
  const lines = headers.lines();
  if (lines === null) {
    // A target in absolute form: the pairs have memory of their own.
    headers.pairs();
    return headers;
  }
  const { bytes, start, end } = lines;
  return new HeaderList(bytes.slice(start, end), 0, end - start);
}
