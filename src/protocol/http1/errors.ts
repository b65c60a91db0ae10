/**
 * What can be wrong with an HTTP/1 request: a stable code, the status it is answered with and a sentence for the log.
 * Statuses after RFC 9112 (sections 2.2 to 7.1), RFC 9110 (sections 10.1.1, 15.5, 15.6) and RFC 6585 section 5.
 */

/** A refusal. The parser hands out these constants only: no byte of the peer is ever part of one. */
export interface Http1Error {
  /** Stable, for logs, metrics and tests. */
  readonly code: string;
  /** Status code of the answer; the connection closes behind it. */
  readonly status: 400 | 413 | 414 | 417 | 431 | 501 | 505;
  /** One sentence. */
  readonly message: string;
}

function refusal(status: Http1Error["status"], code: string, message: string): Http1Error {
  return Object.freeze({ code, status, message });
}

export const BAD_METHOD = refusal(400, "bad-method", "The request method is not a token.");
export const BAD_TARGET = refusal(
  400,
  "bad-target",
  "The request target is malformed or has a byte that is not allowed.",
);
export const BAD_TARGET_FORM = refusal(
  400,
  "bad-target-form",
  "The form of the request target does not go with the method.",
);
export const BAD_VERSION = refusal(400, "bad-version", "The protocol version is malformed.");
export const BAD_LINE_END = refusal(400, "bad-line-end", "A line is not ended by CR LF.");
export const EXTRA_EMPTY_LINE = refusal(400, "extra-empty-line", "More than one empty line stands before the request.");
export const UNSUPPORTED_VERSION = refusal(505, "unsupported-version", "The major protocol version is not 1.");
export const REQUEST_LINE_TOO_LONG = refusal(414, "request-line-too-long", "The request line is longer than allowed.");
export const HEAD_TOO_LARGE = refusal(431, "head-too-large", "The request head has more bytes than allowed.");
export const TOO_MANY_FIELDS = refusal(431, "too-many-fields", "The request head has more field lines than allowed.");
export const BAD_FIELD_NAME = refusal(400, "bad-field-name", "A field name is empty or not a token.");
export const BAD_FIELD_VALUE = refusal(400, "bad-field-value", "A field value has a byte that is not allowed.");
export const FOLDED_FIELD = refusal(400, "folded-field", "A field line begins with white space.");
export const MISSING_HOST = refusal(400, "missing-host", "The Host field is missing.");
export const REPEATED_HOST = refusal(400, "repeated-host", "The Host field occurs more than once.");
export const BAD_HOST = refusal(400, "bad-host", "The Host field or the target's authority is malformed.");
export const BAD_CONTENT_LENGTH = refusal(400, "bad-content-length", "Content-Length is not a plain decimal number.");
export const REPEATED_CONTENT_LENGTH = refusal(
  400,
  "repeated-content-length",
  "The Content-Length field occurs more than once.",
);
export const BAD_TRANSFER_ENCODING = refusal(400, "bad-transfer-encoding", "Transfer-Encoding is not exactly chunked.");
export const TRANSFER_ENCODING_AND_LENGTH = refusal(
  400,
  "transfer-encoding-and-length",
  "Transfer-Encoding and Content-Length occur together.",
);
export const TRANSFER_ENCODING_IN_1_0 = refusal(
  400,
  "transfer-encoding-in-1.0",
  "Transfer-Encoding occurs in an HTTP/1.0 request.",
);
export const UNKNOWN_CODING = refusal(501, "unknown-coding", "Transfer-Encoding names a coding other than chunked.");
export const BAD_EXPECTATION = refusal(417, "bad-expectation", "Expect asks for something other than 100-continue.");
export const BODY_TOO_LARGE = refusal(413, "body-too-large", "The request body has more bytes than allowed.");
export const BAD_CHUNK_SIZE = refusal(400, "bad-chunk-size", "A chunk size is not a hexadecimal number or too large.");
export const BAD_CHUNK_EXTENSION = refusal(400, "bad-chunk-extension", "A chunk extension is malformed.");
export const CHUNK_EXTENSION_TOO_LARGE = refusal(
  400,
  "chunk-extension-too-large",
  "The chunk extensions have more bytes than allowed.",
);
export const BAD_CHUNK_END = refusal(400, "bad-chunk-end", "A chunk's data is not followed by CR LF.");
export const TRAILERS_TOO_LARGE = refusal(
  431,
  "trailers-too-large",
  "The trailer section has more bytes than allowed.",
);
export const TOO_MANY_TRAILERS = refusal(
  431,
  "too-many-trailers",
  "The trailer section has more field lines than allowed.",
);
export const FORBIDDEN_TRAILER = refusal(400, "forbidden-trailer", "A field occurs as a trailer that may not be one.");
