/**
 * The field lines that the server adds to every response: Server, Date (RFC 9110 section 6.6.1) and the operator's own.
 * They are encoded once; the Date line once a second.
 */
import type { OutBuffer } from "../protocol/buffer.ts";
import {
  EncodeError,
  type HeadEncoder,
  prepareField,
  putPrepared,
  SEEN_DATE,
  SEEN_SERVER,
} from "../protocol/http1/encoder.ts";

const NO_BYTES = new Uint8Array(0);
const COLON = 0x3a;
const LF = 0x0a;

/** What delimits messages and connections is decided for each response. */
const FRAMING: ReadonlySet<string> = new Set([
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
]);

interface Custom {
  readonly lowerName: string;
  readonly line: Uint8Array;
}

export class DefaultFields {
  readonly #server: Uint8Array;
  readonly #sendsDate: boolean;
  readonly #custom: readonly Custom[];
  #date: Uint8Array = NO_BYTES;
  #all: Uint8Array = NO_BYTES;
  #second = -1;

  /** @throws EncodeError when a custom name or value is not allowed on the wire */
  constructor(serverHeader: boolean, dateHeader: boolean, custom: readonly (readonly [string, string])[]) {
    for (const [name] of custom) {
      if (FRAMING.has(name.toLowerCase())) throw new EncodeError(`${name} is the server's own business`);
    }
    this.#custom = custom.map(([name, value]) => ({ lowerName: name.toLowerCase(), line: prepareField(name, value) }));
    const ownServer = this.#custom.some(({ lowerName }) => lowerName === "server");
    this.#server = serverHeader && !ownServer ? prepareField("server", "ringcorn") : NO_BYTES;
    this.#sendsDate = dateHeader && !this.#custom.some(({ lowerName }) => lowerName === "date");
  }

  /** Call at least once a second while there are connections. @param nowMs of the wall clock */
  refresh(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    if (this.#sendsDate) this.#date = prepareField("date", new Date(second * 1000).toUTCString());
    const parts = [this.#server, this.#date, ...this.#custom.map(({ line }) => line)];
    this.#all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      this.#all.set(part, at);
      at += part.length;
    }
  }

  /** All of them, for a response that no application had a say in. */
  get all(): Uint8Array {
    return this.#all;
  }

  /** Adds those that the application has not set itself in the head that `encoder` is writing. */
  put(out: OutBuffer, encoder: HeadEncoder): void {
    if ((encoder.seen & (SEEN_DATE | SEEN_SERVER)) === 0 && this.#custom.length === 0) {
      putPrepared(out, this.#all);
      return;
    }
    const names = this.#custom.length === 0 ? undefined : fieldNames(out.bytes, out.committed, out.end);
    if ((encoder.seen & SEEN_SERVER) === 0) putPrepared(out, this.#server);
    if ((encoder.seen & SEEN_DATE) === 0) putPrepared(out, this.#date);
    for (const { lowerName, line } of this.#custom) if (names?.has(lowerName) !== true) putPrepared(out, line);
  }
}

/** Lowercased names of the field lines behind the status line in `bytes[start, end)`. */
function fieldNames(bytes: Uint8Array, start: number, end: number): Set<string> {
  const names = new Set<string>();
  let at = bytes.indexOf(LF, start) + 1;
  while (at > 0 && at < end) {
    const colon = bytes.indexOf(COLON, at);
    let name = "";
    for (let i = at; i < colon; i++) name += String.fromCharCode(bytes[i]);
    names.add(name.toLowerCase());
    at = bytes.indexOf(LF, at) + 1;
  }
  return names;
}
