/**
 * SHA-1 (RFC 3174) for Sec-WebSocket-Accept, and nothing else: RFC 6455 section 10.8 does not rely on its security.
 * The web's own digest answers with a promise; this one keeps the handshake a pure function, and takes about as long
 * as a call of a runtime's native one for the 60 bytes it is for.
 */

const BLOCK_BYTES = 64;
/** The bit that ends the message, and the length in 64 bits. */
const PADDING_BYTES = 9;
const ROUNDS = 80;
const schedule = new Int32Array(ROUNDS);

/** The digest, 20 bytes. */
export function sha1(message: Uint8Array): Uint8Array {
  const blocks = Math.ceil((message.length + PADDING_BYTES) / BLOCK_BYTES);
  const padded = new Uint8Array(blocks * BLOCK_BYTES);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 0x2000_0000));
  view.setUint32(padded.length - 4, message.length << 3);
  const hash = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  for (let at = 0; at < padded.length; at += BLOCK_BYTES) compress(hash, view, at);
  const digest = new Uint8Array(20);
  const out = new DataView(digest.buffer);
  for (let i = 0; i < hash.length; i++) out.setInt32(i * 4, hash[i]);
  return digest;
}

function compress(hash: Int32Array, view: DataView, at: number): void {
  const w = schedule;
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(at + t * 4);
  for (let t = 16; t < ROUNDS; t++) {
    const x = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16];
    w[t] = (x << 1) | (x >>> 31);
  }
  let [a, b, c, d, e] = hash;
  for (let t = 0; t < ROUNDS; t++) {
    let f: number;
    if (t < 20) f = ((b & c) | (~b & d)) + 0x5a827999;
    else if (t < 40) f = (b ^ c ^ d) + 0x6ed9eba1;
    else if (t < 60) f = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    else f = (b ^ c ^ d) + 0xca62c1d6;
    const next = (((a << 5) | (a >>> 27)) + f + e + w[t]) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  hash[0] += a;
  hash[1] += b;
  hash[2] += c;
  hash[3] += d;
  hash[4] += e;
}
