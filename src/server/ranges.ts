/** What the server's numeric options may be. The command line's parsers and `serve()` hold to the same bounds. */
import { PlainError } from "../runtime/types.ts";
import type { ServerLimits, ServerOptions } from "./options.ts";

/** Both included. */
export type Range = readonly [least: number, most: number];

/**
 * Heads, trailer sections and WebSocket messages are held whole, in one array and for applications in one string: V8's
 * longest string has 512 MiB, and positions in a head are below 1 GiB (POSITION_MAX).
 */
const MOST_WHOLE_BYTES = 256 * 1024 * 1024;
/** Timers of both runtimes hold 31 bits of milliseconds: a longer one would be due at once. */
export const MOST_TIMER_MS = 2_147_483_647;
/** listen(2) takes an int. */
const MOST_BACKLOG = 2_147_483_647;
const MOST_PORT = 65_535;
const MOST_MODE = 0o777;
/** No request line is shorter than `GET / HTTP/1.0`. */
const LEAST_LINE_BYTES = 14;
const MOST = Number.MAX_SAFE_INTEGER;
const TIME: Range = [0, MOST_TIMER_MS];

export const LIMIT_RANGES: Readonly<Record<keyof ServerLimits, Range>> = {
  requestLineBytes: [LEAST_LINE_BYTES, MOST_WHOLE_BYTES],
  headBytes: [LEAST_LINE_BYTES, MOST_WHOLE_BYTES],
  fieldCount: [1, MOST],
  bodyBytes: [0, MOST],
  chunkExtensionBytes: [0, MOST],
  chunkExtensionTotalBytes: [0, MOST],
  trailerBytes: [0, MOST_WHOLE_BYTES],
  trailerCount: [0, MOST],
  headerTimeoutMs: TIME,
  keepAliveTimeoutMs: TIME,
  bodyTimeoutMs: TIME,
  writeTimeoutMs: TIME,
  lingerTimeoutMs: TIME,
  lingerBytes: [0, MOST],
  requestsPerConnection: [0, MOST],
  connections: [0, MOST],
  concurrency: [0, MOST],
  pipelinedRequests: [1, MOST],
  pipelinedBytes: [1, MOST],
  bodyWatermarkBytes: [1, MOST],
};

export type NumericOption = {
  [K in keyof ServerOptions]: ServerOptions[K] extends number ? K : never;
}[keyof ServerOptions];

export const OPTION_RANGES: Readonly<Record<NumericOption, Range>> = {
  port: [0, MOST_PORT],
  udsMode: [0, MOST_MODE],
  backlog: [1, MOST_BACKLOG],
  gracefulTimeoutMs: TIME,
  gracefulNoticeMs: TIME,
  wsMessageBytes: [1, MOST_WHOLE_BYTES],
  wsFrameBytes: [1, MOST_WHOLE_BYTES],
  wsFragments: [1, MOST],
  wsQueueMessages: [1, MOST],
  wsQueueBytes: [1, MOST],
  wsSendQueueBytes: [1, MOST],
  wsPingIntervalMs: TIME,
  wsPingTimeoutMs: TIME,
  wsHandshakeTimeoutMs: TIME,
  wsCloseTimeoutMs: TIME,
  wsLifetimeMs: TIME,
  wsDeflateLevel: [1, 9],
  wsDeflateMemory: [1, 9],
  wsDeflateThresholdBytes: [0, MOST],
  wsDeflateServerBits: [9, 15],
  wsDeflateClientBits: [8, 15],
};

/**
 * For options that no parser has seen.
 * @throws PlainError when a number is out of its range, or none
 */
export function checkRanges(options: ServerOptions): void {
  check(options, OPTION_RANGES, "");
  check(options.limits, LIMIT_RANGES, "limits.");
}

function check<K extends string>(
  values: Readonly<Record<K, number>>,
  ranges: Readonly<Record<K, Range>>,
  path: string,
): void {
  for (const [name, range] of Object.entries(ranges) as [K, Range][]) {
    const value: unknown = values[name];
    const [least, most] = range;
    // A time may be a result of arithmetic; it need not be whole.
    if (typeof value === "number" && value >= least && value <= most && (range === TIME || Number.isInteger(value))) {
      continue;
    }
    const what = range === TIME ? "number of milliseconds" : "whole number";
    const bounds = most === MOST ? `of ${least} or more` : `from ${least} to ${most}`;
    throw new PlainError(`The option ${path}${name} must be a ${what} ${bounds}; it is ${String(value)}.`);
  }
}
