/**
 * Writes Python's marshal format: tuples, lists, byte strings, strings, numbers and None, as `marshal.loads` of CPython
 * 3.9 to 3.14 reads them. All of these codes are older than marshal's version 4 (3.4), and no newer version has changed
 * them; references, which marshal's own writer uses from version 3 on, are left out, which makes loading faster.
 */
import { type FieldLines, HeaderList } from "../asgi/headers.ts";
import type { HeaderPair, HttpScope } from "../asgi/types.ts";
import { HEADER_BYTES, type RecordBuffer } from "./wire.ts";

const NONE = 0x4e; // N
const SMALL_TUPLE = 0x29; // )
const LIST = 0x5b; // [
const BYTES = 0x73; // s
const UNICODE = 0x75; // u
const ASCII = 0x61; // a
const SHORT_ASCII = 0x7a; // z
const INT = 0x69; // i
/** Longest text that SHORT_ASCII counts. */
const SHORT_LENGTH = 255;

const UTF8 = new TextEncoder();
const NO_PAIRS: readonly HeaderPair[] = [];

function put32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}

/** Room must have been made for it: five bytes and the text's UTF-8. */
function putText(into: Uint8Array, at: number, text: string): number {
  const { length } = text;
  const short = length <= SHORT_LENGTH;
  let to = at + (short ? 2 : 5);
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return putUnicode(into, at, text);
    into[to++] = unit;
  }
  if (short) {
    into[at] = SHORT_ASCII;
    into[at + 1] = length;
  } else {
    into[at] = ASCII;
    put32(into, at + 1, length);
  }
  return to;
}

function putUnicode(into: Uint8Array, at: number, text: string): number {
  const { written } = UTF8.encodeInto(text, into.subarray(at + 5));
  into[at] = UNICODE;
  put32(into, at + 1, written);
  return at + 5 + written;
}

/** Up to here a loop beats `set`. */
const LOOP_BYTES = 32;

function putBytes(into: Uint8Array, at: number, bytes: Uint8Array): number {
  const { length } = bytes;
  into[at] = BYTES;
  put32(into, at + 1, length);
  const to = at + 5;
  if (length > LOOP_BYTES) into.set(bytes, to);
  else for (let i = 0; i < length; i++) into[to + i] = bytes[i];
  return to + length;
}

function putAddress(into: Uint8Array, at: number, address: readonly [string, number | null] | null): number {
  if (address === null) {
    into[at] = NONE;
    return at + 1;
  }
  into[at] = SMALL_TUPLE;
  into[at + 1] = 2;
  const to = putText(into, at + 2, address[0]);
  if (address[1] === null) {
    into[to] = NONE;
    return to + 1;
  }
  into[to] = INT;
  put32(into, to + 1, address[1]);
  return to + 5;
}

/** A list of pairs. */
function putPairs(into: Uint8Array, at: number, pairs: readonly HeaderPair[]): number {
  into[at] = LIST;
  put32(into, at + 1, pairs.length);
  let to = at + 5;
  for (let i = 0; i < pairs.length; i++) {
    into[to] = SMALL_TUPLE;
    into[to + 1] = 2;
    to = putBytes(into, to + 2, pairs[i][0]);
    to = putBytes(into, to, pairs[i][1]);
  }
  return to;
}

const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;
/** A field line of so many bytes at least: a name, the colon, CR LF. */
const SHORTEST_LINE = 4;

/** Room for valid field lines as pairs: what stands between name and value, and behind it, makes room for itself. */
function linesRoom({ start, end }: FieldLines): number {
  return SCOPE_OVERHEAD + end - start + PAIR_OVERHEAD * (Math.floor((end - start) / SHORTEST_LINE) + 1);
}

/** The pairs of valid field lines, names lowercased, values without the white space around them: no array for each. */
function putLines(into: Uint8Array, at: number, { bytes, start, end }: FieldLines): number {
  let count = 0;
  let to = at + 5;
  let from = start;
  while (from < end && bytes[from] !== CR) {
    into[to] = SMALL_TUPLE;
    into[to + 1] = 2;
    into[to + 2] = BYTES;
    const nameAt = to + 7;
    to = nameAt;
    let byte = bytes[from];
    while (byte !== COLON && from < end) {
      into[to++] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
      byte = bytes[++from];
    }
    put32(into, nameAt - 4, to - nameAt);
    from++;
    while (bytes[from] === SPACE || bytes[from] === TAB) from++;
    into[to] = BYTES;
    const valueAt = to + 5;
    to = valueAt;
    while (from < end && bytes[from] !== CR) into[to++] = bytes[from++];
    while (to > valueAt && (into[to - 1] === SPACE || into[to - 1] === TAB)) to--;
    put32(into, valueAt - 4, to - valueAt);
    from += 2;
    count++;
  }
  into[at] = LIST;
  put32(into, at + 1, count);
  return to;
}

/** The longest UTF-8 of a UTF-16 unit. */
const UTF8_BYTES = 3;
/** Codes, lengths and numbers around the ten parts of a scope. */
const SCOPE_OVERHEAD = 128;
const PAIR_OVERHEAD = 12;

function pairsRoom(pairs: readonly HeaderPair[]): number {
  let room = SCOPE_OVERHEAD;
  for (let i = 0; i < pairs.length; i++) room += PAIR_OVERHEAD + pairs[i][0].length + pairs[i][1].length;
  return room;
}

/**
 * Appends room for a record's header and a scope: the tuple that `build_scope` of asgi.py takes apart.
 * @returns where the header belongs
 */
export function putScope(out: RecordBuffer, scope: HttpScope): number {
  const { headers } = scope;
  const lines = headers instanceof HeaderList ? headers.lines() : null;
  const pairs = lines === null ? [...headers] : NO_PAIRS;
  const texts = scope.method.length + scope.path.length + scope.root_path.length + scope.scheme.length;
  const hosts = (scope.client?.[0].length ?? 0) + (scope.server?.[0].length ?? 0);
  const raw = scope.raw_path.length + scope.query_string.length;
  out.ensure(
    HEADER_BYTES +
      SCOPE_OVERHEAD +
      UTF8_BYTES * (texts + hosts) +
      raw +
      (lines === null ? pairsRoom(pairs) : linesRoom(lines)),
  );
  const into = out.bytes;
  const start = out.length;
  let at = start + HEADER_BYTES;
  into[at] = SMALL_TUPLE;
  into[at + 1] = 10;
  at = putText(into, at + 2, scope.method);
  at = putText(into, at, scope.http_version);
  at = putText(into, at, scope.scheme);
  at = putText(into, at, scope.path);
  at = putBytes(into, at, scope.raw_path);
  at = putBytes(into, at, scope.query_string);
  at = putText(into, at, scope.root_path);
  at = lines === null ? putPairs(into, at, pairs) : putLines(into, at, lines);
  at = putAddress(into, at, scope.client);
  at = putAddress(into, at, scope.server);
  out.length = at;
  return start;
}

/** Appends a list of texts. */
export function putTexts(out: RecordBuffer, texts: readonly string[]): void {
  let room = SCOPE_OVERHEAD;
  for (const text of texts) room += PAIR_OVERHEAD + UTF8_BYTES * text.length;
  out.ensure(room);
  const into = out.bytes;
  into[out.length] = LIST;
  put32(into, out.length + 1, texts.length);
  let at = out.length + 5;
  for (const text of texts) at = putText(into, at, text);
  out.length = at;
}

/** A request's trailers: a list of pairs. */
export function trailersPayload(pairs: readonly HeaderPair[]): Uint8Array {
  const into = new Uint8Array(pairsRoom(pairs));
  return into.subarray(0, putPairs(into, 0, pairs));
}
