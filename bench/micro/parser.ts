/**
 * Micro benchmark: the HTTP/1 request parser, all checks and limits on, against the runtime's own binding of llhttp.
 *
 *     taskset -c 3 bun bench/micro/parser.ts
 *     taskset -c 3 deno run -A bench/micro/parser.ts
 *
 * llhttp is driven as node:http does it: `execute` with a listener for the complete head, which gets the fields as strings.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { argv } from "node:process";
import { measure } from "mitata";
import { DEFAULT_HTTP1_LIMITS } from "../../src/protocol/http1/limits.ts";
import { END, ERROR, Http1Parser, NEED_DATA } from "../../src/protocol/http1/parser.ts";
import { type MicroCase, runMicro } from "./harness.ts";
import {
  BROWSER,
  BROWSER_BYTES,
  BROWSER_REVERSED,
  CHUNKED,
  COOKIES,
  PIPELINED,
  SMALL,
  SMALL_PIPELINED,
} from "./requests.ts";

/** Requests that one measured call parses: the clock's own cost vanishes. */
const BATCH = 100;
/** Rounds in which the two parsers are compared, taking turns. */
const ROUNDS = 15;
const ROUND_BUDGET_NS = 50e6;

/** What node:http uses of the binding. */
interface Llhttp {
  initialize(type: number, resource: object, maxHeaderSize: number, lenient: number): void;
  execute(bytes: Uint8Array): unknown;
  [listener: number]: (...facts: unknown[]) => number | undefined;
}

interface LlhttpClass {
  new (): Llhttp;
  readonly REQUEST: number;
  readonly kOnMessageBegin: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

function loadLlhttp(): LlhttpClass {
  const load = createRequire(import.meta.url) as (name: string) => { HTTPParser: LlhttpClass };
  return load("node:_http_common").HTTPParser;
}

/** Parses `chunks` in turn, BATCH times in all. Returns the messages that were completed. */
function ours(...chunks: Uint8Array[]): () => number {
  const parser = new Http1Parser(DEFAULT_HTTP1_LIMITS);
  const turns = BATCH / chunks.length;
  return () => {
    let ends = 0;
    for (let i = 0; i < turns; i++) {
      for (const chunk of chunks) {
        parser.feed(chunk, 0, chunk.length);
        for (let event = parser.next(); event !== NEED_DATA; event = parser.next()) {
          if (event === ERROR) throw new Error(parser.error?.message);
          if (event === END) ends++;
        }
      }
    }
    return ends;
  };
}

/** The same with `cut`: the chunk arrives in two pieces. */
function oursInPieces(chunk: Uint8Array, cut: number): () => number {
  const parser = new Http1Parser(DEFAULT_HTTP1_LIMITS);
  return () => {
    let ends = 0;
    for (let i = 0; i < BATCH; i++) {
      parser.feed(chunk, 0, cut);
      parser.next();
      parser.feed(chunk, cut, chunk.length);
      for (let event = parser.next(); event !== NEED_DATA; event = parser.next()) if (event === END) ends++;
    }
    return ends;
  };
}

function llhttps(chunk: Uint8Array): () => number {
  const HTTPParser = loadLlhttp();
  const parser = new HTTPParser();
  let ends = 0;
  let strings = 0;
  parser.initialize(HTTPParser.REQUEST, {}, 0, 0);
  parser[HTTPParser.kOnMessageBegin] = () => undefined;
  parser[HTTPParser.kOnHeaders] = () => undefined;
  parser[HTTPParser.kOnHeadersComplete] = (_major, _minor, headers) => {
    strings += (headers as string[]).length;
    return 0;
  };
  parser[HTTPParser.kOnBody] = () => undefined;
  parser[HTTPParser.kOnMessageComplete] = () => {
    ends++;
    return undefined;
  };
  // Both runtimes' bindings want a Buffer.
  const buffer = Buffer.from(chunk);
  return () => {
    ends = 0;
    for (let i = 0; i < BATCH; i++) parser.execute(buffer);
    assert.ok(strings > 0);
    return ends;
  };
}

function unit(name: string, bytes: number, run: () => number, perChunk = 1): MicroCase {
  assert.equal(run(), BATCH * perChunk, name);
  return { name, run, operations: BATCH, bytes };
}

const CASES: readonly MicroCase[] = [
  unit("browser request, 703 bytes", BROWSER.length, ours(BROWSER)),
  unit("browser request, llhttp", BROWSER.length, llhttps(BROWSER)),
  unit("browser request, field order changing", BROWSER.length, ours(BROWSER, BROWSER_REVERSED)),
  unit("browser request in two pieces", BROWSER.length, oursInPieces(BROWSER, 400)),
  unit("one field, 40 bytes", SMALL.length, ours(SMALL)),
  unit("one field, llhttp", SMALL.length, llhttps(SMALL)),
  unit("one field, 16 pipelined", PIPELINED.length, ours(PIPELINED), SMALL_PIPELINED),
  unit("8 KB of cookies", COOKIES.length, ours(COOKIES)),
  unit("8 KB of cookies, llhttp", COOKIES.length, llhttps(COOKIES)),
  unit("64 chunks of 16 bytes", CHUNKED.length, ours(CHUNKED)),
  unit("64 chunks of 16 bytes, llhttp", CHUNKED.length, llhttps(CHUNKED)),
];

/** Nanoseconds a request, the fastest quartile of a short run: what other processes take is left out. */
async function briefly(run: () => number): Promise<number> {
  return (await measure(() => run(), { min_cpu_time: ROUND_BUDGET_NS })).p25 / BATCH;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

async function printRatio(name: string, chunk: Uint8Array): Promise<void> {
  const mine = ours(chunk);
  const theirs = llhttps(chunk);
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) ratios.push((await briefly(theirs)) / (await briefly(mine)));
  console.log(`  ${name}: ${median(ratios).toFixed(2)} times as fast as llhttp (${ROUNDS} rounds in turns, median)`);
}

assert.equal(BROWSER.length, BROWSER_BYTES);
await runMicro("parser, per request", CASES);
if (!argv.includes("--json")) {
  await printRatio("browser request", BROWSER);
  await printRatio("one field", SMALL);
  await printRatio("8 KB of cookies", COOKIES);
}
