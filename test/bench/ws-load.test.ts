/** The WebSocket load: its frames, its latencies, how it is shared out and added up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LatencyHistogram, percentileUs } from "../../bench/load/latencies.ts";
import { clientFrame, payloadOf, serverFrame } from "../../bench/load/ws-frames.ts";
import { addUp, shares } from "../../bench/load/ws-load.ts";
import { OutBuffer } from "../../src/protocol/buffer.ts";
import { MessageEncoder } from "../../src/protocol/websocket/encoder.ts";
import { BINARY, FrameDecoder, NEED_DATA, TEXT } from "../../src/protocol/websocket/frames.ts";
import { DEFAULT_WEBSOCKET_LIMITS } from "../../src/protocol/websocket/limits.ts";
import { portableText } from "../../src/protocol/websocket/utf8.ts";

for (const bytes of [0, 16, 125, 126, 65_535, 65_536, 70_000]) {
  test(`frames of the WebSocket load are those of the server's codec: ${bytes} bytes`, () => {
    const payload = payloadOf(bytes);
    const decoder = new FrameDecoder({ limits: DEFAULT_WEBSOCKET_LIMITS, text: portableText, strings: false });
    for (const [kind, event] of [
      ["text", TEXT],
      ["binary", BINARY],
    ] as const) {
      const frame = clientFrame(payload, kind);
      decoder.feed(frame, 0, frame.length);
      assert.equal(decoder.next(), event);
      assert.deepEqual(decoder.payload.slice(decoder.payloadStart, decoder.payloadEnd), payload);
      assert.equal(decoder.next(), NEED_DATA);
      const out = new OutBuffer();
      out.bytes = new Uint8Array(bytes + 16);
      const encoder = new MessageEncoder(portableText);
      encoder[kind === "text" ? "putUtf8" : "putBinary"](out, payload, 0, bytes);
      assert.deepEqual(serverFrame(payload, kind), out.bytes.slice(0, out.end));
    }
  });
}

test("latencies: a percentile is off by a hundredth at most", () => {
  const histogram = new LatencyHistogram();
  for (let us = 1; us <= 100_000; us++) histogram.add((us - 0.5) / 1e3);
  const counts = histogram.counts();
  for (const share of [0.001, 0.5, 0.99, 0.999]) {
    const found = percentileUs(counts, share);
    assert.ok(Math.abs(found - share * 100_000) <= share * 1_100 + 1, `${share}: ${found}`);
  }
  assert.equal(percentileUs(new LatencyHistogram().counts(), 0.5), Number.NaN);
});

test("the load's processes share all connections", () => {
  assert.deepEqual(shares(1000, 3), [333, 333, 334]);
  assert.deepEqual(shares(1, 2), [1]);
});

test("what the load's processes report is added up", () => {
  const report = (messages: number) => ({ messages, seconds: 2, latencies: [messages, 0], wrong: 1, lost: 0 });
  const { messages, messagesPerSecond, wrong, lost, p50Us } = addUp([report(10), report(30)]);
  assert.deepEqual(
    { messages, messagesPerSecond, wrong, lost, p50Us },
    { messages: 40, messagesPerSecond: 20, wrong: 2, lost: 0, p50Us: 1 },
  );
});
