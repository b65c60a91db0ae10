/** What all connections of one server share. */
import type { DefaultFields } from "../asgi/default-fields.ts";
import type { ScopeBuilder } from "../asgi/scope.ts";
import type { Application } from "../asgi/types.ts";
import type { Pool } from "../channel/pool.ts";
import type { AccessLog } from "../observe/access.ts";
import type { Logger } from "../observe/log.ts";
import type { Runtime } from "../runtime/types.ts";
import type { Collection } from "./collection.ts";
import type { Exchange } from "./exchange.ts";
import type { Gathering } from "./gathering.ts";
import type { ServerOptions } from "./options.ts";
import type { Swept } from "./sweeper.ts";

export interface ServerContext {
  readonly runtime: Runtime;
  readonly options: ServerOptions;
  readonly logger: Logger;
  readonly access: AccessLog | undefined;
  readonly app: Application;
  readonly scopes: ScopeBuilder;
  readonly fields: DefaultFields;
  readonly pool: Pool<Exchange>;
  readonly collection: Collection;
  /** What waits until more of its kind has come together. */
  readonly gathering: Gathering;
  /** Coarse monotonic milliseconds, renewed by the sweep. */
  now: number;
  /** Responses say `Connection: close`, and connections end with them. */
  leaving: boolean;
  /** The server ends: idle connections are closed. */
  stopping: boolean;
  /** While stopping: connections that are idle since a moment are left open a moment longer, for those who are asking just now. */
  idleStays: boolean;
  /** While stopping: others serve at this address from now on, so that open WebSockets may stay until the deadline. */
  patient: boolean;
  /** Requests in flight: a head has been parsed and its response is not complete. */
  inFlight: number;
  /** Calls of the application that have not returned, although their clients may be answered or gone: a stop waits for them. */
  running: number;
  requestsStarted: number;
  /** Called when a request has started. */
  onRequest: (() => void) | undefined;
  opened(connection: Swept): void;
  closed(connection: Swept): void;
  /** While stopping: the last one of `running` has returned. */
  allReturned(): void;
}
