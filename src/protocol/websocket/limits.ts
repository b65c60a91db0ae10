/** Limits of what one WebSocket peer can make the server hold or do, in force while frames are being parsed. */
export interface WebSocketLimits {
  /** Bytes of a message, after decompression; beyond it 1009. */
  readonly messageBytes: number;
  /** Bytes of a frame's payload as it arrives; beyond it 1009. */
  readonly frameBytes: number;
  /** Frames of one message; beyond it 1009. */
  readonly fragments: number;
}

/** uvicorn's and hypercorn's. */
export const DEFAULT_MESSAGE_BYTES = 16 * 1024 * 1024;
/** A frame is not smaller by nature: most clients send a message as one. */
export const DEFAULT_FRAME_BYTES = DEFAULT_MESSAGE_BYTES;
/** The largest message in fragments of 1 KB. A fragment costs no memory besides its bytes, but a look at its head. */
export const DEFAULT_FRAGMENTS = 16 * 1024;

export const DEFAULT_WEBSOCKET_LIMITS: WebSocketLimits = {
  messageBytes: DEFAULT_MESSAGE_BYTES,
  frameBytes: DEFAULT_FRAME_BYTES,
  fragments: DEFAULT_FRAGMENTS,
};

/** Binary messages up to here are copied by who keeps them: a view would keep the whole chunk that they came in. */
export const COPIED_BYTES = 4 * 1024;
