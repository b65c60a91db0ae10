/**
 * permessage-deflate: negotiation (RFC 7692 sections 5 and 7.1) and what a compressor must offer (section 7.2).
 * The compressors themselves are the runtime's; with context takeover each connection has its own, else all share one.
 */
import type { ExtensionOffer } from "./extensions.ts";

const NAME = "permessage-deflate";
const SERVER_NO_TAKEOVER = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER = "client_no_context_takeover";
const SERVER_BITS = "server_max_window_bits";
const CLIENT_BITS = "client_max_window_bits";

/** Base-2 logarithm of an LZ77 window's bytes, RFC 7692 section 7.1.2. */
export const LEAST_WINDOW_BITS = 8;
export const GREATEST_WINDOW_BITS = 15;
/** zlib can't compress with a window of 256 bytes. Whoever demands one is served uncompressed. */
export const LEAST_SERVER_WINDOW_BITS = 9;
/** Section 7.1.2: a decimal number without leading zeros, 8 to 15. */
const BITS = /^(?:[89]|1[0-5])$/;

/** `MessageInflater.inflate`: not deflate data, or not a whole message. */
export const INFLATE_CORRUPT = -1;
/** `MessageInflater.inflate`: more than `limitBytes`. */
export const INFLATE_TOO_LARGE = -2;

/** Decompresses messages, one whole message at a time. */
export interface MessageInflater {
  /** After `inflate`: the message is `bytes[0, count)`, valid until any inflater's next call unless `owned`. */
  readonly bytes: Uint8Array;
  /** `bytes` is the caller's to keep. */
  readonly owned: boolean;
  /**
   * Decompresses `source[start, end)`, a message's payload without the tail that is never sent. Returns the count of
   * bytes, or one of the INFLATE_ constants. Stops as soon as `limitBytes` are exceeded: a bomb costs no more than that.
   */
  inflate(source: Uint8Array, start: number, end: number, limitBytes: number): number;
  /** Holds on to `bytes` no longer, which may be as large as a message: the caller has them. */
  forget(): void;
  /** Frees what this connection alone holds. */
  close(): void;
}

/** Compresses messages, one whole message at a time. */
export interface MessageDeflater {
  /** After `deflate`: the payload to send is `bytes[0, count)`, valid until any deflater's next call unless `owned`. */
  readonly bytes: Uint8Array;
  readonly owned: boolean;
  /** Later messages refer to earlier ones: what was compressed must be sent. */
  readonly contextTakeover: boolean;
  /** Compresses `source[start, end)` and returns the count of bytes, without the tail 00 00 FF FF. */
  deflate(source: Uint8Array, start: number, end: number): number;
  /** As an inflater's. */
  forget(): void;
  close(): void;
}

/** What a runtime provides, if it can compress without waiting. */
export interface DeflateTools {
  inflater(windowBits: number, contextTakeover: boolean): MessageInflater;
  deflater(windowBits: number, contextTakeover: boolean, level: number, memoryLevel: number): MessageDeflater;
}

export interface DeflateOptions {
  /** Later messages to the client refer to earlier ones: better compression, a compressor per connection. */
  readonly serverContextTakeover: boolean;
  /** The same for messages from the client. */
  readonly clientContextTakeover: boolean;
  /** 9 to 15. */
  readonly serverMaxWindowBits: number;
  /** 8 to 15; only asked of clients that say they can. */
  readonly clientMaxWindowBits: number;
  /** zlib's, 1 (fast) to 9 (small). */
  readonly level: number;
  /** zlib's, 1 (little memory) to 9; counts with `serverContextTakeover` only. */
  readonly memoryLevel: number;
  /** Messages of fewer bytes are sent as they are. */
  readonly thresholdBytes: number;
}

/** A compressor per connection holds 140 to 290 KB: thousands of sockets must be possible without a thought. */
export const DEFAULT_CONTEXT_TAKEOVER = false;
/** Shared compressors may have a large window. */
export const DEFAULT_WINDOW_BITS = GREATEST_WINDOW_BITS;
/** JSON of 1 KB, both runtimes: level 1 takes 4 µs for 312 B, levels 3 and 6 take 12 to 15 µs for 232 and 223 B. */
export const DEFAULT_LEVEL = 1;
export const DEFAULT_MEMORY_LEVEL = 8;
/** The default of `ws`: below it the bytes saved rarely save a packet. */
export const DEFAULT_THRESHOLD_BYTES = 1024;

export const DEFAULT_DEFLATE_OPTIONS: DeflateOptions = {
  serverContextTakeover: DEFAULT_CONTEXT_TAKEOVER,
  clientContextTakeover: DEFAULT_CONTEXT_TAKEOVER,
  serverMaxWindowBits: DEFAULT_WINDOW_BITS,
  clientMaxWindowBits: DEFAULT_WINDOW_BITS,
  level: DEFAULT_LEVEL,
  memoryLevel: DEFAULT_MEMORY_LEVEL,
  thresholdBytes: DEFAULT_THRESHOLD_BYTES,
};

/** What both sides will do. */
export interface DeflateAgreement {
  readonly serverContextTakeover: boolean;
  readonly clientContextTakeover: boolean;
  readonly serverWindowBits: number;
  readonly clientWindowBits: number;
  /** The value of Sec-WebSocket-Extensions in the answer. */
  readonly header: string;
}

/** The first offer that can be met; undefined when there is none, and the connection stays uncompressed. */
export function negotiateDeflate(
  offers: readonly ExtensionOffer[],
  options: DeflateOptions,
): DeflateAgreement | undefined {
  for (const offer of offers) {
    if (offer.name !== NAME) continue;
    const agreement = meet(offer, options);
    if (agreement !== undefined) return agreement;
  }
  return undefined;
}

interface Demands {
  serverNoTakeover: boolean;
  clientNoTakeover: boolean;
  serverBits: number | undefined;
  clientBits: number | undefined;
}

/** Section 7.1: a parameter that is unknown, repeated or has a value it may not have declines the offer. */
function readDemands(offer: ExtensionOffer): Demands | undefined {
  const demands: Demands = {
    serverNoTakeover: false,
    clientNoTakeover: false,
    serverBits: undefined,
    clientBits: undefined,
  };
  const seen = new Set<string>();
  for (const [name, value] of offer.parameters) {
    if (seen.has(name)) return undefined;
    seen.add(name);
    const bits = typeof value === "string" && BITS.test(value) ? Number(value) : undefined;
    if (name === SERVER_NO_TAKEOVER && value === true) demands.serverNoTakeover = true;
    else if (name === CLIENT_NO_TAKEOVER && value === true) demands.clientNoTakeover = true;
    else if (name === SERVER_BITS && bits !== undefined) demands.serverBits = bits;
    else if (name === CLIENT_BITS && (value === true || bits !== undefined)) {
      demands.clientBits = bits ?? GREATEST_WINDOW_BITS;
    } else return undefined;
  }
  return demands;
}

function meet(offer: ExtensionOffer, options: DeflateOptions): DeflateAgreement | undefined {
  const demands = readDemands(offer);
  if (demands === undefined) return undefined;
  const serverWindowBits = Math.min(options.serverMaxWindowBits, demands.serverBits ?? GREATEST_WINDOW_BITS);
  if (serverWindowBits < LEAST_SERVER_WINDOW_BITS) return undefined;
  // A client that does not offer the parameter can't be told to use a smaller window (section 7.1.2.2).
  const canLimit = demands.clientBits !== undefined;
  const clientWindowBits = canLimit
    ? Math.min(options.clientMaxWindowBits, demands.clientBits as number)
    : GREATEST_WINDOW_BITS;
  const serverContextTakeover = options.serverContextTakeover && !demands.serverNoTakeover;
  // The server may ask this of any client (section 7.1.1.2), and a hint of the client's is taken.
  const clientContextTakeover = options.clientContextTakeover && !demands.clientNoTakeover;
  const parts = [NAME];
  if (!serverContextTakeover) parts.push(SERVER_NO_TAKEOVER);
  if (!clientContextTakeover) parts.push(CLIENT_NO_TAKEOVER);
  if (demands.serverBits !== undefined || serverWindowBits < GREATEST_WINDOW_BITS) {
    parts.push(`${SERVER_BITS}=${serverWindowBits}`);
  }
  if (canLimit && clientWindowBits < GREATEST_WINDOW_BITS) parts.push(`${CLIENT_BITS}=${clientWindowBits}`);
  return { serverContextTakeover, clientContextTakeover, serverWindowBits, clientWindowBits, header: parts.join("; ") };
}
