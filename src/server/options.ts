/**
 * The server's options with their defaults. Times are milliseconds, sizes bytes, unless the name says otherwise.
 * Every limit stands here (or in the protocol's own limits) with its reason.
 */
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "../protocol/http1/limits.ts";
import { DEFAULT_WEBSOCKET_OPTIONS, type WebSocketOptions } from "./websocket-options.ts";

/** A slow client gets this long for a whole head, whatever it trickles. granian's default. */
export const DEFAULT_HEADER_TIMEOUT_MS = 30_000;
/** Longer than load balancers' idle times (AWS 60 s, nginx 60 s upstream): they close first, so no request meets a closing socket. */
export const DEFAULT_KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Between two pieces of a request body. */
export const DEFAULT_BODY_TIMEOUT_MS = 60_000;
/** A client that takes no byte of its response for this long is gone. */
export const DEFAULT_WRITE_TIMEOUT_MS = 120_000;
/** How long a closing connection is drained so that its last response arrives (nginx lingering_timeout is 5 s). */
export const DEFAULT_LINGER_TIMEOUT_MS = 5_000;
/** How much is drained then: 4 MB bodies refused by their head must see their answer. */
export const DEFAULT_LINGER_BYTES = 16 * 1024 * 1024;
/** gunicorn's and docker stop's order of magnitude. */
export const DEFAULT_GRACEFUL_TIMEOUT_MS = 30_000;
/** Streaming applications hear `http.disconnect` this long before the deadline. */
export const DEFAULT_GRACEFUL_NOTICE_MS = 5_000;
/** uvicorn's and gunicorn's. */
export const DEFAULT_BACKLOG = 2048;
/** Requests held unparsed or unanswered behind one connection's current request; reading pauses beyond it. */
export const DEFAULT_PIPELINED_REQUESTS = 64;
/** Bytes of pipelined requests held behind the current one. */
export const DEFAULT_PIPELINED_BYTES = 256 * 1024;
/** Request body bytes held for an application that does not read; reading pauses beyond it. */
export const DEFAULT_BODY_WATERMARK_BYTES = 256 * 1024;
/** Descriptors that are kept for files, children and the runtime itself when the connection cap is derived. */
export const DESCRIPTOR_RESERVE = 128;

export interface ServerLimits extends Http1Limits {
  readonly headerTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly lingerTimeoutMs: number;
  readonly lingerBytes: number;
  /** Requests that one connection may make; the last one's answer says `Connection: close`. 0: no limit. */
  readonly requestsPerConnection: number;
  /** Connections at once; above it 503. 0: the soft descriptor limit less DESCRIPTOR_RESERVE. */
  readonly connections: number;
  /** Requests in flight at once; above it 503 with Retry-After. 0: no limit. */
  readonly concurrency: number;
  readonly pipelinedRequests: number;
  readonly pipelinedBytes: number;
  readonly bodyWatermarkBytes: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  ...DEFAULT_HTTP1_LIMITS,
  headerTimeoutMs: DEFAULT_HEADER_TIMEOUT_MS,
  keepAliveTimeoutMs: DEFAULT_KEEP_ALIVE_TIMEOUT_MS,
  bodyTimeoutMs: DEFAULT_BODY_TIMEOUT_MS,
  writeTimeoutMs: DEFAULT_WRITE_TIMEOUT_MS,
  lingerTimeoutMs: DEFAULT_LINGER_TIMEOUT_MS,
  lingerBytes: DEFAULT_LINGER_BYTES,
  requestsPerConnection: 0,
  connections: 0,
  concurrency: 0,
  pipelinedRequests: DEFAULT_PIPELINED_REQUESTS,
  pipelinedBytes: DEFAULT_PIPELINED_BYTES,
  bodyWatermarkBytes: DEFAULT_BODY_WATERMARK_BYTES,
};

export type LifespanMode = "auto" | "on" | "off";

export interface ServerOptions extends WebSocketOptions {
  /** Default "127.0.0.1". */
  readonly host: string;
  /** Default 8000; 0 asks for a free port. */
  readonly port: number;
  /** Path of a Unix socket, instead of host and port. */
  readonly uds: string | undefined;
  /** Permission bits of the Unix socket. Default 0o666. */
  readonly udsMode: number;
  readonly backlog: number;
  /** Several server processes share the port. */
  readonly reusePort: boolean;
  /** A live Unix socket may be taken over: the supervisor replaces this server's predecessor. */
  readonly replaceLive: boolean;
  /** `root_path` of every scope, without a trailing slash. */
  readonly rootPath: string;
  readonly lifespan: LifespanMode;
  /** Trust X-Forwarded-For and X-Forwarded-Proto from `forwardedAllowIps`. Default true. */
  readonly proxyHeaders: boolean;
  /** Addresses and CIDR networks, or "*" for all. Default 127.0.0.1 and ::1. */
  readonly forwardedAllowIps: readonly string[];
  /** Send `Server: ringcorn`. */
  readonly serverHeader: boolean;
  readonly dateHeader: boolean;
  /** Field lines added to every response that does not carry the name itself. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly accessLog: boolean;
  readonly gracefulTimeoutMs: number;
  readonly gracefulNoticeMs: number;
  readonly limits: ServerLimits;
}

export const DEFAULT_OPTIONS: ServerOptions = {
  ...DEFAULT_WEBSOCKET_OPTIONS,
  host: "127.0.0.1",
  port: 8000,
  uds: undefined,
  udsMode: 0o666,
  backlog: DEFAULT_BACKLOG,
  reusePort: false,
  replaceLive: false,
  rootPath: "",
  lifespan: "auto",
  proxyHeaders: true,
  forwardedAllowIps: ["127.0.0.1", "::1"],
  serverHeader: true,
  dateHeader: true,
  headers: [],
  accessLog: true,
  gracefulTimeoutMs: DEFAULT_GRACEFUL_TIMEOUT_MS,
  gracefulNoticeMs: DEFAULT_GRACEFUL_NOTICE_MS,
  limits: DEFAULT_LIMITS,
};
