/** Masking, RFC 6455 section 5.3: a payload is combined with a key of four bytes by exclusive or. */
import { WIDE_BLOCK_BYTES, WIDE_BYTES, WIDE_START, type Wide, wideMask } from "./wide.ts";

/**
 * Below this a loop over bytes is faster: a view for words costs 60 to 150 ns, and bytes go at 1 to 2 GB/s.
 * Words go at 2 to 10 GB/s. BigUint64Array, DataView and unrolled loops were slower on one runtime or both.
 */
const WORDS_FROM_BYTES = 192;
/** From here on it pays to copy the bytes to where sixteen are masked at a time, and back. */
const WIDE_FROM_BYTES = 2 * 1024;

/**
 * The same where the payload is most of what the array holds, which is then copied whole: on Bun an array that has just
 * arrived has no buffer that views could share, and making one costs more than the rest of a message of 1 KB.
 */
const WHOLE_FROM_BYTES = 128;
/** An array is copied whole when no more than this is around the payload. */
const MOST_AROUND_BYTES = 64;

/** The view of the last buffer: a chunk may hold many frames. It keeps one chunk of the whole process alive. */
let lastBuffer: ArrayBufferLike | undefined;
let lastWords: Int32Array = new Int32Array(0);

/** The key from its four bytes, the first one lowest. */
export function maskingKey(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** The key as it applies `count` bytes further on. */
export function rotateKey(key: number, count: number): number {
  const shift = (count & 3) << 3;
  return shift === 0 ? key : (key >>> shift) | (key << (32 - shift));
}

/** What no byte of a word of ASCII has. */
const HIGH_BITS = 0x80808080 | 0;

/**
 * Applies `key` to `bytes[start, end)`; its lowest byte belongs to `bytes[start]`.
 * Returns whether all of the result is ASCII.
 */
export function unmask(bytes: Uint8Array, start: number, end: number, key: number): boolean {
  const count = end - start;
  if (count < WORDS_FROM_BYTES) return maskBytes(bytes, start, end, key);
  if (count >= WIDE_FROM_BYTES) {
    const wide = wideMask();
    if (wide !== null) return unmaskBack(wide, bytes, start, end, key);
  }
  return unmaskWords(bytes, start, end, key);
}

/**
 * Where payloads that are not left in place stand, from `WIDE_START` on, until the next one; null: nowhere.
 * @param bytes what holds `count` bytes of payload, from `start` on
 */
export function asideFor(bytes: Uint8Array, start: number, count: number): Uint8Array | null {
  const from = isMost(bytes, start, count) ? WHOLE_FROM_BYTES : WIDE_FROM_BYTES;
  if (count < from || count > WIDE_BYTES) return null;
  const wide = wideMask();
  return wide === null ? null : wide.bytes;
}

/** As `unmask`, of at most `WIDE_BYTES`: the result stands in the array that `asideFor` gave. `bytes` stay as they are. */
export function unmaskAside(bytes: Uint8Array, start: number, end: number, key: number): boolean {
  return maskAside(wideMask() as Wide, bytes, start, end, key);
}

function isMost(bytes: Uint8Array, start: number, count: number): boolean {
  return bytes.length - count <= MOST_AROUND_BYTES && start <= MOST_AROUND_BYTES;
}

function maskAside(wide: Wide, bytes: Uint8Array, start: number, end: number, key: number): boolean {
  // What is copied besides stands in front of the payload, or behind it.
  if (isMost(bytes, start, end - start)) wide.bytes.set(bytes, WIDE_START - start);
  else wide.bytes.set(bytes.subarray(start, end), WIDE_START);
  const stop = WIDE_START + end - start;
  const rest = stop - ((end - start) & (WIDE_BLOCK_BYTES - 1));
  const seen = wide.mask(WIDE_START, rest, key);
  // Blocks are a multiple of the key.
  return maskBytes(wide.bytes, rest, stop, key) && seen === 0;
}

function unmaskBack(wide: Wide, bytes: Uint8Array, start: number, end: number, key: number): boolean {
  let ascii = true;
  for (let at = start; at < end; at += WIDE_BYTES) {
    const stop = Math.min(end, at + WIDE_BYTES);
    if (stop - at < WIDE_BLOCK_BYTES) return maskBytes(bytes, at, stop, key) && ascii;
    if (!maskAside(wide, bytes, at, stop, key)) ascii = false;
    bytes.set(wide.bytes.subarray(WIDE_START, WIDE_START + stop - at), at);
  }
  return ascii;
}

function unmaskWords(bytes: Uint8Array, start: number, end: number, key: number): boolean {
  const { buffer, byteOffset } = bytes;
  if (buffer !== lastBuffer) {
    lastWords = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    lastBuffer = buffer;
  }
  const first = (byteOffset + start + 3) >>> 2;
  const last = (byteOffset + end) >>> 2;
  const wordsStart = (first << 2) - byteOffset;
  const wordsEnd = (last << 2) - byteOffset;
  const rotated = rotateKey(key, wordsStart - start);
  const ahead = maskBytes(bytes, start, wordsStart, key);
  const within = (maskWords(lastWords, first, last, rotated) & HIGH_BITS) === 0;
  return maskBytes(bytes, wordsEnd, end, rotated) && ahead && within;
}

function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): boolean {
  const k0 = key & 255;
  const k1 = (key >>> 8) & 255;
  const k2 = (key >>> 16) & 255;
  const k3 = key >>> 24;
  let seen = 0;
  let i = start;
  for (const stop = end - 3; i < stop; i += 4) {
    seen |= (bytes[i] ^= k0) | (bytes[i + 1] ^= k1) | (bytes[i + 2] ^= k2) | (bytes[i + 3] ^= k3);
  }
  if (i < end) seen |= bytes[i++] ^= k0;
  if (i < end) seen |= bytes[i++] ^= k1;
  if (i < end) seen |= bytes[i] ^= k2;
  return seen < 0x80;
}

/** The key's lowest byte meets the lowest address: both runtimes run on little-endian machines only. */
function maskWords(words: Int32Array, first: number, last: number, key: number): number {
  let seen = 0;
  for (let i = first; i < last; i++) {
    const word = words[i] ^ key;
    words[i] = word;
    seen |= word;
  }
  return seen;
}
