/**
 * Micro benchmark: the HTTP/1 request parser, all checks and limits on, against the runtime's own binding of llhttp,
 * llhttp in WebAssembly and http-parser-js.
 *
 *     taskset -c 3 bun bench/micro/parser.ts
 *     taskset -c 3 deno run -A bench/micro/parser.ts
 */
import assert from "node:assert/strict";
import { argv } from "node:process";
import { DEFAULT_HTTP1_LIMITS } from "../../src/protocol/http1/limits.ts";
import { END, ERROR, Http1Parser, NEED_DATA } from "../../src/protocol/http1/parser.ts";
import { type MicroCase, runMicro } from "./harness.ts";
import { bindingParser, javascriptParser, wasmParser } from "./other-parsers.ts";
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
import { timesAsFast } from "./rounds.ts";

/** Requests that one measured call parses: the clock's own cost vanishes. */
const BATCH = 100;

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

function unit(name: string, bytes: number, run: () => number, perChunk = 1): MicroCase {
  assert.equal(run(), BATCH * perChunk, name);
  return { name, run, operations: BATCH, bytes };
}

const CORPUS = [
  // The first is the one that the goals of the parser are about.
  ["browser request", BROWSER],
  ["one field", SMALL],
  ["8 KB of cookies", COOKIES],
  ["64 chunks of 16 bytes", CHUNKED],
] as const;

const OURS: readonly MicroCase[] = [
  ...CORPUS.map(([name, chunk]) => unit(`${name}, ${chunk.length} bytes`, chunk.length, ours(chunk))),
  unit("browser request, field order changing", BROWSER.length, ours(BROWSER, BROWSER_REVERSED)),
  unit("browser request in two pieces", BROWSER.length, oursInPieces(BROWSER, 400)),
  unit("one field, 16 pipelined", PIPELINED.length, ours(PIPELINED), SMALL_PIPELINED),
];

const OTHERS = [
  ["llhttp", bindingParser()],
  ["llhttp in WebAssembly", wasmParser()],
  ["http-parser-js", await javascriptParser()],
] as const;

function others(name: string, chunk: Uint8Array): MicroCase[] {
  return OTHERS.flatMap(([other, parser]) =>
    typeof parser === "string" ? [] : [unit(`${name}, ${other}`, chunk.length, parser(chunk, BATCH))],
  );
}

assert.equal(BROWSER.length, BROWSER_BYTES);
const report = await runMicro(
  "parser, per request",
  [...OURS, ...CORPUS.flatMap(([name, chunk]) => others(name, chunk))],
  OTHERS.flatMap(([other, parser]) => (typeof parser === "string" ? [`${other}: ${parser}`] : [])),
);
if (report !== undefined && !argv.includes("--json")) {
  const row = (name: string) => report.results.find((each) => each.name === name);
  for (const [name, chunk] of CORPUS) {
    const mine = row(`${name}, ${chunk.length} bytes`)!;
    for (const [other] of OTHERS) {
      const theirs = row(`${name}, ${other}`);
      if (theirs !== undefined)
        console.log(`  ${name}: ${timesAsFast(mine, theirs).toFixed(2)} times as fast as ${other}`);
    }
  }
}
