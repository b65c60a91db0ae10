/** The options of WebSocket connections with their defaults, each with its reason. Times are milliseconds, sizes bytes. */
import { DEFAULT_DEFLATE_OPTIONS } from "../protocol/websocket/deflate.ts";
import { DEFAULT_FRAGMENTS, DEFAULT_FRAME_BYTES, DEFAULT_MESSAGE_BYTES } from "../protocol/websocket/limits.ts";

/** uvicorn's and hypercorn's: below the idle times of most proxies, which are 60 s. */
export const DEFAULT_PING_INTERVAL_MS = 20_000;
/** uvicorn's. */
export const DEFAULT_PING_TIMEOUT_MS = 20_000;
/** uvicorn's. A message that waits costs its bytes and an entry; reading pauses, nothing is lost. */
export const DEFAULT_QUEUE_MESSAGES = 32;
/** What an HTTP request may have waiting too. */
export const DEFAULT_QUEUE_BYTES = 256 * 1024;
/** The largest message that a peer may send by default could be echoed to it although it reads nothing meanwhile. */
export const DEFAULT_SEND_QUEUE_BYTES = DEFAULT_MESSAGE_BYTES;
/** As long as a head may take: applications look sessions up before they accept. */
export const DEFAULT_HANDSHAKE_TIMEOUT_MS = 30_000;
/** That of Python's websockets. */
export const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;

export interface WebSocketOptions {
  /** Bytes of a message, after decompression; beyond it 1009. */
  readonly wsMessageBytes: number;
  /** Bytes of a frame as it arrives; beyond it 1009. */
  readonly wsFrameBytes: number;
  /** Frames of one message; beyond it 1009. */
  readonly wsFragments: number;
  /** Messages held for an application that does not receive; reading pauses beyond it. */
  readonly wsQueueMessages: number;
  /** Their bytes; reading pauses beyond it. */
  readonly wsQueueBytes: number;
  /** Bytes of messages held for a peer that does not read; beyond it the connection is reset. */
  readonly wsSendQueueBytes: number;
  /** A peer that has been silent for this long is pinged. 0: never. */
  readonly wsPingIntervalMs: number;
  /** A peer that stays silent for this long behind a ping is left with 1011. 0: it is not. */
  readonly wsPingTimeoutMs: number;
  /** The application accepts or refuses within this; else 503. 0: it may take as long as it likes. */
  readonly wsHandshakeTimeoutMs: number;
  /** The peer's close frame is awaited for this long. */
  readonly wsCloseTimeoutMs: number;
  /** A connection is closed with 1001 after this. 0: never. */
  readonly wsLifetimeMs: number;
  /** Agree to permessage-deflate where the client offers it. */
  readonly wsDeflate: boolean;
  /** zlib's, 1 (fast) to 9 (small). */
  readonly wsDeflateLevel: number;
  /** zlib's, 1 to 9; counts with `wsDeflateServerTakeover` only. */
  readonly wsDeflateMemory: number;
  /** Messages of fewer bytes are sent as they are. */
  readonly wsDeflateThresholdBytes: number;
  /** Messages to the client refer to earlier ones, which costs memory for each connection. */
  readonly wsDeflateServerTakeover: boolean;
  /** The same for messages from the client. */
  readonly wsDeflateClientTakeover: boolean;
  /** 9 to 15. */
  readonly wsDeflateServerBits: number;
  /** 8 to 15. */
  readonly wsDeflateClientBits: number;
}

export const DEFAULT_WEBSOCKET_OPTIONS: WebSocketOptions = {
  wsMessageBytes: DEFAULT_MESSAGE_BYTES,
  wsFrameBytes: DEFAULT_FRAME_BYTES,
  wsFragments: DEFAULT_FRAGMENTS,
  wsQueueMessages: DEFAULT_QUEUE_MESSAGES,
  wsQueueBytes: DEFAULT_QUEUE_BYTES,
  wsSendQueueBytes: DEFAULT_SEND_QUEUE_BYTES,
  wsPingIntervalMs: DEFAULT_PING_INTERVAL_MS,
  wsPingTimeoutMs: DEFAULT_PING_TIMEOUT_MS,
  wsHandshakeTimeoutMs: DEFAULT_HANDSHAKE_TIMEOUT_MS,
  wsCloseTimeoutMs: DEFAULT_CLOSE_TIMEOUT_MS,
  wsLifetimeMs: 0,
  wsDeflate: true,
  wsDeflateLevel: DEFAULT_DEFLATE_OPTIONS.level,
  wsDeflateMemory: DEFAULT_DEFLATE_OPTIONS.memoryLevel,
  wsDeflateThresholdBytes: DEFAULT_DEFLATE_OPTIONS.thresholdBytes,
  wsDeflateServerTakeover: DEFAULT_DEFLATE_OPTIONS.serverContextTakeover,
  wsDeflateClientTakeover: DEFAULT_DEFLATE_OPTIONS.clientContextTakeover,
  wsDeflateServerBits: DEFAULT_DEFLATE_OPTIONS.serverMaxWindowBits,
  wsDeflateClientBits: DEFAULT_DEFLATE_OPTIONS.clientMaxWindowBits,
};

/** What bounds the sweeps' period. */
export function webSocketTimeoutsMs(options: WebSocketOptions): number[] {
  return [
    options.wsPingIntervalMs,
    options.wsPingTimeoutMs,
    options.wsHandshakeTimeoutMs,
    options.wsCloseTimeoutMs,
    options.wsLifetimeMs,
  ];
}
