/** Is `uri-host [":" port]` valid? RFC 3986 section 3.2.2 and 3.2.3, RFC 9110 section 7.2. */
import { plainRun } from "./runs.ts";
import { CLASS, DIGIT, HEX, IP_LITERAL, REG_NAME } from "./tables.ts";

const PERCENT = 0x25;
const DOT = 0x2e;
const COLON = 0x3a;
const LEFT_BRACKET = 0x5b;
const RIGHT_BRACKET = 0x5d;
const PORT_MAX = 65535;
const IPV6_GROUPS = 8;

/** What `isAuthority` asks for beyond the grammar. */
export const ANY_AUTHORITY = 0;
/** The host is not empty: the `http` scheme has no other (RFC 9110 section 4.2.1). */
export const WITH_HOST = 1;
/** Host and port are both there: authority-form (RFC 9112 section 3.2.3). */
export const WITH_HOST_AND_PORT = 2;

/** `bytes[start, end)` is a host and perhaps a port; user information is refused (RFC 9110 section 4.2.4). */
export function isAuthority(bytes: Uint8Array, start: number, end: number, demand: number): boolean {
  const hostEnd =
    bytes[start] === LEFT_BRACKET && start < end ? skipLiteral(bytes, start, end) : skipName(bytes, start, end);
  if (hostEnd < 0) return false;
  // A lone port has no host to belong to. Nothing at all is for the caller to judge.
  if (hostEnd === start && (hostEnd !== end || demand !== ANY_AUTHORITY)) return false;
  if (hostEnd === end) return demand !== WITH_HOST_AND_PORT;
  return bytes[hostEnd] === COLON && isPort(bytes, hostEnd + 1, end, demand === WITH_HOST_AND_PORT);
}

function isPort(bytes: Uint8Array, start: number, end: number, needed: boolean): boolean {
  if (start === end) return !needed;
  let port = 0;
  for (let p = start; p < end; p++) {
    if ((CLASS[bytes[p]] & DIGIT) === 0) return false;
    port = port * 10 + bytes[p] - 0x30;
    if (port > PORT_MAX) return false;
  }
  return true;
}

/** Behind the `reg-name` or IPv4 address at `start`, -1 for a bad percent sign. */
function skipName(bytes: Uint8Array, start: number, end: number): number {
  let p = start;
  for (;;) {
    p = plainRun(bytes, p, end, REG_NAME);
    if (p === end || bytes[p] !== PERCENT) return p;
    if (p + 2 >= end || (CLASS[bytes[p + 1]] & CLASS[bytes[p + 2]] & HEX) === 0) return -1;
    p += 3;
  }
}

/** Behind the bracketed address at `start`, or -1. */
function skipLiteral(bytes: Uint8Array, start: number, end: number): number {
  let close = start + 1;
  while (close < end && (CLASS[bytes[close]] & IP_LITERAL) !== 0) close++;
  if (close === end || bytes[close] !== RIGHT_BRACKET) return -1;
  const first = bytes[start + 1] | 0x20;
  const valid = first === 0x76 ? isFutureAddress(bytes, start + 2, close) : isIpv6(bytes, start + 1, close);
  return valid ? close + 1 : -1;
}

/** `1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`, the "v" already read. */
function isFutureAddress(bytes: Uint8Array, start: number, end: number): boolean {
  let p = start;
  while (p < end && (CLASS[bytes[p]] & HEX) !== 0) p++;
  return p > start && p + 1 < end && bytes[p] === DOT;
}

/** Eight groups of up to four hex digits; one "::" stands for at least one; the last two may be an IPv4 address. */
function isIpv6(bytes: Uint8Array, start: number, end: number): boolean {
  let groups = 0;
  let compressed = false;
  let p = start;
  if (bytes[p] === COLON && bytes[p + 1] !== COLON) return false;
  while (p < end) {
    if (bytes[p] === COLON && bytes[p + 1] === COLON && p + 1 < end) {
      if (compressed) return false;
      compressed = true;
      p += 2;
      continue;
    }
    if (bytes[p] === COLON) p++;
    const group = p;
    while (p < end && (CLASS[bytes[p]] & HEX) !== 0) p++;
    if (p < end && bytes[p] === DOT) {
      groups += 2;
      p = end;
      if (!isIpv4(bytes, group, end)) return false;
      break;
    }
    if (p === group || p - group > 4) return false;
    if (p < end && bytes[p] !== COLON) return false;
    groups++;
  }
  return compressed ? groups < IPV6_GROUPS : groups === IPV6_GROUPS;
}

function isIpv4(bytes: Uint8Array, start: number, end: number): boolean {
  let parts = 0;
  let p = start;
  for (;;) {
    const part = p;
    let value = 0;
    while (p < end && p - part < 3 && (CLASS[bytes[p]] & DIGIT) !== 0) value = value * 10 + bytes[p++] - 0x30;
    if (p === part || value > 255 || (p - part > 1 && bytes[part] === 0x30)) return false;
    parts++;
    if (p === end) return parts === 4;
    if (bytes[p++] !== DOT) return false;
  }
}
