/**
 * Micro benchmark: unmasking, decoding and encoding of WebSocket frames, the handshake, and compression of 1 KB of JSON.
 *
 * The decoder writes to what it is fed. So that each call finds a masked frame, the frame is copied into the chunk
 * first: the copy is measured by itself, to be subtracted.
 */
import { OutBuffer } from "../../src/protocol/buffer.ts";
import { HeadEncoder, prepareField } from "../../src/protocol/http1/encoder.ts";
import { DEFAULT_HTTP1_LIMITS } from "../../src/protocol/http1/limits.ts";
import { Http1Parser } from "../../src/protocol/http1/parser.ts";
import { putAcceptance } from "../../src/protocol/websocket/answer.ts";
import { DEFAULT_DEFLATE_OPTIONS } from "../../src/protocol/websocket/deflate.ts";
import { MessageEncoder, putClose, putPong } from "../../src/protocol/websocket/encoder.ts";
import { FrameDecoder } from "../../src/protocol/websocket/frames.ts";
import { readHandshake } from "../../src/protocol/websocket/handshake.ts";
import { DEFAULT_WEBSOCKET_LIMITS } from "../../src/protocol/websocket/limits.ts";
import { unmask } from "../../src/protocol/websocket/mask.ts";
import { requestOf } from "../../src/protocol/websocket/request.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import { deflateTools } from "../../src/runtime/deflate.ts";
import { sha1Base64 } from "../../src/runtime/digest.ts";
import { runtimeText } from "../../src/runtime/text.ts";
import { type MicroCase, runMicro } from "./harness.ts";

const KEY = 0x1b2c3d4e;
const SIZES = [
  ["16 B", 16],
  ["128 B", 128],
  ["1 KB", 1024],
  ["64 KB", 65536],
] as const;
const runtime = await currentRuntime();
const text = runtimeText(runtime);
const tools = deflateTools();
const cases: MicroCase[] = [];

/** A client's frame around ASCII. */
function clientFrame(length: number, opcode: number): Uint8Array {
  const head = length <= 125 ? 2 : length <= 0xffff ? 4 : 10;
  const bytes = new Uint8Array(head + 4 + length).fill(0x61);
  bytes[0] = 0x80 | opcode;
  bytes[1] = 0x80 | (head === 2 ? length : head === 4 ? 126 : 127);
  const view = new DataView(bytes.buffer);
  if (head === 4) view.setUint16(2, length);
  if (head === 10) view.setBigUint64(2, BigInt(length));
  view.setInt32(head, KEY, true);
  unmask(bytes, head + 4, bytes.length, KEY);
  return bytes;
}

const KEY_BYTES = new Uint8Array([KEY & 255, (KEY >> 8) & 255, (KEY >> 16) & 255, KEY >>> 24]);

/** What npm's ws does where its native addition is not installed. */
function unmaskBytes(bytes: Uint8Array, start: number, end: number): void {
  for (let i = start; i < end; i++) bytes[i] ^= KEY_BYTES[(i - start) & 3];
}

for (const [name, bytes] of SIZES) {
  // Behind the head of a frame nothing is aligned.
  const target = new Uint8Array(bytes + 16);
  const start = bytes <= 125 ? 6 : bytes <= 0xffff ? 8 : 14;
  cases.push({ name: `unmask ${name}`, bytes, run: () => unmask(target, start, start + bytes, KEY) });
  cases.push({ name: `unmask ${name}, byte by byte`, bytes, run: () => unmaskBytes(target, start, start + bytes) });
}

function decoding(name: string, bytes: number, opcode: number, strings: boolean, pieces = 1): MicroCase {
  const frame = clientFrame(bytes, opcode);
  const chunk = new Uint8Array(frame.length);
  const decoder = new FrameDecoder({ limits: DEFAULT_WEBSOCKET_LIMITS, text, strings });
  const step = Math.ceil(frame.length / pieces);
  return {
    name,
    bytes,
    run() {
      chunk.set(frame);
      let events = 0;
      for (let at = 0; at < frame.length; at += step) {
        decoder.feed(chunk, at, Math.min(frame.length, at + step));
        while (decoder.next() !== 0) events++;
      }
      return events;
    },
  };
}

for (const [name, bytes] of SIZES) {
  const frame = clientFrame(bytes, 2);
  const chunk = new Uint8Array(frame.length);
  cases.push({ name: `copy of a frame of ${name}`, bytes, run: () => chunk.set(frame) });
  cases.push(decoding(`decode binary ${name}`, bytes, 2, true));
  cases.push(decoding(`decode text ${name} to a string`, bytes, 1, true));
  cases.push(decoding(`decode text ${name} to checked bytes`, bytes, 1, false));
}
cases.push(decoding("decode binary 64 KB in 4 pieces", 65536, 2, true, 4));

const BATCH = 64;
const batchFrame = clientFrame(16, 1);
const batch = new Uint8Array(batchFrame.length * BATCH);
for (let i = 0; i < BATCH; i++) batch.set(batchFrame, i * batchFrame.length);
const batchChunk = new Uint8Array(batch.length);
const batchDecoder = new FrameDecoder({ limits: DEFAULT_WEBSOCKET_LIMITS, text, strings: true });
cases.push({
  name: `decode text 16 B to a string, ${BATCH} in a chunk`,
  bytes: 16,
  operations: BATCH,
  run() {
    batchChunk.set(batch);
    batchDecoder.feed(batchChunk, 0, batchChunk.length);
    let events = 0;
    while (batchDecoder.next() !== 0) events++;
    return events;
  },
});

const out = new OutBuffer();
const encoder = new MessageEncoder(text);
const encoding = (run: () => unknown): (() => unknown) => {
  return () => {
    out.clear();
    return run();
  };
};
for (const [name, bytes] of SIZES) {
  const ascii = "a".repeat(bytes);
  const mixed = "příliš žluťoučký kůň ".repeat(bytes).slice(0, Math.floor(bytes / 1.4));
  const payload = new Uint8Array(bytes).fill(0x61);
  cases.push({ name: `encode text ${name}`, bytes, run: encoding(() => encoder.putText(out, ascii)) });
  cases.push({ name: `encode text ${name}, mixed`, bytes, run: encoding(() => encoder.putText(out, mixed)) });
  cases.push({ name: `encode binary ${name}`, bytes, run: encoding(() => encoder.putBinary(out, payload, 0, bytes)) });
}
const ping = new Uint8Array(4);
cases.push({
  name: "encode a pong",
  run() {
    out.clear();
    return putPong(out, ping, 0, 4);
  },
});
cases.push({
  name: "encode a close",
  run() {
    out.clear();
    return putClose(out, 1000, "bye");
  },
});

const REQUEST = new TextEncoder().encode(
  "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: http://example.com\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
);
const ACCEPT_INPUT = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const parser = new Http1Parser(DEFAULT_HTTP1_LIMITS);
const heads = new HeadEncoder();
const own = [prepareField("server", "ringcorn")];
cases.push({ name: "Sec-WebSocket-Accept", run: () => sha1Base64(ACCEPT_INPUT) });
cases.push({
  name: "handshake, parsed and answered",
  run() {
    parser.feed(REQUEST, 0, REQUEST.length);
    while (parser.next() !== 0) {
      const handshake = readHandshake(requestOf(parser, runtime.latin1), DEFAULT_DEFLATE_OPTIONS, sha1Base64);
      out.clear();
      if (handshake.accepted) putAcceptance(out, heads, handshake, undefined, [], own);
    }
    return out.end;
  },
});

/** About 1 KB of JSON as chat and tickers have it: names that repeat, values that don't. */
function json(count: number): Uint8Array {
  const list = Array.from({ length: count }, (_, i) => ({
    id: Math.imul(i + 7, 2654435761) >>> 8,
    user: `user${i % 7}`,
    ok: i % 3 === 0,
  }));
  return new TextEncoder().encode(JSON.stringify(list));
}

if (tools !== undefined) {
  for (const [size, message, takeover, level] of [
    ["1 KB", json(22), false, 1],
    ["1 KB", json(22), false, 3],
    ["1 KB", json(22), false, 6],
    ["1 KB", json(22), true, 1],
    ["64 KB", json(1400), false, 1],
    ["64 KB", json(1400), false, 3],
    ["64 KB", json(1400), false, 6],
  ] as const) {
    const deflater = tools.deflater(15, takeover, level, 8);
    const count = deflater.deflate(message, 0, message.length);
    const payload = deflater.bytes.slice(0, count);
    const how = `${size} of JSON, level ${level}, ${takeover ? "with" : "without"} takeover`;
    const bytes = message.length;
    cases.push({
      name: `deflate ${how} (${bytes} to ${count} B)`,
      bytes,
      run: () => deflater.deflate(message, 0, bytes),
    });
    if (takeover || level !== 1) continue;
    const one = new MessageEncoder(text, deflater);
    const asText = new TextDecoder().decode(message);
    cases.push({
      name: `encode ${size} of JSON for many, compressed`,
      bytes,
      run: encoding(() => one.putText(out, asText)),
    });
    const inflater = tools.inflater(15, false);
    cases.push({ name: `inflate ${size} of JSON`, bytes, run: () => inflater.inflate(payload, 0, count, 1 << 20) });
  }
}

await runMicro("websocket, per message", cases);
