/** What a connection does with a request that asks for a WebSocket: RFC 6455 section 4.2, RFC 9110 section 7.8. */
import { webSocketScope } from "../asgi/websocket-scope.ts";
import { readHandshake, wantsWebSocket } from "../protocol/websocket/handshake.ts";
import { requestOf } from "../protocol/websocket/request.ts";
import { sha1Base64 } from "../runtime/digest.ts";
import type { Socket } from "../runtime/types.ts";
import type { ServerContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Peer } from "./peer.ts";
import { logBadInput } from "./responses.ts";
import { WebSocketConnection } from "./websocket-connection.ts";
import { sharedOf } from "./websocket-shared.ts";

/** A handshake that no application is asked about. */
export interface RefusedUpgrade {
  readonly status: number;
  /** For the log. */
  readonly message: string;
  /** Field lines that the answer must carry, each ended by CRLF. */
  readonly extra: string;
}

const NO_ROOM: RefusedUpgrade = {
  status: 503,
  message: "a WebSocket handshake while the server is stopping or has no room",
  extra: "retry-after: 1\r\n",
};

/**
 * Looks at the request whose head the parser has just found. Undefined: an ordinary one. A WebSocketConnection takes the
 * exchange; it must be started.
 */
export function upgrade(
  context: ServerContext,
  socket: Socket,
  exchange: Exchange,
  peer: Peer,
): WebSocketConnection | RefusedUpgrade | undefined {
  const outcome = answer(context, socket, exchange, peer);
  if (outcome !== undefined && "extra" in outcome) {
    context.inFlight--;
    logBadInput(context, socket, outcome);
  }
  return outcome;
}

function answer(
  context: ServerContext,
  socket: Socket,
  exchange: Exchange,
  { client, server, trusted }: Peer,
): WebSocketConnection | RefusedUpgrade | undefined {
  const { parser } = exchange.intake;
  const request = requestOf(parser, context.runtime.latin1);
  if (!wantsWebSocket(request)) return undefined;
  const handshake = readHandshake(request, sharedOf(context).deflate, sha1Base64);
  if (!handshake.accepted) {
    const { status, message, fields } = handshake;
    return { status, message, extra: fields.map(([name, value]) => `${name}: ${value}\r\n`).join("") };
  }
  const { concurrency } = context.options.limits;
  if (context.stopping || (concurrency > 0 && context.inFlight > concurrency)) return NO_ROOM;
  const scope = webSocketScope(context.scopes.http(parser, client, server, trusted), handshake.subprotocols);
  return new WebSocketConnection(context, socket, exchange, scope, handshake);
}

/** Takes what has arrived behind the handshake out of the parser: these are frames. */
export function takeEarly({ intake }: Exchange): Uint8Array[] {
  const { parser } = intake;
  const early: Uint8Array[] = [];
  do {
    // Not by `slice`, which is a view where the chunk is a Buffer: these will be overwritten.
    if (parser.position < parser.limit)
      early.push(new Uint8Array(parser.chunk.subarray(parser.position, parser.limit)));
    parser.position = parser.limit;
  } while (intake.feedHeld());
  // Who takes them pauses the socket by its own count. If it stayed paused by this one, the exchange would resume it when it
  // is given back, whatever waits by then.
  intake.resume();
  return early;
}
