/** The head of a frame by itself (RFC 6455 section 5.2): the lengths of eight bytes, which no test sends as payloads. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameHead } from "../../../src/protocol/websocket/head.ts";
import { DEFAULT_WEBSOCKET_LIMITS } from "../../../src/protocol/websocket/limits.ts";
import { BETWEEN } from "../../../src/protocol/websocket/states.ts";

const NO_LIMITS = { ...DEFAULT_WEBSOCKET_LIMITS, frameBytes: Number.MAX_SAFE_INTEGER };

function headOf(length: bigint): Uint8Array {
  const bytes = new Uint8Array(14);
  bytes[0] = 0x82;
  bytes[1] = 0xff;
  new DataView(bytes.buffer).setBigUint64(2, length);
  return bytes;
}

test("a length of eight bytes is what it says, on both sides of every limit of a machine's numbers", () => {
  const powers = [16n, 24n, 31n, 32n, 33n, 40n, 52n].map((power) => 1n << power);
  for (const length of powers.flatMap((power) => [power, power + 1n, 2n * power - 1n])) {
    const bytes = headOf(length);
    const whole = new FrameHead(NO_LIMITS, false);
    assert.equal(whole.read(bytes, 0, bytes.length, BETWEEN), bytes.length);
    assert.deepEqual([whole.done, whole.error, whole.length], [true, undefined, Number(length)]);
    const slow = new FrameHead(NO_LIMITS, false);
    for (let at = 0; at < bytes.length; at++) slow.read(bytes, at, at + 1, BETWEEN);
    assert.deepEqual([slow.done, slow.length], [true, Number(length)]);
  }
});

test("a length of eight bytes that would fit into two, or has its highest bit, is refused", () => {
  const errorOf = (length: bigint) => {
    const head = new FrameHead(NO_LIMITS, false);
    head.read(headOf(length), 0, 14, BETWEEN);
    return head.error?.code;
  };
  assert.deepEqual([0n, 1n, 0xffffn].map(errorOf), Array(3).fill("length-not-minimal"));
  assert.deepEqual([1n << 63n, (1n << 64n) - 1n].map(errorOf), Array(2).fill("bad-length"));
  assert.deepEqual([1n << 53n, (1n << 63n) - 1n].map(errorOf), Array(2).fill("frame-too-big"));
});
