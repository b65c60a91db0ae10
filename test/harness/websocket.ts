/** A WebSocket client on a bare socket for tests: sends exactly the frames it is told, and reads those of the server. */
import { connect, type Socket } from "node:net";
import type { Address, Ending } from "./raw.ts";
import { excerpt, latin1 } from "./response.ts";
import { within } from "./wait.ts";

/** RFC 6455 section 1.3. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** The request's head. @param fields lines with CRLF */
export function handshake(target: string, fields = ""): string {
  return `GET ${target} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${fields}\r\n`;
}

export interface FrameOptions {
  /** The first byte's upper half; default FIN. */
  readonly flags?: number;
  readonly mask?: readonly [number, number, number, number] | null;
}

/** A client's frame. */
export function frame(opcode: number, payload: string | Uint8Array = "", options: FrameOptions = {}): Uint8Array {
  const { flags = 0x80, mask = [1, 2, 3, 4] } = options;
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const { length } = bytes;
  const head = [flags | opcode];
  if (length < 126) head.push(length);
  else if (length < 65536) head.push(126, length >> 8, length & 255);
  else head.push(127, 0, 0, 0, 0, (length >>> 24) & 255, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
  if (mask === null) return Uint8Array.of(...head, ...bytes);
  head[1] |= 0x80;
  const whole = new Uint8Array(head.length + 4 + length);
  whole.set(head);
  whole.set(mask, head.length);
  for (let i = 0; i < length; i++) whole[head.length + 4 + i] = bytes[i] ^ mask[i & 3];
  return whole;
}

/** A close frame with a code. */
export function closeFrame(code: number, reason = ""): Uint8Array {
  const text = new TextEncoder().encode(reason);
  return frame(CLOSE, Uint8Array.of(code >> 8, code & 255, ...text));
}

export interface ServerFrame {
  readonly opcode: number;
  /** Whether RSV1 is set. */
  readonly compressed: boolean;
  readonly payload: Uint8Array;
}

export function textOf({ payload }: ServerFrame): string {
  return new TextDecoder().decode(payload);
}

/** What a close frame says: `1000`, `4001 told`, or `none`. */
export function closeOf({ opcode, payload }: ServerFrame): string {
  if (opcode !== CLOSE) return `opcode ${opcode}`;
  if (payload.length === 0) return "none";
  const reason = new TextDecoder().decode(payload.subarray(2));
  return `${(payload[0] << 8) | payload[1]}${reason === "" ? "" : ` ${reason}`}`;
}

/** One frame at the start of `bytes`; strict about what a server may send. */
export function parseServerFrame(bytes: Uint8Array): { frame: ServerFrame; end: number } | undefined {
  if (bytes.length < 2) return undefined;
  const first = bytes[0];
  if ((first & 0xb0) !== 0x80 || (bytes[1] & 0x80) !== 0) throw new Error(`a bad frame: ${excerpt(bytes)}`);
  let length = bytes[1];
  let at = 2;
  if (length === 126) {
    if (bytes.length < 4) return undefined;
    length = (bytes[2] << 8) | bytes[3];
    at = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return undefined;
    length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(6);
    at = 10;
  }
  if (bytes.length < at + length) return undefined;
  const payload = new Uint8Array(bytes.subarray(at, at + length));
  return { frame: { opcode: first & 15, compressed: (first & 0x40) !== 0, payload }, end: at + length };
}

export class RawWebSocket {
  readonly socket: Socket;
  /** Of the answer, with its empty line. */
  head = "";
  ending: Ending | undefined;
  #chunks: Buffer[] = [];
  #wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#notify();
    });
    const end = (how: Ending) => () => {
      this.ending ??= how;
      this.#notify();
    };
    socket.on("end", end("fin")).on("error", end("reset")).on("close", end("fin"));
  }

  static connect(address: Address): Promise<RawWebSocket> {
    const connecting = new Promise<RawWebSocket>((resolve, reject) => {
      const socket = connect({ ...address, allowHalfOpen: true });
      const client = new RawWebSocket(socket);
      socket.once("connect", () => resolve(client));
      socket.once("error", reject);
    });
    return within(connecting, "a connection");
  }

  /** Shakes hands. @param early sent together with the handshake */
  static async open(
    address: Address,
    target: string,
    fields = "",
    early: Uint8Array = new Uint8Array(),
  ): Promise<RawWebSocket> {
    const client = await RawWebSocket.connect(address);
    await client.send(Buffer.concat([Buffer.from(handshake(target, fields)), early]));
    await client.answer();
    if (!client.head.startsWith("HTTP/1.1 101 ")) throw new Error(`no WebSocket: ${client.head}`);
    return client;
  }

  async send(...pieces: (string | Uint8Array)[]): Promise<void> {
    for (const piece of pieces) {
      if (this.ending === "reset") return;
      this.socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Waits for the head of the answer. */
  async answer(): Promise<string> {
    for (;;) {
      const all = this.#all();
      const end = all.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.head = latin1(all.subarray(0, end + 4));
        this.#chunks = [all.subarray(end + 4)];
        return this.head;
      }
      await this.#more("the answer to the handshake");
    }
  }

  get bufferedBytes(): number {
    return this.#all().length;
  }

  /** Leaves out what has arrived, such as the content of an ordinary response. */
  skip(bytes: number): void {
    this.#chunks = [this.#all().subarray(bytes)];
  }

  /** The next frame. */
  async next(): Promise<ServerFrame> {
    for (;;) {
      const all = this.#all();
      const found = parseServerFrame(all);
      if (found !== undefined) {
        this.#chunks = [all.subarray(found.end)];
        return found.frame;
      }
      await this.#more("a frame");
    }
  }

  /** What arrives until the server ends the connection. */
  async rest(): Promise<string> {
    await this.ended();
    return latin1(this.#all());
  }

  /** Waits for the server's end of the connection, and then ends the client's own. */
  async ended(): Promise<Ending> {
    while (this.ending === undefined) await this.#more("the end of the connection", true);
    if (this.ending === "fin") this.socket.end();
    return this.ending;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #all(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }

  #notify(): void {
    const woken = this.#wake;
    this.#wake = [];
    for (const wake of woken) wake();
  }

  #more(what: string, endToo = false): Promise<void> {
    if (this.ending !== undefined && !endToo) throw new Error(`the connection ended before ${what}`);
    const arrival = new Promise<void>((resolve) => this.#wake.push(resolve));
    return within(arrival, what, () => `; so far: ${excerpt(this.#all())}`);
  }
}
