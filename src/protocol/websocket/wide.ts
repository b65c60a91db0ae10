/**
 * Masking by sixteen bytes at a time, RFC 6455 section 5.3: a payload is copied into the memory of a WebAssembly module of
 * one function and combined with its key there. Where it then stands it begins far from the start of a page, which what
 * comes next needs: Bun takes ten times as long to make a string of bytes that begin where a received frame's do.
 */

/** What the memory holds at once, and where: behind half a page, so that no copy out of it or into it is slow. */
export const WIDE_BYTES = 256 * 1024;
export const WIDE_START = 2048;
/** The function's loop goes by this many bytes. */
export const WIDE_BLOCK_BYTES = 64;

const PAGE_BYTES = 64 * 1024;
const PAGES = WIDE_BYTES / PAGE_BYTES + 1;

/** WebAssembly's binary format, its sections 5.4 and 5.5: opcodes, types and sections as numbers. */
const I32 = 0x7f;
const V128 = 0x7b;
const GET = 0x20;
const SET = 0x21;
const TEE = 0x22;
const WIDE = 0xfd;
const LOAD = 0x00;
const STORE = 0x0b;
const SPLAT = 0x11;
const OR = 0x50;
const XOR = 0x51;
const BITMASK = 0x64;
const ALIGN_16 = 4;
/** Parameters and locals of the function. */
const AT = 0;
const END = 1;
const KEY = 2;
const KEYS = 3;
const SEEN = 4;
const WORD = 5;

/** `word = memory[at + offset] ^ keys; memory[at + offset] = word; seen |= word`. */
function step(offset: number): number[] {
  return [
    ...[GET, AT, GET, AT, WIDE, LOAD, ALIGN_16, offset, GET, KEYS, WIDE, XOR, TEE, WORD, WIDE, STORE, ALIGN_16, offset],
    ...[GET, WORD, GET, SEEN, WIDE, OR, SET, SEEN],
  ];
}

function section(id: number, ...content: number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >> 7];
}

function exported(name: string, kind: number): number[] {
  return [name.length, ...Array.from(name, (letter) => letter.charCodeAt(0)), kind, 0];
}

/** `mask(at, end, key)`: which of the sixteen bytes of its blocks was no ASCII in any. */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const body = [
    ...[1, 3, V128, GET, KEY, WIDE, SPLAT, SET, KEYS],
    // loop; at += 64; while at < end
    ...[0x03, 0x40, ...step(0), ...step(16), ...step(32), ...step(48)],
    ...[GET, AT, 0x41, 0xc0, 0, 0x6a, TEE, AT, GET, END, 0x49, 0x0d, 0, 0x0b],
    ...[GET, SEEN, WIDE, BITMASK, 0x0b],
  ];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, 0x60, 3, I32, I32, I32, 1, I32),
    ...section(3, 1, 0),
    ...section(5, 1, 0, PAGES),
    ...section(7, 2, ...exported("memory", 2), ...exported("mask", 0)),
    ...section(10, 1, ...unsigned(body.length), ...body),
  ]);
}

/** One for the whole process: what stands in it is anybody's next payload. */
export interface Wide {
  readonly bytes: Uint8Array;
  /** Applies `key` to `bytes[at, end)`, whole blocks, at least one; 0 when all of the result is ASCII. */
  mask(at: number, end: number, key: number): number;
}

let wide: Wide | null | undefined;

/** Made when the first large payload comes; null where the runtime may not have it. */
export function wideMask(): Wide | null {
  if (wide === undefined) wide = make();
  return wide;
}

function make(): Wide | null {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()));
    const memory = exports.memory as WebAssembly.Memory;
    return { bytes: new Uint8Array(memory.buffer), mask: exports.mask as Wide["mask"] };
  } catch {
    return null;
  }
}
