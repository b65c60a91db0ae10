/**
 * Micro benchmark: the front's half of the wire format between it and a Python worker (docs/bridge.md): what a request
 * and its answer cost there. wire.py measures the worker's half.
 */
import assert from "node:assert/strict";
import { ScopeBuilder } from "../../src/asgi/scope.ts";
import type { HttpScope } from "../../src/asgi/types.ts";
import { DEFAULT_HTTP1_LIMITS } from "../../src/protocol/http1/limits.ts";
import { HEAD as HEAD_EVENT, Http1Parser } from "../../src/protocol/http1/parser.ts";
import { completeHead } from "../../src/python/carried.ts";
import { putScope } from "../../src/python/marshal.ts";
import {
  BODY,
  checkFields,
  HEAD,
  LAST,
  RESPONSE,
  RESPONSE_BODY,
  RecordBuffer,
  RecordReader,
  START_BYTES,
} from "../../src/python/wire.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import { type MicroCase, runMicro } from "./harness.ts";
import { BROWSER, SMALL } from "./requests.ts";

const runtime = await currentRuntime();
const builder = new ScopeBuilder(runtime.latin1, runtime.ownsChunks, "", {}, undefined);
const BATCH = 32;
const BUFFER_BYTES = 1 << 20;
const GENERATION = 1;
const KB = 1024;
const encoder = new TextEncoder();

function scopeOf(chunk: Uint8Array): HttpScope {
  const parser = new Http1Parser(DEFAULT_HTTP1_LIMITS);
  parser.feed(chunk, 0, chunk.length, true);
  assert.equal(parser.next(), HEAD_EVENT);
  return builder.http(parser, ["203.0.113.9", 40_000], ["127.0.0.1", 8000], false);
}

const out = new RecordBuffer(BUFFER_BYTES);

function heads(scope: HttpScope): () => number {
  return () => {
    out.length = 0;
    for (let id = 1; id <= BATCH; id++) completeHead(out, putScope(out, scope), HEAD, LAST, id, GENERATION);
    return out.length;
  };
}

/** What a front would send that used JSON: bytes that are no UTF-8 would need an encoding of their own besides. */
function jsonHeads(scope: HttpScope): () => number {
  const { method, path, http_version, scheme, root_path, client, server } = scope;
  const text = (bytes: Uint8Array) => runtime.latin1(bytes, 0, bytes.length);
  return () => {
    out.length = 0;
    for (let id = 1; id <= BATCH; id++) {
      const headers = Array.from(scope.headers, ([name, value]) => [text(name), text(value)]);
      const fields = { method, path, http_version, scheme, root_path, client, server, headers };
      const { written } = encoder.encodeInto(JSON.stringify(fields), out.bytes.subarray(out.length));
      out.length += written;
    }
    return out.length;
  };
}

/** A piece of a body begins with a page, as what a socket has read does. */
function bodies(bytes: number): () => number {
  const piece = new Uint8Array(bytes).fill(0x78);
  return () => {
    out.length = 0;
    out.record(BODY, LAST, 1, GENERATION, piece);
    return out.length;
  };
}

/** Answers as a worker writes them: status, two fields, the body. */
function answers(count: number, bodyBytes: number): Uint8Array {
  const fields = encoder.encode(`content-type\0text/plain; charset=utf-8\0content-length\0${bodyBytes}`);
  const payload = new Uint8Array(START_BYTES + fields.length + bodyBytes).fill(0x78);
  const view = new DataView(payload.buffer);
  view.setUint16(0, 200, true);
  view.setUint16(2, 2, true);
  view.setUint16(4, fields.length, true);
  payload.set(fields, START_BYTES);
  const records = new RecordBuffer(BUFFER_BYTES);
  for (let id = 1; id <= count; id++) records.record(RESPONSE, LAST, id, GENERATION, payload);
  return records.bytes.slice(0, records.length);
}

function reading(chunk: Uint8Array, expected: number): () => number {
  let taken = 0;
  const reader = new RecordReader({
    expects() {},
    took(type, _flags, _id, _generation, bytes, start, end) {
      taken++;
      if (type !== RESPONSE && type !== RESPONSE_BODY) throw new Error("no answer");
      const length = bytes[start + 4] | (bytes[start + 5] << 8);
      checkFields(bytes, start + START_BYTES, start + START_BYTES + length, 2);
      if (start + START_BYTES + length > end) throw new Error("an answer that ends early");
    },
  });
  return () => {
    taken = 0;
    reader.push(chunk);
    assert.equal(taken, expected);
    return taken;
  };
}

const browser = scopeOf(BROWSER);
const small = scopeOf(SMALL);
const CASES: MicroCase[] = [
  { name: "write a head, browser request", operations: BATCH, run: heads(browser) },
  { name: "write a head, browser request, as JSON", operations: BATCH, run: jsonHeads(scopeOf(BROWSER)) },
  { name: "write a head, one field", operations: BATCH, run: heads(small) },
  { name: "write a head, one field, as JSON", operations: BATCH, run: jsonHeads(scopeOf(SMALL)) },
  { name: "write 10 KB of a body", bytes: 10 * KB, run: bodies(10 * KB) },
  { name: "read answers of 13 bytes", operations: BATCH, run: reading(answers(BATCH, 13), BATCH) },
  { name: "read an answer of 10 KB", run: reading(answers(1, 10 * KB), 1) },
];

await runMicro("wire format, front, per record", CASES);
