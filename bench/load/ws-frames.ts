/** What the WebSocket load sends and expects: RFC 6455 section 5.2, prepared once. */

/** The handshake of RFC 6455 section 1.3, whose key is as good as any. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const FIN = 0x80;
const TEXT = 1;
const BINARY = 2;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASKING_KEY = [0x12, 0x34, 0x56, 0x78] as const;

export type MessageKind = "text" | "binary";

/** @param extra field lines, each ended by CRLF, such as an offer of permessage-deflate */
export function handshakeRequest(path: string, extra = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${extra}\r\n`;
}

/** ASCII, as a text and a binary message alike. */
export function payloadOf(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => 0x61 + (i % 26));
}

function lengthBytes(length: number, masked: number): number[] {
  if (length < LENGTH_16) return [masked | length];
  if (length <= 0xffff) return [masked | LENGTH_16, length >>> 8, length & 255];
  const low = [24, 16, 8, 0].map((shift) => (length >>> shift) & 255);
  return [masked | LENGTH_64, 0, 0, 0, 0, ...low];
}

function frame(payload: Uint8Array, kind: MessageKind, key: readonly number[] | undefined): Uint8Array {
  const first = FIN | (kind === "text" ? TEXT : BINARY);
  const head = [first, ...lengthBytes(payload.length, key === undefined ? 0 : MASKED), ...(key ?? [])];
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  for (let i = 0; i < payload.length; i++) bytes[head.length + i] = payload[i] ^ (key === undefined ? 0 : key[i & 3]);
  return bytes;
}

/** A message as a client sends it, in one frame. */
export function clientFrame(payload: Uint8Array, kind: MessageKind): Uint8Array {
  return frame(payload, kind, MASKING_KEY);
}

/** The same message as a server sends it uncompressed in one frame, the shortest there is. */
export function serverFrame(payload: Uint8Array, kind: MessageKind): Uint8Array {
  return frame(payload, kind, undefined);
}
