/** A client's frames, made without the code under test, and the decoder's events written down as plain data. */

import type { DeflateTools, MessageInflater } from "../../../src/protocol/websocket/deflate.ts";
import {
  BINARY,
  CLOSE,
  ERROR,
  FrameDecoder,
  NEED_DATA,
  PING,
  PONG,
  TEXT,
} from "../../../src/protocol/websocket/frames.ts";
import { DEFAULT_WEBSOCKET_LIMITS, type WebSocketLimits } from "../../../src/protocol/websocket/limits.ts";
import { portableText, type TextCodec } from "../../../src/protocol/websocket/utf8.ts";
import { currentRuntime } from "../../../src/runtime/current.ts";
import { deflateTools } from "../../../src/runtime/deflate.ts";
import { runtimeText } from "../../../src/runtime/text.ts";

export const KEY = [0x37, 0xfa, 0x21, 0x3d] as const;
const utf8 = new TextEncoder();

export const nativeText: TextCodec = runtimeText(await currentRuntime());
export const CODECS = [
  ["native", nativeText],
  ["portable", portableText],
] as const;

/** @throws Error where the runtime can't compress */
export function tools(): DeflateTools {
  const found = deflateTools();
  if (found === undefined) throw new Error("this runtime has no synchronous compression");
  return found;
}

export interface FrameParts {
  readonly opcode: number;
  readonly payload?: Uint8Array | readonly number[] | string;
  /** Default true. */
  readonly fin?: boolean;
  /** Bits of RSV1 (4), RSV2 (2), RSV3 (1). */
  readonly rsv?: number;
  /** Default KEY; undefined for none at all. */
  readonly key?: readonly number[] | undefined;
  /** 7, 16 or 64 bits for the length, whatever it is. */
  readonly lengthBits?: 7 | 16 | 64;
  /** The announced length, when it is another. */
  readonly length?: bigint;
}

/** One frame of a client. */
export function frame(parts: FrameParts): Uint8Array {
  const { opcode, fin = true, rsv = 0, payload = [] } = parts;
  const data = typeof payload === "string" ? utf8.encode(payload) : Uint8Array.from(payload);
  const key = "key" in parts ? parts.key : KEY;
  const length = parts.length ?? BigInt(data.length);
  const bits = parts.lengthBits ?? (length <= 125n ? 7 : length <= 0xffffn ? 16 : 64);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = key === undefined ? 0 : 0x80;
  if (bits === 7) head.push(mask | Number(length));
  else {
    head.push(mask | (bits === 16 ? 126 : 127));
    for (let shift = bits - 8; shift >= 0; shift -= 8) head.push(Number((length >> BigInt(shift)) & 0xffn));
  }
  if (key !== undefined) head.push(...key);
  const bytes = new Uint8Array(head.length + data.length);
  bytes.set(head);
  for (const [i, byte] of data.entries()) bytes[head.length + i] = key === undefined ? byte : byte ^ key[i % 4];
  return bytes;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Cuts at the given positions; empty pieces included. */
export function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...at.filter((end) => end <= bytes.length).sort((a, b) => a - b), bytes.length];
  return ends.map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1], end));
}

export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

export type PlainEvent =
  | { readonly event: "text"; readonly text: string }
  | { readonly event: "binary" | "ping" | "pong"; readonly bytes: string }
  | { readonly event: "close"; readonly code: number; readonly reason: string }
  | { readonly event: "error"; readonly code: string; readonly closeCode: number }
  | { readonly event: "idle" | "busy" };

export interface Run {
  readonly limits?: Partial<WebSocketLimits>;
  readonly codec?: TextCodec;
  /** Texts as strings. Default true. */
  readonly strings?: boolean;
  readonly inflater?: MessageInflater;
  /** Where in its buffer a chunk begins, to try all alignments. Default 0. */
  readonly offset?: number;
}

export function decoderWith(run: Run = {}): FrameDecoder {
  const { limits, codec = nativeText, strings = true, inflater } = run;
  return new FrameDecoder({ limits: { ...DEFAULT_WEBSOCKET_LIMITS, ...limits }, text: codec, strings }, inflater);
}

/** What has just been handed out, as hexadecimal digits. */
export function payloadOf(decoder: FrameDecoder): string {
  return hex(decoder.payload.subarray(decoder.payloadStart, decoder.payloadEnd));
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function unhex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/[0-9a-f]{2}/gi) ?? [], (pair) => Number.parseInt(pair, 16));
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function plain(decoder: FrameDecoder, event: number, strings: boolean): PlainEvent {
  switch (event) {
    case TEXT: {
      const bytes = decoder.payload.subarray(decoder.payloadStart, decoder.payloadEnd);
      return { event: "text", text: strings ? decoder.text : strict.decode(bytes) };
    }
    case BINARY:
      return { event: "binary", bytes: payloadOf(decoder) };
    case PING:
      return { event: "ping", bytes: payloadOf(decoder) };
    case PONG:
      return { event: "pong", bytes: payloadOf(decoder) };
    case CLOSE:
      return { event: "close", code: decoder.closeCode, reason: decoder.closeReason };
    default: {
      const { error } = decoder;
      if (event !== ERROR || error === undefined) throw new Error(`no such event: ${event}`);
      return { event: "error", code: error.code, closeCode: error.closeCode };
    }
  }
}

/** All events of a stream that arrives in these chunks; the last one is "idle" or "busy" unless the decoder is done. */
export function eventsOf(chunks: readonly Uint8Array[], run: Run = {}): PlainEvent[] {
  const decoder = decoderWith(run);
  const events: PlainEvent[] = [];
  for (const chunk of chunks) {
    // The decoder writes to what it is fed.
    const buffer = new Uint8Array(chunk.length + (run.offset ?? 0));
    buffer.set(chunk, run.offset ?? 0);
    decoder.feed(buffer, run.offset ?? 0, buffer.length);
    for (let event = decoder.next(); event !== NEED_DATA; event = decoder.next()) {
      events.push(plain(decoder, event, run.strings ?? true));
      if (event === ERROR) return events;
    }
  }
  if (events.at(-1)?.event !== "close") events.push({ event: decoder.idle ? "idle" : "busy" });
  return events;
}
