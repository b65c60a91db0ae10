/**
 * UTF-8 (RFC 3629), checked as it arrives: RFC 6455 section 8.1 has a text fail at its first wrong byte.
 * Whole texts go to the runtime's own decoder behind `TextCodec`; the automaton here is for what is cut.
 */

/** What a runtime does fastest with texts. `portableText` does it everywhere. */
export interface TextCodec {
  /** The text of `bytes[start, end)`, a leading U+FEFF included; undefined when it is not UTF-8. */
  decode(bytes: Uint8Array, start: number, end: number): string | undefined;
  /** The text of bytes that are known to be ASCII. */
  ascii(bytes: Uint8Array, start: number, end: number): string;
  isUtf8(bytes: Uint8Array, start: number, end: number): boolean;
  /**
   * Writes the text as UTF-8, lone surrogates as U+FFFD, and returns the position behind it.
   * The caller has made room for three bytes per code unit.
   */
  write(text: string, into: Uint8Array, at: number): number;
}

/** Behind a whole character; the automaton starts here. */
export const UTF8_ACCEPT = 0;
/** Not UTF-8; nothing leads out of here. */
export const UTF8_REJECT = 1;
/** One to three more continuation bytes are to come. */
const ONE_MORE = 2;
const TWO_MORE = 3;
const THREE_MORE = 4;
/** Behind E0, ED, F0 and F4, whose next byte is bounded (no overlong forms, no surrogates, nothing above U+10FFFF). */
const AFTER_E0 = 5;
const AFTER_ED = 6;
const AFTER_F0 = 7;
const AFTER_F4 = 8;
const STATES = 9;

/** `[state, first byte, last byte, next state]`, the rows of RFC 3629 section 4; all else rejects. */
const ROWS: readonly (readonly [state: number, first: number, last: number, next: number])[] = [
  [UTF8_ACCEPT, 0x00, 0x7f, UTF8_ACCEPT],
  [UTF8_ACCEPT, 0xc2, 0xdf, ONE_MORE],
  [UTF8_ACCEPT, 0xe0, 0xe0, AFTER_E0],
  [UTF8_ACCEPT, 0xe1, 0xec, TWO_MORE],
  [UTF8_ACCEPT, 0xed, 0xed, AFTER_ED],
  [UTF8_ACCEPT, 0xee, 0xef, TWO_MORE],
  [UTF8_ACCEPT, 0xf0, 0xf0, AFTER_F0],
  [UTF8_ACCEPT, 0xf1, 0xf3, THREE_MORE],
  [UTF8_ACCEPT, 0xf4, 0xf4, AFTER_F4],
  [ONE_MORE, 0x80, 0xbf, UTF8_ACCEPT],
  [TWO_MORE, 0x80, 0xbf, ONE_MORE],
  [THREE_MORE, 0x80, 0xbf, TWO_MORE],
  [AFTER_E0, 0xa0, 0xbf, ONE_MORE],
  [AFTER_ED, 0x80, 0x9f, ONE_MORE],
  [AFTER_F0, 0x90, 0xbf, TWO_MORE],
  [AFTER_F4, 0x80, 0x8f, TWO_MORE],
];

const NEXT = new Uint8Array(STATES * 256).fill(UTF8_REJECT);
for (const [state, first, last, next] of ROWS) NEXT.fill(next, state * 256 + first, state * 256 + last + 1);

/** From this length on the runtime's check of the middle pays. */
const NATIVE_FROM_BYTES = 64;
/** A character has at most this many bytes before its last one. */
const LONGEST_PREFIX = 3;

/** Goes on from `state` over `bytes[start, end)`. */
export function utf8Step(state: number, bytes: Uint8Array, start: number, end: number): number {
  const next = NEXT;
  for (let i = start; i < end; i++) {
    state = next[(state << 8) | bytes[i]];
    if (state === UTF8_REJECT) return UTF8_REJECT;
  }
  return state;
}

/** As `utf8Step`, with the runtime's check for all but the characters that are cut at either end. */
export function utf8Continue(state: number, bytes: Uint8Array, start: number, end: number, codec: TextCodec): number {
  if (end - start < NATIVE_FROM_BYTES) return utf8Step(state, bytes, start, end);
  let from = start;
  while (state !== UTF8_ACCEPT && state !== UTF8_REJECT) state = utf8Step(state, bytes, from, ++from);
  if (state === UTF8_REJECT) return UTF8_REJECT;
  const to = lastBoundary(bytes, end);
  if (!codec.isUtf8(bytes, from, to)) return UTF8_REJECT;
  return utf8Step(UTF8_ACCEPT, bytes, to, end);
}

/** Where the last character begins that `end` may have cut; `end` itself when the last byte is ASCII. */
function lastBoundary(bytes: Uint8Array, end: number): number {
  if (bytes[end - 1] < 0x80) return end;
  for (let back = 1; back <= LONGEST_PREFIX; back++) if (bytes[end - back] >= 0xc0) return end - back;
  return end;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** By the web's own means only. */
export const portableText: TextCodec = {
  decode(bytes, start, end) {
    try {
      return decoder.decode(bytes.subarray(start, end));
    } catch {
      return undefined;
    }
  },
  ascii: (bytes, start, end) => decoder.decode(bytes.subarray(start, end)),
  isUtf8: (bytes, start, end) => utf8Step(UTF8_ACCEPT, bytes, start, end) === UTF8_ACCEPT,
  write: (text, into, at) => at + encoder.encodeInto(text, at === 0 ? into : into.subarray(at)).written,
};
