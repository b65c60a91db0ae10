/**
 * Byte classes and interned names of HTTP/1 messages.
 * RFC 9110 section 5.6.2 (token), 5.5 (field values), 9 (methods), 18.4 (field names); RFC 3986 sections 2, 3.2.2 (host).
 */
import { POSITION_MAX } from "./limits.ts";

/** `tchar` of RFC 9110 section 5.6.2: what names and methods consist of. */
export const TOKEN = 1;
/** Field content: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.5). */
export const VALUE = 2;
/** Target bytes that need no notice: visible ASCII without `#`, `%` and `?`. */
export const PATH = 4;
/** Visible ASCII without `#`: a fragment is never sent (RFC 9112 section 3.2); 0x80 and above must be percent-encoded. */
export const TARGET = 8;
/** `reg-name` without percent signs: unreserved and sub-delims (RFC 3986 section 3.2.2). */
export const REG_NAME = 16;
/** Inside the brackets of an IP literal: hexadecimal, `:` and `.`; and what IPvFuture needs (RFC 3986 section 3.2.2). */
export const IP_LITERAL = 32;
export const DIGIT = 64;
export const HEX = 128;

/** Class bits of each byte. */
export const CLASS: Uint8Array = new Uint8Array(256);

function mark(bit: number, bytes: string): void {
  for (const letter of bytes) CLASS[letter.charCodeAt(0)] |= bit;
}

const DIGITS = "0123456789";
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
mark(TOKEN, `!#$%&'*+-.^_\`|~${DIGITS}${LETTERS}`);
mark(REG_NAME, `-._~!$&'()*+,;=${DIGITS}${LETTERS}`);
mark(IP_LITERAL, `-._~!$&'()*+,;=:${DIGITS}${LETTERS}`);
mark(DIGIT, DIGITS);
mark(HEX, `${DIGITS}abcdefABCDEF`);
mark(VALUE, "\t ");
for (let byte = 0x21; byte <= 0x7e; byte++) {
  CLASS[byte] |= VALUE;
  if (byte !== 0x23) CLASS[byte] |= TARGET;
  if (byte !== 0x23 && byte !== 0x25 && byte !== 0x3f) CLASS[byte] |= PATH;
}
for (let byte = 0x80; byte <= 0xff; byte++) CLASS[byte] |= VALUE;

/** Known methods; `Http1Parser.methodId` is an index into this. Methods are case-sensitive (RFC 9110 section 9.1). */
export const METHODS: readonly string[] = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "QUERY",
  "PROPFIND",
  "PROPPATCH",
  "MKCOL",
  "COPY",
  "MOVE",
  "LOCK",
  "UNLOCK",
  "REPORT",
  "SEARCH",
];

export const METHOD_GET = 0;
export const METHOD_HEAD = 1;
export const METHOD_POST = 2;
export const METHOD_CONNECT = 5;
export const METHOD_OPTIONS = 6;

/** Names that the parser or the server acts on. The values are indexes into `HEADER_NAMES`. */
export const NAME_UNKNOWN = 0;
export const NAME_HOST = 1;
export const NAME_CONTENT_LENGTH = 2;
export const NAME_TRANSFER_ENCODING = 3;
export const NAME_CONNECTION = 4;
export const NAME_EXPECT = 5;
export const NAME_UPGRADE = 6;
export const NAME_X_FORWARDED_FOR = 7;
export const NAME_X_FORWARDED_PROTO = 8;
/** Ids up to this one are those that the parser itself looks at. */
export const LAST_FRAMING_NAME = NAME_UPGRADE;

/** Interned field names in lower case; `fieldIds` holds indexes into this, 0 for any other name. */
export const HEADER_NAMES: readonly string[] = [
  "",
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "expect",
  "upgrade",
  "x-forwarded-for",
  "x-forwarded-proto",
  "accept",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "access-control-request-headers",
  "access-control-request-method",
  "authorization",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-location",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "dnt",
  "etag",
  "forwarded",
  "from",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "keep-alive",
  "last-modified",
  "link",
  "max-forwards",
  "origin",
  "pragma",
  "priority",
  "proxy-authorization",
  "proxy-connection",
  "range",
  "referer",
  "sec-ch-ua",
  "sec-ch-ua-mobile",
  "sec-ch-ua-platform",
  "sec-fetch-dest",
  "sec-fetch-mode",
  "sec-fetch-site",
  "sec-fetch-user",
  "sec-gpc",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-protocol",
  "sec-websocket-version",
  "set-cookie",
  "te",
  "traceparent",
  "tracestate",
  "trailer",
  "upgrade-insecure-requests",
  "user-agent",
  "via",
  "www-authenticate",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-real-ip",
  "x-request-id",
  "x-requested-with",
  "age",
  "allow",
  "location",
  "server",
  "vary",
  "expires",
  "retry-after",
  "warning",
  "accept-ranges",
  "proxy-authenticate",
  "content-md5",
  "digest",
  "content-digest",
  "signature",
  "signature-input",
];

/** The module's own, for V8: see runs.ts. */
const POSITIONS = POSITION_MAX;

/** Longest interned name. */
const NAME_LENGTH_MAX = 32;
/** Slots of the name index; four times the names, so that few share one. */
const NAME_SLOTS = 512;

/** First id of each slot, 0 for none; and the next id with the same slot. */
const slotHead = new Uint8Array(NAME_SLOTS);
const slotNext = new Uint8Array(HEADER_NAMES.length);
/** Each name's bytes at `id * NAME_LENGTH_MAX`, and its length. */
const NAME_WORDS = NAME_LENGTH_MAX / 4;
const nameWords = new Int32Array(HEADER_NAMES.length * NAME_WORDS);
const nameFold = new Int32Array(HEADER_NAMES.length * NAME_WORDS);
const nameLengths = new Uint8Array(HEADER_NAMES.length);

/** Case does not matter: bit 5 is set in lower-case letters, digits and "-". */
function nameSlot(length: number, first: number, middle: number, last: number): number {
  return (length * 7 + (first | 0x20) * 31 + (middle | 0x20) * 5 + (last | 0x20) * 11) & (NAME_SLOTS - 1);
}

HEADER_NAMES.forEach((name, id) => {
  if (id === NAME_UNKNOWN) return;
  const { length } = name;
  for (let i = 0; i < length; i++) {
    const code = name.charCodeAt(i);
    const word = id * NAME_WORDS + (i >> 2);
    const shift = (i & 3) * 8;
    nameWords[word] |= code << shift;
    if (code >= 0x61) nameFold[word] |= 0x20 << shift;
  }
  nameLengths[id] = length;
  const slot = nameSlot(length, name.charCodeAt(0), name.charCodeAt(length >> 1), name.charCodeAt(length - 1));
  slotNext[id] = slotHead[slot];
  slotHead[slot] = id;
});

/** Does the name of `id` stand at `start`, whatever its letters' case? Four bytes are compared at a time. */
function isNameAt(bytes: Uint8Array, start: number, id: number): boolean {
  let p = start & POSITIONS;
  const end = p + nameLengths[id];
  let word = id * NAME_WORDS;
  for (const last = end - 4; p <= last; p += 4) {
    const four = bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24);
    if ((four | nameFold[word]) !== nameWords[word]) return false;
    word++;
  }
  let left = nameWords[word];
  let fold = nameFold[word];
  for (; p < end; p++) {
    if ((bytes[p] | (fold & 0xff)) !== (left & 0xff)) return false;
    left >>= 8;
    fold >>= 8;
  }
  return true;
}

/** The id of the field name `bytes[start, end)`, not empty, or NAME_UNKNOWN. */
export function internName(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  let id = slotHead[nameSlot(length, bytes[start], bytes[start + (length >> 1)], bytes[end - 1])];
  while (id !== NAME_UNKNOWN) {
    if (nameLengths[id] === length && isNameAt(bytes, start, id)) return id;
    id = slotNext[id];
  }
  return NAME_UNKNOWN;
}

/** The end of the name of `id` when that stands at `start` with a colon behind it, before `stop`; else -1. */
export function endOfName(bytes: Uint8Array, start: number, stop: number, id: number): number {
  const end = start + nameLengths[id];
  return id !== NAME_UNKNOWN && end < stop && bytes[end] === 0x3a && isNameAt(bytes, start, id) ? end : -1;
}

const methodsByLength: readonly (readonly number[])[] = Array.from({ length: 16 }, (_, length) =>
  METHODS.flatMap((name, id) => (name.length === length ? [id] : [])),
);

/** Index into METHODS of `bytes[start, end)`, or -1. */
export function internMethod(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54)
    return METHOD_GET;
  if (length >= methodsByLength.length) return -1;
  for (const id of methodsByLength[length]) {
    const name = METHODS[id];
    let i = 0;
    while (i < length && bytes[start + i] === name.charCodeAt(i)) i++;
    if (i === length) return id;
  }
  return -1;
}

/** `bytes[start, end)` is `lowerCase` when letters' case is ignored. `lowerCase` has letters, digits and "-" only. */
export function equalsIgnoringCase(bytes: Uint8Array, start: number, end: number, lowerCase: string): boolean {
  if (end - start !== lowerCase.length) return false;
  for (let i = 0; i < lowerCase.length; i++) {
    const byte = bytes[start + i];
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== lowerCase.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * Names that may not occur as trailers: what frames, routes, authenticates or modifies a message, or says how to read
 * its content, must be known before the content (RFC 9110 section 6.5.1).
 */
const FORBIDDEN_TRAILER_NAMES: readonly string[] = [
  ...["transfer-encoding", "content-length", "host", "connection", "keep-alive", "proxy-connection", "upgrade", "te"],
  ...["trailer", "expect", "max-forwards", "forwarded", "via", "x-forwarded-for", "x-forwarded-proto"],
  ...["x-forwarded-host", "x-forwarded-port", "x-real-ip", "origin", "referer"],
  ...["authorization", "proxy-authorization", "proxy-authenticate", "www-authenticate", "cookie", "set-cookie"],
  ...["content-encoding", "content-type", "content-range", "content-language", "content-location"],
  ...["content-disposition", "cache-control", "pragma", "range", "if-match", "if-none-match", "if-modified-since"],
  ...["if-unmodified-since", "if-range", "accept", "accept-charset", "accept-encoding", "accept-language"],
  ...["age", "date", "expires", "location", "retry-after", "vary", "warning"],
];

/** 1 for the ids of names that may not be trailers. */
export const TRAILER_FORBIDDEN: Uint8Array = Uint8Array.from(HEADER_NAMES, (name) =>
  FORBIDDEN_TRAILER_NAMES.includes(name) ? 1 : 0,
);
