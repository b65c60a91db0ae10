/**
 * Builds the scope of an HTTP request from its parsed head. ASGI HTTP specification, "HTTP Connection Scope".
 */
import type { Http1Parser } from "../protocol/http1/parser.ts";
import { ABSOLUTE, METHODS } from "../protocol/http1/parser.ts";
import { NAME_X_FORWARDED_FOR, NAME_X_FORWARDED_PROTO } from "../protocol/http1/tables.ts";
import { HeaderList } from "./headers.ts";
import { PathCache } from "./path-cache.ts";
import { forwardedScheme, type TrustedPeers } from "./proxy.ts";
import { Slab } from "./slab.ts";
import type { AsgiVersions, Extensions, HttpScope, State } from "./types.ts";

export const HTTP_VERSIONS: AsgiVersions = Object.freeze({ version: "3.0", spec_version: "2.5" });

const NOTHING: Readonly<Record<string, unknown>> = Object.freeze({});

/** What can be used on an HTTP/1.1 request. */
export const EXTENSIONS_HTTP_1_1: Extensions = Object.freeze({
  "http.response.trailers": NOTHING,
  "http.response.pathsend": NOTHING,
  "http.response.early_hint": NOTHING,
  "http.response.debug": NOTHING,
  "http.request.trailers": NOTHING,
});

/** HTTP/1.0 has neither trailers nor interim responses. */
export const EXTENSIONS_HTTP_1_0: Extensions = Object.freeze({
  "http.response.pathsend": NOTHING,
  "http.response.debug": NOTHING,
});

/** Paths up to here are copied where that costs less than a view. */
const SHORT_PATH_BYTES = 32;
const NO_BYTES = new Uint8Array(0);
const SLASH = new Uint8Array([0x2f]);
const UTF8 = new TextDecoder();
const ASCII = new TextEncoder();

type Address = readonly [host: string, port: number] | null;

/** What every request of one server shares. */
export class ScopeBuilder {
  readonly #rootPath: string;
  readonly #rootPathBytes: Uint8Array;
  readonly #trusted: TrustedPeers | undefined;
  readonly #latin1: (bytes: Uint8Array, start: number, end: number) => string;
  readonly #copyCostsLess: boolean;
  readonly #state: State;
  readonly #stateIsEmpty: boolean;
  readonly #slab = new Slab();
  readonly #paths: PathCache;

  /**
   * @param latin1 decodes bytes to the characters of the same number
   * @param copyCostsLess a short array of its own costs less than a view: so it is on Bun, and not on Deno
   * @param state what lifespan startup left
   * @param trusted whose X-Forwarded fields count; undefined: nobody's
   */
  constructor(
    latin1: (bytes: Uint8Array, start: number, end: number) => string,
    copyCostsLess: boolean,
    rootPath: string,
    state: State,
    trusted: TrustedPeers | undefined,
  ) {
    this.#latin1 = latin1;
    this.#paths = new PathCache(latin1);
    this.#copyCostsLess = copyCostsLess;
    this.#rootPath = rootPath;
    this.#rootPathBytes = ASCII.encode(rootPath);
    this.#state = state;
    this.#stateIsEmpty = Object.keys(state).length === 0;
    this.#trusted = trusted;
  }

  /** Whether this peer's X-Forwarded fields count. Ask once per connection. */
  trusts(host: string): boolean {
    return this.#trusted?.has(host) ?? false;
  }

  /** The scope of the request whose head the parser has just found. */
  http(
    parser: Http1Parser,
    client: Address,
    server: readonly [string, number | null] | null,
    trusted: boolean,
  ): HttpScope {
    let head = parser.head;
    let shift = 0;
    // A head in front of a body is copied too: the body's memory is given back before the scope's.
    if (parser.headOwned || parser.hasBody || !parser.inputKept) {
      const kept = this.#slab.keep(head, parser.headStart, parser.headEnd);
      shift = parser.headStart - kept;
      head = this.#slab.bytes;
    }
    const pathStart = parser.pathStart - shift;
    const pathEnd = parser.pathEnd - shift;
    const isOneZero = parser.minor === 0;
    const scope: HttpScope = {
      type: "http",
      asgi: HTTP_VERSIONS,
      http_version: isOneZero ? "1.0" : "1.1",
      method:
        parser.methodId >= 0
          ? METHODS[parser.methodId]
          : this.#latin1(head, parser.methodStart - shift, parser.methodEnd - shift),
      scheme: "http",
      path:
        pathStart === pathEnd ? this.#emptyPath(parser) : this.#path(head, pathStart, pathEnd, parser.pathHasPercent),
      raw_path: pathStart === pathEnd ? this.#emptyRawPath(parser) : this.#rawPath(head, pathStart, pathEnd),
      query_string:
        parser.queryStart === parser.queryEnd
          ? NO_BYTES
          : head.subarray(parser.queryStart - shift, parser.queryEnd - shift),
      root_path: this.#rootPath,
      headers: new HeaderList(
        head,
        parser.fieldsStart - shift,
        parser.headEnd - shift,
        parser.targetForm === ABSOLUTE ? parser.head.slice(parser.authorityStart, parser.authorityEnd) : null,
        this.#copyCostsLess,
      ),
      client,
      server,
      state: this.#stateIsEmpty ? {} : { ...this.#state },
      extensions: isOneZero ? EXTENSIONS_HTTP_1_0 : EXTENSIONS_HTTP_1_1,
    };
    return trusted ? this.#forwarded(parser, scope) : scope;
  }

  #path(head: Uint8Array, start: number, end: number, hasPercent: boolean): string {
    const path = hasPercent ? percentDecode(head, start, end) : this.#paths.text(head, start, end);
    return this.#rootPath === "" ? path : this.#rootPath + path;
  }

  #rawPath(head: Uint8Array, start: number, end: number): Uint8Array {
    if (this.#rootPath === "")
      return this.#copyCostsLess && end - start <= SHORT_PATH_BYTES
        ? copy(head, start, end)
        : head.subarray(start, end);
    return join(this.#rootPathBytes, head.subarray(start, end));
  }

  /** `http://host?x` has an empty path, which stands for "/" (RFC 9110 section 4.2.3); `*` has none at all. */
  #emptyPath(parser: Http1Parser): string {
    return parser.targetForm === ABSOLUTE ? `${this.#rootPath}/` : this.#rootPath;
  }

  #emptyRawPath(parser: Http1Parser): Uint8Array {
    return parser.targetForm === ABSOLUTE ? join(this.#rootPathBytes, SLASH) : this.#rootPathBytes.slice();
  }

  #forwarded(parser: Http1Parser, scope: HttpScope): HttpScope {
    let addresses = "";
    let scheme: string | undefined;
    for (let i = 0; i < parser.fieldCount; i++) {
      const id = parser.fieldIds[i];
      if (id !== NAME_X_FORWARDED_FOR && id !== NAME_X_FORWARDED_PROTO) continue;
      const value = this.#latin1(parser.head, parser.fields[4 * i + 2], parser.fields[4 * i + 3]);
      if (id === NAME_X_FORWARDED_PROTO) scheme = forwardedScheme(value) ?? scheme;
      else addresses = addresses === "" ? value : `${addresses},${value}`;
    }
    if (addresses === "" && scheme === undefined) return scope;
    const client = addresses === "" ? undefined : this.#trusted?.clientOf(addresses);
    return { ...scope, client: client ?? scope.client, scheme: scheme ?? scope.scheme };
  }
}

/** Element by element: for few bytes. */
function copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const own = new Uint8Array(end - start);
  for (let i = 0; i < own.length; i++) own[i] = bytes[start + i];
  return own;
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

const PERCENT = 0x25;

/** Percent-decodes as UTF-8; a `%` that starts no valid triplet stands for itself, invalid sequences become U+FFFD. */
export function percentDecode(bytes: Uint8Array, start: number, end: number): string {
  const decoded = new Uint8Array(end - start);
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte === PERCENT && i + 2 < end) {
      const high = hexDigit(bytes[i + 1]);
      const low = hexDigit(bytes[i + 2]);
      if (high >= 0 && low >= 0) {
        decoded[length++] = high * 16 + low;
        i += 2;
        continue;
      }
    }
    decoded[length++] = byte;
  }
  return UTF8.decode(decoded.subarray(0, length));
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
