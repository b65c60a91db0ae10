/**
 * What the field lines of a complete head mean for the message: Host (RFC 9112 section 3.2), Content-Length and
 * Transfer-Encoding (section 6), Connection (section 9.3), Expect (RFC 9110 section 10.1.1), Upgrade (section 7.8).
 */
import { ANY_AUTHORITY, isAuthority } from "./authority.ts";
import {
  BAD_CONTENT_LENGTH,
  BAD_EXPECTATION,
  BAD_HOST,
  BAD_TRANSFER_ENCODING,
  BODY_TOO_LARGE,
  type Http1Error,
  MISSING_HOST,
  REPEATED_CONTENT_LENGTH,
  REPEATED_HOST,
  TRANSFER_ENCODING_AND_LENGTH,
  TRANSFER_ENCODING_IN_1_0,
  UNKNOWN_CODING,
} from "./errors.ts";
import { FIELD_STRIDE } from "./fields.ts";
import type { RequestHead } from "./head.ts";
import {
  CLASS,
  DIGIT,
  equalsIgnoringCase,
  LAST_FRAMING_NAME,
  NAME_CONNECTION,
  NAME_CONTENT_LENGTH,
  NAME_EXPECT,
  NAME_HOST,
  NAME_TRANSFER_ENCODING,
  NAME_UNKNOWN,
  NAME_UPGRADE,
  TOKEN,
} from "./tables.ts";

/** Digits of 2^53 - 1: no longer number can be counted exactly. */
const LENGTH_DIGITS_MAX = 16;
/** So many make a number that the engines keep as an integer: only a longer one, which is rare, is put together. */
const PLAIN_DIGITS = 9;
const TEN_TO_PLAIN_DIGITS = 1e9;

const HTAB = 0x09;
const SP = 0x20;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;

/** What Connection's options ask for. */
const CLOSE = 1;
const KEEP_ALIVE = 2;
const UPGRADE = 4;

/** Fills in the head's framing from its field lines. Returns the first violation in the order of the checks. */
export function readFraming(head: RequestHead, bytes: Uint8Array): Http1Error | undefined {
  const { fields, fieldIds, fieldCount } = head;
  let host = -1;
  let length = -1;
  let coding = -1;
  let codings = 0;
  let options = 0;
  let upgradeField = false;
  head.expectContinue = false;
  for (let i = 0; i < fieldCount; i++) {
    const id = fieldIds[i];
    if (id === NAME_UNKNOWN || id > LAST_FRAMING_NAME) continue;
    const at = i * FIELD_STRIDE;
    if (id === NAME_HOST) {
      if (host >= 0) return REPEATED_HOST;
      host = at;
    } else if (id === NAME_CONTENT_LENGTH) {
      if (length >= 0) return REPEATED_CONTENT_LENGTH;
      length = at;
    } else if (id === NAME_TRANSFER_ENCODING) {
      coding = at;
      codings++;
    } else if (id === NAME_CONNECTION) {
      options |= connectionOptions(bytes, fields[at + 2], fields[at + 3]);
    } else if (id === NAME_UPGRADE) {
      if (fields[at + 3] > fields[at + 2]) upgradeField = true;
    } else if (id === NAME_EXPECT && head.minor === 1) {
      if (!equalsIgnoringCase(bytes, fields[at + 2], fields[at + 3], "100-continue")) return BAD_EXPECTATION;
      head.expectContinue = true;
    }
  }
  const { minor } = head;
  head.keepAlive = (options & CLOSE) === 0 && (minor === 1 || (options & KEEP_ALIVE) !== 0);
  head.upgrade = upgradeField && minor === 1 && (options & UPGRADE) !== 0;
  return readHost(head, bytes, host) ?? readLength(head, bytes, length) ?? readCoding(head, bytes, coding, codings);
}

/**
 * An empty Host is accepted: a client sends it for a target without authority, and RFC 9112 section 3.3 lets the server
 * use its own name then. The target's authority wins, but the field must be valid all the same (section 3.2).
 */
function readHost(head: RequestHead, bytes: Uint8Array, at: number): Http1Error | undefined {
  if (at < 0) return head.minor === 1 ? MISSING_HOST : undefined;
  const start = head.fields[at + 2];
  const end = head.fields[at + 3];
  if (!isAuthority(bytes, start, end, ANY_AUTHORITY)) return BAD_HOST;
  if (head.authorityStart < 0) {
    head.authorityStart = start;
    head.authorityEnd = end;
  }
  return undefined;
}

/** Plain digits, without a leading zero: peers disagree on `05` and `+5`, and disagreement is smuggling. */
function readLength(head: RequestHead, bytes: Uint8Array, at: number): Http1Error | undefined {
  head.contentLength = -1;
  head.hasBody = false;
  if (at < 0) return undefined;
  const start = head.fields[at + 2];
  const end = head.fields[at + 3];
  const digits = end - start;
  if (digits === 0 || digits > LENGTH_DIGITS_MAX || (digits > 1 && bytes[start] === 0x30)) return BAD_CONTENT_LENGTH;
  const middle = end - PLAIN_DIGITS;
  const low = readDigits(bytes, Math.max(start, middle), end);
  if (low < 0) return BAD_CONTENT_LENGTH;
  if (middle <= start) head.contentLength = low;
  else {
    const high = readDigits(bytes, start, middle);
    const value = high * TEN_TO_PLAIN_DIGITS + low;
    if (high < 0 || value > Number.MAX_SAFE_INTEGER) return BAD_CONTENT_LENGTH;
    head.contentLength = value;
  }
  head.hasBody = head.contentLength > 0;
  return undefined;
}

/** The number in at most PLAIN_DIGITS digits; -1 for anything else. */
function readDigits(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let p = start; p < end; p++) {
    if ((CLASS[bytes[p]] & DIGIT) === 0) return -1;
    value = value * 10 + (bytes[p] - 0x30);
  }
  return value;
}

function readCoding(head: RequestHead, bytes: Uint8Array, at: number, lines: number): Http1Error | undefined {
  head.chunked = false;
  const { bodyBytes } = head.limits;
  if (at < 0) return bodyBytes > 0 && head.contentLength > bodyBytes ? BODY_TOO_LARGE : undefined;
  if (head.minor === 0) return TRANSFER_ENCODING_IN_1_0;
  if (head.contentLength >= 0) return TRANSFER_ENCODING_AND_LENGTH;
  if (lines > 1) return BAD_TRANSFER_ENCODING;
  const start = head.fields[at + 2];
  const end = head.fields[at + 3];
  if (!equalsIgnoringCase(bytes, start, end, "chunked")) return codingError(bytes, start, end);
  head.chunked = true;
  head.hasBody = true;
  return undefined;
}

/** A well-formed list with a coding other than chunked is 501, all else 400. */
function codingError(bytes: Uint8Array, start: number, end: number): Http1Error {
  let unknown = false;
  let p = start;
  for (;;) {
    const name = p;
    while (p < end && (CLASS[bytes[p]] & TOKEN) !== 0) p++;
    if (p === name) return BAD_TRANSFER_ENCODING;
    if (!equalsIgnoringCase(bytes, name, p, "chunked")) unknown = true;
    while (p < end && (bytes[p] === SP || bytes[p] === HTAB)) p++;
    if (p < end && bytes[p] === SEMICOLON) while (p < end && bytes[p] !== COMMA) p++;
    if (p === end) return unknown ? UNKNOWN_CODING : BAD_TRANSFER_ENCODING;
    if (bytes[p++] !== COMMA) return BAD_TRANSFER_ENCODING;
    while (p < end && (bytes[p] === SP || bytes[p] === HTAB)) p++;
  }
}

/** Options of a Connection value, a list of tokens; what is unknown is ignored (RFC 9110 section 7.6.1). */
function connectionOptions(bytes: Uint8Array, start: number, end: number): number {
  let options = 0;
  let p = start;
  // What nearly every client sends needs no list.
  if (equalsIgnoringCase(bytes, start, end, "keep-alive")) return KEEP_ALIVE;
  while (p < end) {
    let from = p;
    while (p < end && bytes[p] !== COMMA) p++;
    let to = p++;
    while (from < to && (bytes[from] === SP || bytes[from] === HTAB)) from++;
    while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === HTAB)) to--;
    if (equalsIgnoringCase(bytes, from, to, "close")) options |= CLOSE;
    else if (equalsIgnoringCase(bytes, from, to, "keep-alive")) options |= KEEP_ALIVE;
    else if (equalsIgnoringCase(bytes, from, to, "upgrade")) options |= UPGRADE;
  }
  return options;
}
