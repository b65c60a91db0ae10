/** Who is at the two ends of a connection, as scopes and logs name them. */
import type { ScopeBuilder } from "../asgi/scope.ts";
import type { Socket } from "../runtime/types.ts";

export interface Peer {
  readonly client: readonly [host: string, port: number] | null;
  readonly server: readonly [host: string, port: number | null] | null;
  /** Its X-Forwarded fields count. */
  readonly trusted: boolean;
}

/** Reads the addresses, which costs system calls: once per connection, at its first request. */
export function identify(socket: Socket, uds: string | undefined, scopes: ScopeBuilder): Peer {
  const { remote, local } = socket;
  return {
    client: remote.host === "" ? null : Object.freeze([remote.host, remote.port] as const),
    server: serverOf(local.host, local.port, uds),
    trusted: scopes.trusts(remote.host),
  };
}

type ServerAddress = readonly [host: string, port: number | null];

let last: ServerAddress = Object.freeze(["", null] as const);

/** Most connections have come to the same address: they share one pair. */
function serverOf(localHost: string, localPort: number, uds: string | undefined): ServerAddress | null {
  const host = uds ?? localHost;
  const port = uds === undefined ? localPort : null;
  if (host === "") return null;
  if (host !== last[0] || port !== last[1]) last = Object.freeze([host, port] as const);
  return last;
}
