/**
 * The server: lifespan, listener, connections, and the way it all stops.
 */
import { DefaultFields } from "../asgi/default-fields.ts";
import { Lifespan } from "../asgi/lifespan.ts";
import { TrustedPeers } from "../asgi/proxy.ts";
import { ScopeBuilder } from "../asgi/scope.ts";
import type { Application, State } from "../asgi/types.ts";
import type { AccessLog } from "../observe/access.ts";
import { traceOf } from "../observe/error-text.ts";
import type { Logger } from "../observe/log.ts";
import { EncodeError } from "../protocol/http1/encoder.ts";
import {
  type Listener,
  PlainError,
  type Runtime,
  type Socket,
  type SocketAddress,
  type SocketHandler,
} from "../runtime/types.ts";
import { Collection } from "./collection.ts";
import { Connection } from "./connection.ts";
import type { ServerContext } from "./context.ts";
import { exchangePool } from "./exchange.ts";
import { type Gathered, Gathering } from "./gathering.ts";
import { DESCRIPTOR_RESERVE, type ServerOptions } from "./options.ts";
import { Refusals } from "./refusal.ts";
import { Sweeper, type Swept, sweepPeriodMs } from "./sweeper.ts";
import { webSocketTimeoutsMs } from "./websocket-options.ts";

export interface ServerDependencies {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly access?: AccessLog;
}

export interface ServerHandle {
  /** Where it listens; for a Unix socket `host` is its path. */
  readonly address: SocketAddress;
  /** Settles when everything has ended. */
  readonly stopped: Promise<void>;
  /** Requests whose head has arrived, so far. */
  readonly requestsStarted: number;
  /** Connections open now. */
  readonly connections: number;
  /** From now on each response ends its connection and says so: for clients to move to another server before `stop`. */
  leave(): void;
  /**
   * Finishes what is in flight, runs lifespan shutdown; settles as `stopped` does.
   * @param patient WebSockets may stay until shortly before the graceful deadline, since others serve at this address from
   *   now on; else they are told to come back at once. A later call without it ends the patience.
   */
  stop(patient?: boolean): Promise<void>;
  /** Resets every connection and ends without lifespan shutdown. */
  abort(): void;
  /** Called at each request's start (for limits on their number). */
  onRequest: (() => void) | undefined;
}

/** Python applications are told the same (src/python/lifespan.py). */
const NO_LIFESPAN =
  "The application raised in its lifespan's startup, and is served without a lifespan; with --lifespan on the server " +
  "would not start.";

/**
 * Runs lifespan startup, then listens.
 * @throws PlainError when startup fails or the address can't be had
 */
export async function startServer(
  app: Application,
  options: ServerOptions,
  dependencies: ServerDependencies,
): Promise<ServerHandle> {
  const lifespan = new Lifespan(app, options.lifespan);
  lifespan.onRaised = (error) => {
    dependencies.logger.error(`the application's lifespan ended before the server's\n${traceOf(error)}`);
  };
  const startup = await lifespan.startup();
  if (startup.kind === "failed") {
    const why = startup.message === "" ? "" : `: ${startup.message}`;
    throw new PlainError(`The application's startup failed${why}`, { cause: startup.error });
  }
  if (startup.kind === "unsupported" && startup.raised !== undefined) {
    dependencies.logger.warning(`${NO_LIFESPAN}\n${traceOf(startup.raised.error)}`);
  }
  try {
    const server = new Server(app, options, dependencies, lifespan);
    await server.listen();
    return server;
  } catch (error) {
    await shutDown(lifespan, options, dependencies.logger);
    throw error;
  }
}

async function shutDown(lifespan: Lifespan, { gracefulTimeoutMs }: ServerOptions, logger: Logger): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), gracefulTimeoutMs);
  });
  const outcome = await Promise.race([lifespan.shutdown(), late]);
  clearTimeout(timer);
  if (outcome === "late") logger.error("the application's shutdown did not end in time");
  else if (outcome.kind === "failed") logger.error(`the application's shutdown failed: ${outcome.message}`);
}

/**
 * Between the decision to stop and the listener's end: connections that the system has already accepted for it would
 * be reset by closing it, so the runtime gets a few turns to hand them over.
 */
const ACCEPT_GRACE_MS = 20;
/**
 * So long connections between two requests stay at a stop: who uses one has asked by then, or is asking at this moment, and
 * learns from the answer that it is the last. Closed at once, all connections of a busy server would lose a request. Those
 * that have been idle for longer are closed at once.
 */
const IDLE_STAY_MS = 250;

/** Soft descriptor limit less the reserve; half of it where that leaves nothing. */
export function connectionCap(asked: number, descriptorLimit: number | undefined): number {
  if (descriptorLimit === undefined) return asked > 0 ? asked : Number.POSITIVE_INFINITY;
  const derived = Math.max(descriptorLimit - DESCRIPTOR_RESERVE, Math.floor(descriptorLimit / 2));
  return asked > 0 ? Math.min(asked, derived) : derived;
}

class Server implements ServerHandle {
  readonly stopped: Promise<void>;
  readonly #context: ServerContext;
  readonly #lifespan: Lifespan;
  readonly #sweeper: Sweeper;
  readonly #refusals = new Refusals();
  readonly #cap: number;
  #capReported = false;
  #listener: Listener | undefined;
  #settleStopped: () => void = noop;
  #stopping: Promise<void> | undefined;
  #emptied: (() => void) | undefined;
  /** The time to stop is up. */
  #overdue = false;
  /** Since then each answer says that its connection ends. */
  #leftAt = Number.POSITIVE_INFINITY;

  constructor(
    app: Application,
    options: ServerOptions,
    { runtime, logger, access }: ServerDependencies,
    lifespan: Lifespan,
  ) {
    this.#lifespan = lifespan;
    this.#cap = connectionCap(options.limits.connections, runtime.descriptorLimit());
    const { limits } = options;
    const fields = makeDefaultFields(options);
    this.#context = {
      runtime,
      options,
      logger,
      // Its lines are of that level.
      access: options.accessLog && logger.enabled("info") ? access : undefined,
      app,
      scopes: makeScopes(options, runtime, lifespan.state),
      fields,
      pool: exchangePool(limits),
      collection: new Collection(runtime),
      now: wholeMs(runtime),
      leaving: false,
      stopping: false,
      idleStays: false,
      patient: false,
      inFlight: 0,
      running: 0,
      requestsStarted: 0,
      onRequest: undefined,
      gathering: new Gathering(runtime, (connection, error) => this.#broken(connection, error)),
      opened: (connection) => this.#sweeper.add(connection),
      closed: (connection) => this.#closed(connection),
      allReturned: () => {
        if (this.#isEmpty) this.#emptied?.();
      },
    };
    const timeouts = [
      limits.headerTimeoutMs,
      limits.keepAliveTimeoutMs,
      limits.bodyTimeoutMs,
      limits.writeTimeoutMs,
      limits.lingerTimeoutMs,
      ...webSocketTimeoutsMs(options),
    ];
    this.#sweeper = new Sweeper(sweepPeriodMs(timeouts), () => this.#tick());
    this.stopped = new Promise((resolve) => {
      this.#settleStopped = resolve;
    });
  }

  get address(): SocketAddress {
    return this.#listener!.address;
  }

  get requestsStarted(): number {
    return this.#context.requestsStarted;
  }

  get connections(): number {
    return this.#sweeper.connections.length;
  }

  get onRequest(): (() => void) | undefined {
    return this.#context.onRequest;
  }

  set onRequest(listener: (() => void) | undefined) {
    this.#context.onRequest = listener;
  }

  async listen(): Promise<void> {
    const { runtime, options, logger } = this.#context;
    const { host, port, uds, udsMode, backlog, reusePort, replaceLive } = options;
    const address = uds === undefined ? { host, port, reusePort } : { path: uds, pathMode: udsMode, replaceLive };
    this.#listener = await runtime.listen({ ...address, backlog }, (socket) => this.#accept(socket));
    const inForce = this.#listener.backlogInForce;
    if (inForce !== undefined && inForce !== backlog) {
      logger.warning(`the system holds ${inForce} waiting connections, not the ${backlog} of --backlog`);
    }
  }

  stop(patient = false): Promise<void> {
    const context = this.#context;
    if (this.#stopping === undefined) {
      context.patient = patient;
      this.#stopping = this.#stop();
    } else if (context.patient && !patient) {
      context.patient = false;
      this.#sweeper.each((connection) => connection.stop());
    }
    return this.#stopping;
  }

  leave(): void {
    this.#leftAt = Math.min(this.#leftAt, this.#context.runtime.now());
    this.#context.leaving = true;
  }

  abort(): void {
    this.#context.leaving = true;
    this.#context.stopping = true;
    this.#listener?.close();
    this.#sweeper.each((connection) => connection.abort());
    this.#end();
  }

  #accept(socket: Socket): SocketHandler {
    if (this.connections >= this.#cap) {
      if (!this.#capReported) {
        this.#capReported = true;
        this.#context.logger.warning(`${this.#cap} connections are open, the most allowed; more are answered 503`);
      }
      this.#context.fields.refresh(Date.now());
      return this.#refusals.handler(socket, this.#context.fields.all);
    }
    return new Connection(this.#context, socket);
  }

  #closed(connection: Swept): void {
    this.#sweeper.remove(connection);
    if (this.connections < this.#cap / 2) this.#capReported = false;
    if (this.#isEmpty) this.#emptied?.();
  }

  /** Nobody is served any more. */
  get #isEmpty(): boolean {
    return this.connections === 0 && (this.#overdue || this.#context.running === 0);
  }

  #tick(): number {
    const now = wholeMs(this.#context.runtime);
    this.#context.now = now;
    this.#context.fields.refresh(Date.now());
    return now;
  }

  /** A failure of one connection must not reach the others that wait behind it. */
  #broken(connection: Gathered, error: unknown): void {
    this.#context.logger.critical(`a connection failed: ${traceOf(error)}`);
    connection.abort();
  }

  async #stop(): Promise<void> {
    const context = this.#context;
    const { options, logger, runtime } = context;
    this.leave();
    // Who has been told by answers before is not waited for again.
    const toldMs = runtime.now() - this.#leftAt;
    const idleStayMs = Math.min(IDLE_STAY_MS, options.gracefulTimeoutMs / 2) - toldMs;
    context.stopping = true;
    context.idleStays = true;
    this.#tick();
    this.#sweeper.each((connection) => connection.stop());
    await sleep(ACCEPT_GRACE_MS);
    this.#listener?.close();
    for (let ms = ACCEPT_GRACE_MS; ms < idleStayMs && this.connections > 0; ms += ACCEPT_GRACE_MS) {
      await sleep(ACCEPT_GRACE_MS);
    }
    context.idleStays = false;
    this.#sweeper.each((connection) => connection.stop());
    const noticeMs = Math.min(options.gracefulNoticeMs, options.gracefulTimeoutMs / 2);
    const notice = setTimeout(() => {
      this.#sweeper.each((connection) => connection.notifyStop());
    }, options.gracefulTimeoutMs - noticeMs);
    const deadline = setTimeout(() => {
      this.#overdue = true;
      const { running } = this.#context;
      if (this.connections > 0) logger.warning(`${this.connections} connections were not finished in time and are cut`);
      else logger.warning(`${calls(running)} of the application did not return in time`);
      this.#sweeper.each((connection) => connection.abort());
      if (this.#isEmpty) this.#emptied?.();
    }, options.gracefulTimeoutMs);
    const waiting = setTimeout(() => this.#sayWhoIsWaitedFor(), options.gracefulTimeoutMs / 10);
    await this.#empty();
    clearTimeout(waiting);
    clearTimeout(notice);
    clearTimeout(deadline);
    await shutDown(this.#lifespan, options, logger);
    this.#end();
  }

  /** Nobody is connected, and yet the server does not end. */
  #sayWhoIsWaitedFor(): void {
    const { logger, running } = this.#context;
    if (this.connections > 0) return;
    logger.info(`Waiting for ${calls(running)} of the application, whose clients are answered or gone.`);
  }

  #empty(): Promise<void> {
    if (this.#isEmpty) return Promise.resolve();
    return new Promise((resolve) => {
      this.#emptied = resolve;
    });
  }

  #end(): void {
    this.#settleStopped();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function calls(count: number): string {
  return count === 1 ? "1 call" : `${count} calls`;
}

function makeDefaultFields(options: ServerOptions): DefaultFields {
  try {
    return new DefaultFields(options.serverHeader, options.dateHeader, options.headers);
  } catch (error) {
    if (error instanceof EncodeError) throw new PlainError(`A header to add can't be sent: ${error.message}`);
    throw error;
  }
}

function makeScopes(options: ServerOptions, runtime: Runtime, state: State): ScopeBuilder {
  const trusted = options.proxyHeaders ? trustedPeers(options.forwardedAllowIps) : undefined;
  return new ScopeBuilder(runtime.latin1, runtime.ownsChunks, options.rootPath, state, trusted);
}

function trustedPeers(entries: readonly string[]): TrustedPeers {
  try {
    return new TrustedPeers(entries);
  } catch {
    throw new PlainError(
      `${entries.join(",")} has an entry that is neither an address nor a network; see --forwarded-allow-ips`,
    );
  }
}

/** Deadlines are reckoned from it: a number with a fraction costs an object on some engines, in every connection. */
function wholeMs(runtime: Runtime): number {
  return Math.floor(runtime.now());
}

function noop(): void {}
