/**
 * Synchronous raw deflate and inflate of whole messages, for RFC 7692 section 7.2.
 *
 * node:zlib's streams only work through callbacks, and its `...Sync` functions begin anew with each call. Beneath the
 * streams both runtimes have Node's binding with a synchronous `writeSync` on a state that lasts, which writes into a
 * buffer of ours: so a bomb stops at the limit while it is being inflated. That binding is not public. `deflateTools`
 * tries it once, and answers undefined where it does not do what it should: then no compression is offered.
 */
import process from "node:process";

type ZlibModule = typeof import("node:zlib");

// Loading it takes 5 ms, which only a server that compresses spends.
let loaded: ZlibModule | undefined;

function zlibModule(): ZlibModule {
  loaded ??= process.getBuiltinModule("node:zlib");
  return loaded;
}

/** Z_SYNC_FLUSH: all that was taken in comes out, and the state lasts. */
const SYNC_FLUSH = 2;

/** `NativeInflater.inflate`: not deflate data, or not a whole message. The protocol's INFLATE_CORRUPT. */
const CORRUPT = -1;
/** More than the limit. The protocol's INFLATE_TOO_LARGE. */
const TOO_LARGE = -2;

/** What a flush ends with and a message leaves out: an empty stored block without its first bits (section 7.2.1). */
const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);
const TAIL_BYTES = TAIL.length;
/** The payload of an empty message (section 7.2.3.6). */
const EMPTY_PAYLOAD = Uint8Array.of(0x00);

/**
 * All messages pass through these; what does not fit gets an array of its own. Two, so that a message which has just
 * been inflated can be deflated.
 */
const SCRATCH_BYTES = 64 * 1024;
const inflated: Uint8Array = new Uint8Array(SCRATCH_BYTES);
const deflated: Uint8Array = new Uint8Array(SCRATCH_BYTES);
/** A message may hold ended streams (section 7.2.3.4); each costs a call, and no compressor makes more than one. */
const STREAM_ENDS = 16;
/** The stream object around the binding is never written to; this is the least that its own buffer can be. */
const LEAST_CHUNK_BYTES = 64;
const GREATEST_WINDOW_BITS = 15;
/** zlib's compressors can't use less, and its decompressors need not: a larger window reads a smaller one's data. */
const LEAST_WINDOW_BITS = 9;

/** Node's binding, as both runtimes have it. */
interface Binding {
  /** Input and output with offset and length; what is left of both is reported in `state`. */
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputCount: number,
    output: Uint8Array,
    outputAt: number,
    outputCount: number,
    state: Uint32Array,
  ): void;
  reset(): void;
  close(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

interface BindingHolder {
  _handle: Binding | null;
  readonly _writeState: Uint32Array;
}

/** One zlib state. After `run` the fields say what is left. */
class Zlib {
  outputLeft = 0;
  inputLeft = 0;
  #holder: BindingHolder;
  #failed = false;

  constructor(stream: unknown) {
    this.#holder = stream as BindingHolder;
    this.#binding.onerror = () => {
      this.#failed = true;
    };
  }

  get #binding(): Binding {
    const binding = this.#holder._handle;
    if (binding === null || binding === undefined) throw new Error("The compressor is closed.");
    return binding;
  }

  /** False: the input is corrupt. */
  run(input: Uint8Array, at: number, count: number, output: Uint8Array, outputAt: number, outputEnd: number): boolean {
    const state = this.#holder._writeState;
    this.#failed = false;
    this.#binding.writeSync(SYNC_FLUSH, input, at, count, output, outputAt, outputEnd - outputAt, state);
    this.outputLeft = state[0];
    this.inputLeft = state[1];
    return !this.#failed;
  }

  reset(): void {
    this.#binding.reset();
  }

  close(): void {
    this.#holder._handle?.close();
    // The stream object, when it is collected, has nothing left to close.
    this.#holder._handle = null;
  }
}

/** `bytes` with room for at least one byte more, at most `limit` in all, its first `filled` kept. */
function grow(bytes: Uint8Array, filled: number, limit: number): Uint8Array {
  const grown = new Uint8Array(Math.min(limit, 2 * bytes.length));
  grown.set(bytes.subarray(0, filled));
  return grown;
}

class NativeInflater {
  bytes: Uint8Array = inflated;
  owned = false;
  readonly #windowBits: number;
  readonly #contextTakeover: boolean;
  #zlib: Zlib | undefined;
  #closed = false;
  #filled = 0;
  #streamEnds = 0;

  constructor(windowBits: number, contextTakeover: boolean) {
    this.#windowBits = Math.max(LEAST_WINDOW_BITS, windowBits);
    this.#contextTakeover = contextTakeover;
  }

  inflate(source: Uint8Array, start: number, end: number, limitBytes: number): number {
    if (this.#closed) throw new Error("The decompressor is closed.");
    this.#zlib ??= new Zlib(
      zlibModule().createInflateRaw({ windowBits: this.#windowBits, chunkSize: LEAST_CHUNK_BYTES }),
    );
    this.bytes = inflated;
    this.#filled = 0;
    this.#streamEnds = 0;
    let failure = this.#consume(source, start, end, limitBytes);
    if (failure === 0) {
      const complete = this.#filled;
      failure = this.#consume(TAIL, 0, TAIL_BYTES, limitBytes);
      // The tail says nothing. Where it does, it was taken for the rest of a block that was cut.
      if (failure === 0 && this.#filled !== complete) failure = CORRUPT;
    }
    if (failure !== 0 || !this.#contextTakeover) this.#zlib.reset();
    if (failure !== 0) {
      this.bytes = inflated;
      this.owned = false;
      return failure;
    }
    this.owned = this.bytes !== inflated;
    return this.#filled;
  }

  #consume(source: Uint8Array, start: number, end: number, limitBytes: number): number {
    const zlib = this.#zlib as Zlib;
    let at = start;
    for (;;) {
      // One byte beyond the limit shows that it is passed.
      const room = Math.min(this.bytes.length, limitBytes + 1);
      if (!zlib.run(source, at, end - at, this.bytes, this.#filled, room)) return CORRUPT;
      this.#filled = room - zlib.outputLeft;
      at = end - zlib.inputLeft;
      if (this.#filled > limitBytes) return TOO_LARGE;
      if (zlib.outputLeft === 0) {
        this.bytes = grow(this.bytes, this.#filled, limitBytes + 1);
      } else if (zlib.inputLeft > 0) {
        // A block with BFINAL: what follows is a new stream, without the history of this one.
        if (++this.#streamEnds > STREAM_ENDS) return CORRUPT;
        zlib.reset();
        if (source === TAIL) return 0;
      } else {
        return 0;
      }
    }
  }

  forget(): void {
    this.bytes = inflated;
  }

  close(): void {
    this.forget();
    this.#closed = true;
    this.#zlib?.close();
    this.#zlib = undefined;
  }
}

class NativeDeflater {
  bytes: Uint8Array = deflated;
  owned = false;
  readonly contextTakeover: boolean;
  readonly #windowBits: number;
  readonly #level: number;
  readonly #memoryLevel: number;
  #zlib: Zlib | undefined;
  #closed = false;

  constructor(windowBits: number, contextTakeover: boolean, level: number, memoryLevel: number) {
    this.#windowBits = windowBits;
    this.contextTakeover = contextTakeover;
    this.#level = level;
    this.#memoryLevel = memoryLevel;
  }

  deflate(source: Uint8Array, start: number, end: number): number {
    if (this.#closed) throw new Error("The compressor is closed.");
    this.owned = false;
    if (start === end) {
      this.bytes = EMPTY_PAYLOAD;
      return EMPTY_PAYLOAD.length;
    }
    this.#zlib ??= new Zlib(
      zlibModule().createDeflateRaw({
        windowBits: this.#windowBits,
        level: this.#level,
        memLevel: this.#memoryLevel,
        chunkSize: LEAST_CHUNK_BYTES,
      }),
    );
    const zlib = this.#zlib;
    let bytes = deflated;
    let filled = 0;
    for (let at = start; ; at = end - zlib.inputLeft) {
      if (!zlib.run(source, at, end - at, bytes, filled, bytes.length)) throw new Error("The compressor failed.");
      filled = bytes.length - zlib.outputLeft;
      if (zlib.outputLeft > 0) break;
      bytes = grow(bytes, filled, Number.POSITIVE_INFINITY);
    }
    if (!this.contextTakeover) zlib.reset();
    this.bytes = bytes;
    this.owned = bytes !== deflated;
    if (!endsWithTail(bytes, filled)) throw new Error("The compressor's flush did not end as RFC 7692 has it.");
    return filled - TAIL_BYTES;
  }

  forget(): void {
    this.bytes = deflated;
  }

  close(): void {
    this.forget();
    this.#closed = true;
    this.#zlib?.close();
    this.#zlib = undefined;
  }
}

function endsWithTail(bytes: Uint8Array, filled: number): boolean {
  const at = filled - TAIL_BYTES;
  return at > 0 && TAIL.every((byte, i) => bytes[at + i] === byte);
}

/** The protocol's `DeflateTools`. */
export interface RuntimeDeflate {
  inflater(windowBits: number, contextTakeover: boolean): NativeInflater;
  deflater(windowBits: number, contextTakeover: boolean, level: number, memoryLevel: number): NativeDeflater;
}

/** Without context takeover one state serves all connections, and none of them can close it. */
class SharedInflater extends NativeInflater {
  override close(): void {}
}

class SharedDeflater extends NativeDeflater {
  override close(): void {}
}

function makeTools(): RuntimeDeflate {
  let sharedInflater: SharedInflater | undefined;
  const sharedDeflaters = new Map<string, SharedDeflater>();
  return {
    inflater(windowBits, contextTakeover) {
      if (contextTakeover) return new NativeInflater(windowBits, true);
      // The greatest window reads the data of all.
      sharedInflater ??= new SharedInflater(GREATEST_WINDOW_BITS, false);
      return sharedInflater;
    },
    deflater(windowBits, contextTakeover, level, memoryLevel) {
      if (contextTakeover) return new NativeDeflater(windowBits, true, level, memoryLevel);
      const key = `${windowBits} ${level} ${memoryLevel}`;
      let shared = sharedDeflaters.get(key);
      if (shared === undefined) {
        shared = new SharedDeflater(windowBits, false, level, memoryLevel);
        sharedDeflaters.set(key, shared);
      }
      return shared;
    },
  };
}

/** Whether the binding is there, keeps a context, stops at a limit and tells corrupt data. */
function works(tools: RuntimeDeflate): boolean {
  const deflater = tools.deflater(GREATEST_WINDOW_BITS, true, 1, 8);
  const inflater = tools.inflater(GREATEST_WINDOW_BITS, true);
  try {
    const message = Uint8Array.from({ length: 300 }, (_, i) => (i * 37) % 251);
    const sizes: number[] = [];
    for (let i = 0; i < 2; i++) {
      const count = deflater.deflate(message, 0, message.length);
      sizes.push(count);
      const size = inflater.inflate(deflater.bytes.slice(0, count), 0, count, message.length);
      if (size !== message.length || !message.every((byte, k) => inflater.bytes[k] === byte)) return false;
    }
    const count = deflater.deflate(message, 0, message.length);
    const bomb = inflater.inflate(deflater.bytes.slice(0, count), 0, count, message.length - 1);
    const broken = inflater.inflate(Uint8Array.of(0xff, 0xff), 0, 2, message.length);
    return sizes[1] < sizes[0] / 2 && bomb === TOO_LARGE && broken === CORRUPT;
  } catch {
    return false;
  } finally {
    deflater.close();
    inflater.close();
  }
}

let tried: { readonly tools: RuntimeDeflate | undefined } | undefined;

/** Synchronous compression; undefined where this version of the runtime has none that works. */
export function deflateTools(): RuntimeDeflate | undefined {
  if (tried === undefined) {
    const tools = makeTools();
    tried = { tools: works(tools) ? tools : undefined };
  }
  return tried.tools;
}
