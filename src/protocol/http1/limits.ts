/**
 * Limits of an HTTP/1 message, all in force while it is being parsed.
 * Each bounds memory or work that one peer can cause.
 */
export interface Http1Limits {
  /** Bytes of the request line without its CRLF; beyond it 414. */
  readonly requestLineBytes: number;
  /** Bytes of the whole head, request line and final CRLF included; beyond it 431. */
  readonly headBytes: number;
  /** Field lines in a head; beyond it 431. */
  readonly fieldCount: number;
  /** Bytes of a request body; beyond it 413. 0: no limit. */
  readonly bodyBytes: number;
  /** Bytes of one chunk-size line after its size (the extensions); beyond it 400. */
  readonly chunkExtensionBytes: number;
  /** Bytes of chunk extensions in one body, all chunks together; beyond it 400. */
  readonly chunkExtensionTotalBytes: number;
  /** Bytes of the trailer section; beyond it 431. */
  readonly trailerBytes: number;
  /** Field lines in the trailer section; beyond it 431. */
  readonly trailerCount: number;
}

/**
 * Positions in a chunk or a head are no greater: 1 GiB is more than sockets hand over, and so little that the engines
 * need not check sums of positions for overflow.
 */
export const POSITION_MAX = 0x3fffffff;

/** RFC 9112 section 3 recommends at least 8000 octets for a request line. */
export const DEFAULT_REQUEST_LINE_BYTES = 8 * 1024;
/** Twice nginx's 8 KiB buffer; Node's and h11's limit is 16 KiB too, but cookies plus tokens outgrow it in practice. */
export const DEFAULT_HEAD_BYTES = 32 * 1024;
/** nginx and Apache allow 100. */
export const DEFAULT_FIELD_COUNT = 100;
/** Off: an application or a proxy in front decides. */
export const DEFAULT_BODY_BYTES = 0;
/** No known client sends any; Go's and Apache's limits are of this order. */
export const DEFAULT_CHUNK_EXTENSION_BYTES = 256;
/** Node allows 16 KiB a body since CVE-2024-22019. */
export const DEFAULT_CHUNK_EXTENSION_TOTAL_BYTES = 4 * 1024;
/** As Apache's LimitRequestFieldSize: trailers carry checksums and signatures. */
export const DEFAULT_TRAILER_BYTES = 8 * 1024;
/** Trailers are few by nature. */
export const DEFAULT_TRAILER_COUNT = 32;

export const DEFAULT_HTTP1_LIMITS: Http1Limits = {
  requestLineBytes: DEFAULT_REQUEST_LINE_BYTES,
  headBytes: DEFAULT_HEAD_BYTES,
  fieldCount: DEFAULT_FIELD_COUNT,
  bodyBytes: DEFAULT_BODY_BYTES,
  chunkExtensionBytes: DEFAULT_CHUNK_EXTENSION_BYTES,
  chunkExtensionTotalBytes: DEFAULT_CHUNK_EXTENSION_TOTAL_BYTES,
  trailerBytes: DEFAULT_TRAILER_BYTES,
  trailerCount: DEFAULT_TRAILER_COUNT,
};
