/**
 * Fuzzes the decoder of frames: streams put together from frames, then spoilt.
 * What must hold: the events depend neither on how the stream is cut nor on where in memory it lies, nor on who checks
 * the texts; they are those of a second decoder, written plainly from RFC 6455 section 5, that sees the whole stream.
 *
 *     bun test/fuzz/websocket.ts --seconds 60 --seed 1
 */
import assert from "node:assert/strict";
import type { WebSocketLimits } from "../../src/protocol/websocket/limits.ts";
import {
  byteByByte,
  CODECS,
  concat,
  cut,
  eventsOf,
  frame,
  hex,
  type PlainEvent,
} from "../protocol/websocket/client.ts";
import { Dice, fuzzStreams } from "./dice.ts";

const TEXTS = ["", "a", "Hello", "ž", "漢字", "😀", "\ufeff", "x".repeat(130), "é".repeat(200), "\0"];
const WRONG = [[0x80], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff], [0xe6, 0xbc]];
const CLOSES = [[], [3, 232], [3, 232, 0x62, 0x79, 0x65], [3], [0, 0], [3, 237], [19, 136], [15, 160, 0xff]];
const utf8 = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function payloadFor(dice: Dice, isText: boolean): Uint8Array {
  if (isText && dice.roll(12) > 0) return utf8.encode(dice.pick(TEXTS));
  if (isText) return concat([utf8.encode(dice.pick(TEXTS)), Uint8Array.from(dice.pick(WRONG)), utf8.encode("z")]);
  return Uint8Array.from({ length: dice.pick([0, 1, 5, 125, 126, 300, 1000]) }, () => dice.roll(256));
}

function keyFor(dice: Dice): number[] {
  return dice.roll(4) === 0 ? [0, 0, 0, 0] : [dice.roll(256), dice.roll(256), dice.roll(256), dice.roll(256)];
}

function control(dice: Dice): Uint8Array {
  const opcode = dice.pick([9, 9, 10]);
  return frame({ opcode, key: keyFor(dice), payload: payloadFor(dice, false).subarray(0, 125) });
}

/** A message, in fragments that may cut characters, control frames between them. */
function message(dice: Dice): Uint8Array[] {
  const isText = dice.roll(2) === 0;
  const payload = payloadFor(dice, isText);
  const cuts = Array.from({ length: dice.pick([0, 0, 1, 2, 5]) }, () => dice.roll(payload.length + 1));
  const pieces = cut(payload, cuts);
  return pieces.flatMap((piece, i) => {
    const opcode = i > 0 ? 0 : isText ? 1 : 2;
    const one = frame({ opcode, fin: i === pieces.length - 1, payload: piece, key: keyFor(dice) });
    return dice.roll(6) === 0 ? [control(dice), one] : [one];
  });
}

function odd(dice: Dice): Uint8Array {
  const lengthBits = dice.pick([7, 16, 64] as const);
  const length = BigInt(dice.pick([0, 3, 125, ...(lengthBits === 7 ? [] : [126, 65535])]));
  const key = dice.roll(5) === 0 ? undefined : keyFor(dice);
  return frame({
    opcode: dice.roll(16),
    fin: dice.roll(4) > 0,
    rsv: dice.roll(4) === 0 ? dice.roll(8) : 0,
    lengthBits,
    length,
    key,
  });
}

export function makeStream(dice: Dice): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 1 + dice.roll(5); i > 0; i--) {
    const kind = dice.roll(12);
    if (kind === 0) parts.push(odd(dice));
    else if (kind === 1) parts.push(frame({ opcode: 8, payload: dice.pick(CLOSES) }));
    else if (kind < 4) parts.push(control(dice));
    else parts.push(...message(dice));
  }
  const stream = concat(parts);
  if (dice.roll(4) === 0) stream[dice.roll(stream.length)] ^= 1 << dice.roll(8);
  return dice.roll(4) === 0 ? stream.slice(0, dice.roll(stream.length + 1)) : stream;
}

type Reference = { readonly events: PlainEvent[]; readonly violated: boolean; readonly rest: boolean };

/** @param more the text goes on: its last character may be cut */
function isUtf8(bytes: readonly number[], more = false): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes), { stream: more });
    return true;
  } catch {
    return false;
  }
}

function goodClose(code: number): boolean {
  if (code >= 3000) return code < 5000;
  return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
}

/**
 * The frames of a stream as they should be taken. It stops at the first frame that is not complete or that violates
 * something, and says which; when a violation is noticed is the decoder's business, that it is one is not.
 */
export function reference(stream: Uint8Array): Reference {
  const events: PlainEvent[] = [];
  let open: { isText: boolean; bytes: number[] } | undefined;
  const end = (violated: boolean, rest: boolean): Reference => ({ events, violated, rest });
  for (let at = 0; at < stream.length; ) {
    const [first, second] = stream.subarray(at);
    const opcode = first & 15;
    const fin = first >= 128;
    const isControl = opcode >= 8;
    const known = [0, 1, 2, 8, 9, 10].includes(opcode);
    const inOrder = isControl ? fin : opcode === 0 ? open !== undefined : open === undefined;
    if ((first & 0x70) !== 0 || !known || !inOrder) return end(true, true);
    if (second === undefined) return end(false, true);
    if (second < 128 || (isControl && second > 128 + 125)) return end(true, true);
    const extended = second === 254 ? 2 : second === 255 ? 8 : 0;
    if (stream.length < at + 2 + extended) return end(false, true);
    let length = BigInt(second & 127);
    if (extended > 0) length = BigInt(`0x${hex(stream.subarray(at + 2, at + 2 + extended))}`);
    if ((extended === 2 && length < 126n) || (extended === 8 && length < 65536n)) return end(true, true);
    if (length > 2n ** 24n) return end(true, true);
    const start = at + 2 + extended + 4;
    const stop = start + Number(length);
    if (stop > stream.length) return end(false, true);
    const key = stream.subarray(start - 4, start);
    const payload = Array.from(stream.subarray(start, stop), (byte, i) => byte ^ key[i % 4]);
    const digits = hex(Uint8Array.from(payload));
    if (opcode === 9 || opcode === 10) events.push({ event: opcode === 9 ? "ping" : "pong", bytes: digits });
    else if (opcode === 8) {
      const code = payload.length === 0 ? 1005 : payload[0] * 256 + payload[1];
      const reason = payload.slice(2);
      if (payload.length === 1 || (payload.length > 1 && !goodClose(code)) || !isUtf8(reason)) return end(true, true);
      events.push({ event: "close", code, reason: strict.decode(Uint8Array.from(reason)) });
      return end(false, false);
    } else {
      open ??= { isText: opcode === 1, bytes: [] };
      open.bytes.push(...payload);
      if (open.isText && !isUtf8(open.bytes, !fin)) return end(true, true);
      if (fin) {
        const bytes = Uint8Array.from(open.bytes);
        events.push(
          open.isText ? { event: "text", text: strict.decode(bytes) } : { event: "binary", bytes: hex(bytes) },
        );
        open = undefined;
      }
    }
    at = stop;
  }
  return end(false, open !== undefined);
}

/** Holds the decoder's events against those of the plain one. */
function check(stream: Uint8Array, events: readonly PlainEvent[]): void {
  const { events: wanted, violated, rest } = reference(stream);
  const last = events.at(-1);
  assert.deepEqual(events.slice(0, wanted.length), wanted);
  assert.ok(events.length <= wanted.length + 1);
  if (violated) assert.equal(last?.event, "error");
  // A text may be refused before its end, where the plain one still waits for the rest.
  else if (last?.event === "error") assert.deepEqual([last.code, rest], ["bad-utf8", true]);
  else if (last?.event !== "close") assert.equal(last?.event, rest ? "busy" : "idle");
}

const LIMITS: readonly Partial<WebSocketLimits>[] = [{}, {}, { messageBytes: 200, frameBytes: 150, fragments: 2 }];

/** One stream. @throws Error with the stream when something does not hold. */
export function fuzzOnce(seed: number): void {
  const dice = new Dice(seed);
  const stream = makeStream(dice);
  const limits = dice.pick(LIMITS);
  try {
    const events = eventsOf([stream], { limits });
    const cuts = Array.from({ length: dice.roll(8) }, () => dice.roll(stream.length + 1));
    for (const [, codec] of CODECS) {
      for (const strings of [true, false]) {
        const run = { limits, codec, strings, offset: dice.roll(8) };
        assert.deepEqual(eventsOf([stream], run), events);
        assert.deepEqual(eventsOf(cut(stream, cuts), run), events);
      }
    }
    assert.deepEqual(eventsOf(byteByByte(stream), { limits }), events);
    if (limits.messageBytes === undefined) check(stream, events);
  } catch (cause) {
    throw new Error(`seed ${seed}, limits ${JSON.stringify(limits)}, stream ${hex(stream)}`, { cause });
  }
}

/** The kinds of events that `count` streams from `seed` on gave: shows that the fuzzer reaches what it should. */
export function outcomes(seed: number, count: number): Map<string, number> {
  const seen = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    for (const event of eventsOf([makeStream(new Dice(seed + i))])) {
      const key = event.event === "error" ? event.code : event.event;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  return seen;
}

if (import.meta.main) await fuzzStreams(fuzzOnce);
