/**
 * Micro benchmark: the scope of a parsed request, with its fields read in the ways that applications read them, against
 * what a fetch handler is given. ASGI HTTP specification, "HTTP Connection Scope".
 */
import assert from "node:assert/strict";
import { ScopeBuilder } from "../../src/asgi/scope.ts";
import type { HttpScope } from "../../src/asgi/types.ts";
import { DEFAULT_HTTP1_LIMITS } from "../../src/protocol/http1/limits.ts";
import { HEAD, Http1Parser } from "../../src/protocol/http1/parser.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import { type MicroCase, runMicro } from "./harness.ts";
import { BROWSER, SMALL } from "./requests.ts";

const runtime = await currentRuntime();
const CLIENT = ["203.0.113.9", 40_000] as const;
const SERVER = ["127.0.0.1", 8000] as const;
const BATCH = 16;

function parsed(chunk: Uint8Array): Http1Parser {
  const parser = new Http1Parser(DEFAULT_HTTP1_LIMITS);
  parser.feed(chunk, 0, chunk.length, true);
  assert.equal(parser.next(), HEAD);
  return parser;
}

/** Text of a copy of the bytes: what a field is when it has been decoded. */
const text = (bytes: Uint8Array) => runtime.latin1(bytes, 0, bytes.length);

const HOST = new TextEncoder().encode("host");

/** The value of the first field of that name, as an application looks for it. */
function looked({ headers }: HttpScope, name: Uint8Array): Uint8Array | undefined {
  for (const [field, value] of headers) {
    if (field.length === name.length && field.every((byte, i) => byte === name[i])) return value;
  }
  return undefined;
}

function casesOf(name: string, chunk: Uint8Array): MicroCase[] {
  const parser = parsed(chunk);
  const builder = new ScopeBuilder(runtime.latin1, runtime.ownsChunks, "", {}, undefined);
  const scope = () => builder.http(parser, CLIENT, SERVER, false);
  const asText = () => Array.from(scope().headers, ([field, value]) => [text(field), text(value)] as [string, string]);
  const pairs = asText();
  const target = text(chunk.subarray(parser.pathStart, parser.pathEnd));
  const host = pairs.find(([field]) => field === "host")![1];
  const batched = (run: () => unknown) => () => {
    let last: unknown;
    for (let i = 0; i < BATCH; i++) last = run();
    return last;
  };
  const all: [string, () => unknown][] = [
    ["scope", scope],
    ["scope, one field looked for", () => looked(scope(), HOST)],
    ["scope, all fields as byte strings", () => [...scope().headers]],
    ["scope, all fields as text", asText],
    ["fetch's Request, of strings that are there", () => new Request(`http://${host}${target}`, { headers: pairs })],
  ];
  return all.map(([what, run]) => ({ name: `${name}: ${what}`, operations: BATCH, run: batched(run) }));
}

await runMicro("scope, per request", [...casesOf("browser request", BROWSER), ...casesOf("one field", SMALL)]);
