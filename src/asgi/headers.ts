/**
 * The field lines of a received head, decoded when they are looked at: RFC 9112 section 5.
 * The head has been parsed and found valid, so walking it again needs no checks.
 */
import type { HeaderPair } from "./types.ts";

const COLON = 0x3a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

/** Valid field lines in `bytes[start, end)`, each ended by CR LF; an empty line may follow. */
export interface FieldLines {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * Field lines as ASGI has them: an iterable of `[name, value]` byte strings, names lowercased, in order.
 * It keeps the head's bytes and makes the pairs on first use.
 */
export class HeaderList implements Iterable<HeaderPair> {
  #bytes: Uint8Array | null;
  #start: number;
  #end: number;
  #pairs: HeaderPair[] | null = null;
  readonly #authority: Uint8Array | null;
  readonly #copyCostsLess: boolean;

  /**
   * @param bytes field lines in `bytes[start, end)`, each ended by CRLF; they must not change afterwards
   * @param authority of a target in absolute form: it stands in place of Host's value (RFC 9112 section 3.2.2)
   * @param copyCostsLess see `splitFieldLines`
   */
  constructor(bytes: Uint8Array, start: number, end: number, authority: Uint8Array | null, copyCostsLess: boolean) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#authority = authority;
    this.#copyCostsLess = copyCostsLess;
  }

  /** The lines that it was made from; null once somebody has the pairs, or where Host stands for the target's authority. */
  lines(): FieldLines | null {
    return this.#bytes === null || this.#authority !== null
      ? null
      : { bytes: this.#bytes, start: this.#start, end: this.#end };
  }

  /** The same fields, whose lines have been copied to `bytes[start, end)`. For whoever keeps them longer than a request lasts. */
  moved(bytes: Uint8Array, start: number, end: number): HeaderList {
    return new HeaderList(bytes, start, end, null, this.#copyCostsLess);
  }

  /** The pairs as an array; the same one each time. */
  pairs(): readonly HeaderPair[] {
    if (this.#pairs === null) {
      this.#pairs =
        this.#bytes === null ? [] : splitFieldLines(this.#bytes, this.#start, this.#end, this.#copyCostsLess);
      this.#bytes = null;
      if (this.#authority !== null) this.#pairs = withHost(this.#pairs, this.#authority);
    }
    return this.#pairs;
  }

  get length(): number {
    return this.pairs().length;
  }

  at(index: number): HeaderPair | undefined {
    return this.pairs().at(index);
  }

  [Symbol.iterator](): Iterator<HeaderPair> {
    return this.pairs()[Symbol.iterator]();
  }

  map<T>(change: (pair: HeaderPair, index: number) => T): T[] {
    return this.pairs().map(change);
  }

  filter(wanted: (pair: HeaderPair, index: number) => boolean): HeaderPair[] {
    return this.pairs().filter(wanted);
  }

  find(wanted: (pair: HeaderPair, index: number) => boolean): HeaderPair | undefined {
    return this.pairs().find(wanted);
  }

  some(wanted: (pair: HeaderPair, index: number) => boolean): boolean {
    return this.pairs().some(wanted);
  }

  forEach(visit: (pair: HeaderPair, index: number) => void): void {
    this.pairs().forEach((pair, index) => {
      visit(pair, index);
    });
  }
}

/**
 * Splits valid field lines into pairs: names lowercased, values without surrounding white space.
 * @param copyCostsLess than a view: each gets an array of its own, 40 ns on Bun. On Deno that is 350 to 600 ns, and a view
 *   of one copy of all lines 40.
 */
export function splitFieldLines(bytes: Uint8Array, start: number, end: number, copyCostsLess: boolean): HeaderPair[] {
  return copyCostsLess ? split(bytes, start, end, copied) : split(bytes.slice(start, end), 0, end - start, viewed);
}

type Part = (bytes: Uint8Array, start: number, end: number) => Uint8Array;

const copied: Part = (bytes, start, end) => bytes.slice(start, end);
const viewed: Part = (bytes, start, end) => bytes.subarray(start, end);

function split(bytes: Uint8Array, start: number, end: number, part: Part): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  let at = start;
  // Bounded by `end` too: an application may have transferred the memory away in the meantime.
  while (at < end && bytes[at] !== CR) {
    const nameStart = at;
    while (at < end && bytes[at] !== COLON) at++;
    const nameEnd = at++;
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    const valueStart = at;
    while (at < end && bytes[at] !== CR) at++;
    let valueEnd = at;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)) valueEnd--;
    pairs.push([lowercase(part(bytes, nameStart, nameEnd)), part(bytes, valueStart, valueEnd)]);
    at += 2;
  }
  return pairs;
}

/** In place. */
function lowercase(name: Uint8Array): Uint8Array {
  for (let i = 0; i < name.length; i++) {
    const byte = name[i];
    if (byte >= 0x41 && byte <= 0x5a) name[i] = byte | 0x20;
  }
  return name;
}

const HOST = new Uint8Array([0x68, 0x6f, 0x73, 0x74]);

/** Replaces Host's value, or adds the field in front (HTTP/1.0 may lack it). */
function withHost(pairs: HeaderPair[], authority: Uint8Array): HeaderPair[] {
  const isHost = ([name]: HeaderPair) => name.length === HOST.length && name.every((byte, i) => byte === HOST[i]);
  const at = pairs.findIndex(isHost);
  if (at < 0) return [[HOST.slice(), authority], ...pairs];
  return pairs.with(at, [pairs[at][0], authority]);
}
