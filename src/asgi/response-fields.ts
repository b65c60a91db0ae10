/** Field lines of an application's response, and what its mistakes in them are called. */
import type { OutBuffer } from "../protocol/buffer.ts";
import type { HeadEncoder } from "../protocol/http1/encoder.ts";
import * as wire from "../protocol/http1/encoder.ts";
import { ProtocolViolation } from "./errors.ts";
import type { SentHeader } from "./types.ts";

/** CRLF that ends a chunk, then the last chunk: by the length of what follows. */
export const CRLF_AND: Readonly<Record<number, Uint8Array>> = {
  [wire.LAST_CHUNK.length]: joined(wire.CRLF, wire.LAST_CHUNK),
  [wire.LAST_CHUNK_LINE.length]: joined(wire.CRLF, wire.LAST_CHUNK_LINE),
};

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/**
 * Fields as one block of bytes, name NUL value NUL name ...: written without an array for each. Whoever reads them one by
 * one gets pairs.
 */
export class FieldBlock implements Iterable<SentHeader> {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;

  /** @param bytes must not change until the event that has them has been sent */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  *[Symbol.iterator](): Iterator<SentHeader> {
    let at = this.start;
    while (at < this.end) {
      const nameEnd = this.#tokenEnd(at);
      const valueEnd = this.#tokenEnd(nameEnd + 1);
      yield [this.bytes.subarray(at, nameEnd), this.bytes.subarray(nameEnd + 1, valueEnd)];
      at = valueEnd + 1;
    }
  }

  #tokenEnd(from: number): number {
    let at = from;
    while (at < this.end && this.bytes[at] !== 0) at++;
    return at;
  }
}

/** Appends all field lines. Arrays, which is what most applications send, are walked without iterators. */
export function putFields(out: OutBuffer, encoder: HeadEncoder, headers: Iterable<SentHeader>): void {
  if (headers instanceof FieldBlock) encoder.separated(out, headers.bytes, headers.start, headers.end);
  else if (Array.isArray(headers)) {
    for (let i = 0; i < headers.length; i++) {
      const pair: SentHeader = headers[i];
      if (typeof pair === "string") throw new TypeError("a string is no pair");
      encoder.field(out, pair[0], pair[1]);
    }
  } else for (const [name, value] of headers) encoder.field(out, name, value);
}

/** What the application is told of an error that its headers caused. */
export function headError(error: unknown): unknown {
  if (error instanceof wire.EncodeError) return new ProtocolViolation(error.message);
  return error instanceof TypeError
    ? new ProtocolViolation("headers must be pairs of a name and a value, each bytes or a string")
    : error;
}
