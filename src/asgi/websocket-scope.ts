/** The scope of a WebSocket, from that of the request which asks for it. ASGI WebSocket specification, "Connection Scope". */
import { HeaderList } from "./headers.ts";
import type { Extensions, HttpScope, WebSocketScope } from "./types.ts";

export const WEBSOCKET_EXTENSIONS: Extensions = Object.freeze({
  "websocket.http.response": Object.freeze({}),
});

/**
 * A WebSocket may live for hours: its scope refers to no memory that it shares with others. Copies are not made with
 * `slice`, which is a view where the array is a Buffer, as a runtime may hand over.
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
    raw_path: new Uint8Array(scope.raw_path),
    query_string: new Uint8Array(scope.query_string),
    root_path: scope.root_path,
    headers: headers instanceof HeaderList ? headers.alone() : headers,
    client: scope.client,
    server: scope.server,
    subprotocols,
    state: scope.state,
    extensions: WEBSOCKET_EXTENSIONS,
  };
}
