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
  const server = uds === undefined ? ([local.host, local.port] as const) : ([uds, null] as const);
  return {
    client: remote.host === "" ? null : Object.freeze([remote.host, remote.port] as const),
    server: server[0] === "" ? null : Object.freeze(server),
    trusted: scopes.trusts(remote.host),
  };
}
