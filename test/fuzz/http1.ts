/**
 * Fuzzes the HTTP/1 parser: streams put together from a grammar, then spoilt.
 * What must hold: the events do not depend on how the stream is cut; what is accepted as a head is one by an
 * independent description of the grammar (regular expressions), and what is refused for its syntax is not.
 *
 *     bun test/fuzz/http1.ts --seconds 60 --seed 1
 */
import assert from "node:assert/strict";
import type { Http1Limits } from "../../src/protocol/http1/limits.ts";
import { byteByByte, bytesOf, cutAt, type PlainEvent, plainEvents } from "../protocol/http1/events.ts";
import { Dice, fuzzStreams } from "./dice.ts";

const METHODS = ["GET", "POST", "PUT", "OPTIONS", "CONNECT", "M-SEARCH", "get", "G ET"];
const TARGETS = [
  "/",
  "/a/b?c=d",
  "/%41?",
  "*",
  "http://h/p?q",
  "https://h:1",
  "h:443",
  "[::1]:80",
  "//x",
  "/\x80",
  "/#",
];
const VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.5", "HTTP/2.0", "HTTP/1.", "http/1.1"];
const NAMES = [
  "Host",
  "Content-Length",
  "Transfer-Encoding",
  "Connection",
  "Expect",
  "Upgrade",
  "Accept",
  "X-Any",
  "cookie",
];
const VALUES: Record<string, readonly string[]> = {
  Host: ["x", "x:80", "[::1]", "", "a b", "a/b", "x,y"],
  "Content-Length": ["0", "5", "5", "05", "+5", "5,5", "99999999999999999"],
  "Transfer-Encoding": ["chunked", "chunked", "Chunked", "gzip", "chunked, chunked", "chunked\x0b"],
  Connection: ["close", "keep-alive", "upgrade", "a, b,close"],
  Expect: ["100-continue", "100-Continue", "x"],
};
const ANY_VALUES = ["v", "", "a b\tc", "\xff\x80", "x".repeat(50), "\x00", "\x7f", "\r", "\n"];
const SPACES = ["", " ", "  ", "\t"];
const ENDS = ["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n"];
const CHUNKS = [
  "5\r\nhello\r\n",
  "1;a=b\r\nx\r\n",
  'A;q="\\"\r"\r\n0123456789\r\n',
  "05 ; b\r\nhello\r\n",
  "5\r\nhelloXX",
  "g\r\n",
  "5\nhello\r\n",
];
const LASTS = [
  "0\r\n\r\n",
  "0\r\n\r\n",
  "0;x\r\nT: u\r\n\r\n",
  "0\r\nHost: x\r\n\r\n",
  "0\r\nA : b\r\n\r\n",
  "0\r\nXX",
  "0\r\n",
];
const SPOILERS = [
  "",
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  " ",
  "\t",
  ":",
  "\0",
  "\x85",
  "\xff",
  ";",
  "0",
  "ffffffffffffffff",
  "Host: y\r\n",
];

function makeField(dice: Dice): string {
  const name = dice.pick(NAMES);
  const value = dice.pick(VALUES[name] ?? ANY_VALUES);
  return `${name}:${dice.pick(SPACES)}${value}${dice.pick(SPACES)}${dice.roll(8) === 0 ? dice.pick(ENDS) : "\r\n"}`;
}

function makeMessage(dice: Dice): string {
  const host = dice.roll(10) === 0 ? "" : "Host: h\r\n";
  const plain = dice.roll(3) > 0;
  const method = plain ? "POST" : dice.pick(METHODS);
  const target = plain ? "/p" : dice.pick(TARGETS);
  const version = plain ? "HTTP/1.1" : dice.pick(VERSIONS);
  let fields = host;
  for (let i = dice.roll(4); i > 0; i--) fields += makeField(dice);
  const start = `${dice.roll(6) === 0 ? "\r\n" : ""}${method} ${target} ${version}\r\n`;
  const kind = dice.roll(3);
  if (kind === 0) return `${start}${fields}\r\n`;
  if (kind === 1) return `${start}${fields}Content-Length: 5\r\n\r\nhello`;
  let chunks = "";
  for (let i = dice.roll(4); i > 0; i--) chunks += dice.pick(dice.roll(4) === 0 ? CHUNKS : CHUNKS.slice(0, 2));
  return `${start}${fields}Transfer-Encoding: chunked\r\n\r\n${chunks}${dice.pick(LASTS)}`;
}

function makeStream(dice: Dice): string {
  let text = "";
  for (let i = 1 + dice.roll(4); i > 0; i--) text += makeMessage(dice);
  if (dice.roll(3) === 0) {
    const at = dice.roll(text.length + 1);
    text = text.slice(0, at) + dice.pick(SPOILERS) + text.slice(at + dice.roll(4));
  }
  if (dice.roll(6) === 0) {
    const at = dice.roll(text.length + 1);
    text = text.slice(0, at) + String.fromCharCode(dice.roll(256)) + text.slice(at + 1);
  }
  return text;
}

const LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [!-"$-~]+ HTTP\/1\.[0-9]\r\n/;
const FIELDS = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*\r\n/;
const FIELD = /([^:\r\n]+):[ \t]*([^\r\n]*?)[ \t]*\r\n/gy;
const SYNTAX = new Set([
  "bad-method",
  "bad-version",
  "bad-line-end",
  "bad-field-name",
  "bad-field-value",
  "folded-field",
]);

/** Holds an accepted head against the grammar: the offsets must say what the expressions find. */
function checkHead(event: PlainEvent): void {
  const section = event.section as string;
  assert.match(`${event.method} ${event.target} HTTP/1.${event.minor}\r\n`, LINE);
  assert.equal(FIELDS.exec(section)?.[0], section);
  const found = [...section.matchAll(FIELD)].map(([, name, value]) => [name, value]);
  assert.deepEqual(event.fields, found);
  const names = found.map(([name]) => name.toLowerCase());
  for (const [i, name] of (event.names as string[]).entries()) if (name !== "") assert.equal(names[i], name);
  const valuesOf = (name: string) => found.filter((_, i) => names[i] === name).map(([, value]) => value);
  assert.ok(valuesOf("host").length === 1 || (event.minor === 0 && valuesOf("host").length === 0));
  const lengths = valuesOf("content-length");
  const codings = valuesOf("transfer-encoding").map((coding) => coding.toLowerCase());
  assert.deepEqual(lengths, event.contentLength === -1 ? [] : [String(event.contentLength)]);
  assert.deepEqual(codings, event.chunked ? ["chunked"] : []);
  assert.ok(lengths.length + codings.length <= 1);
}

/** A stream that begins with a head by the grammar is not refused for the syntax of its first head. */
function checkRefusal(text: string, events: readonly PlainEvent[]): void {
  const [first] = events;
  if (first?.event !== "error" || !SYNTAX.has(first.code as string)) return;
  const rest = text.startsWith("\r\n") ? text.slice(2) : text;
  const line = LINE.exec(rest)?.[0];
  assert.ok(line === undefined || !FIELDS.test(rest.slice(line.length)), "a head by the grammar was refused");
}

const LIMITS: readonly Partial<Http1Limits>[] = [
  {},
  { requestLineBytes: 16, headBytes: 64, fieldCount: 3 },
  { bodyBytes: 8, chunkExtensionBytes: 4, chunkExtensionTotalBytes: 6, trailerBytes: 5, trailerCount: 1 },
];

/** One stream. @throws AssertionError with the stream when something does not hold. */
export function fuzzOnce(seed: number): void {
  const dice = new Dice(seed);
  const text = makeStream(dice);
  const limits = dice.pick(LIMITS);
  const bytes = bytesOf(text);
  try {
    const events = plainEvents([bytes], limits);
    const cuts = Array.from({ length: dice.roll(8) }, () => dice.roll(bytes.length + 1)).sort((a, b) => a - b);
    assert.deepEqual(plainEvents(cutAt(bytes, cuts), limits), events);
    assert.deepEqual(plainEvents(byteByByte(bytes), limits), events);
    for (const event of events) if (event.event === "head") checkHead(event);
    checkRefusal(text, events);
  } catch (cause) {
    throw new Error(`seed ${seed}, limits ${JSON.stringify(limits)}, stream ${JSON.stringify(text)}`, { cause });
  }
}

/** The kinds of events that `count` streams from `seed` on gave: shows that the fuzzer reaches what it should. */
export function outcomes(seed: number, count: number): Map<string, number> {
  const seen = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    for (const event of plainEvents([bytesOf(makeStream(new Dice(seed + i)))])) {
      const key = event.event === "error" ? String(event.code) : event.event;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  return seen;
}

if (import.meta.main) await fuzzStreams(fuzzOnce);
