/** Many WebSockets of Python workers at once, each with messages of its own, of all sizes: each gets its own back, in order. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { missing, PYTHON } from "../harness/python.ts";
import { onEach, ROOT, type Server, sharedServer } from "../harness/server.ts";
import { BINARY, frame, RawWebSocket, TEXT } from "../harness/websocket.ts";

const APPS = join(ROOT, "test", "python", "apps");
const SOCKETS = 24;
const MESSAGES = 40;
const SIZES = [0, 1, 60, 125, 126, 1000, 1025, 5_000, 16_383, 16_384, 65_500, 65_536, 150_000, 400_000];

/** A generator of numbers below a bound, the same in each run. */
function randomizer(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

/** Small messages are more frequent. */
function messagesOf(socket: number): { opcode: number; payload: Uint8Array }[] {
  const random = randomizer(socket + 1);
  return Array.from({ length: MESSAGES }, (_, i) => {
    const size = SIZES[random(2) === 0 ? random(6) : random(SIZES.length)];
    const isText = random(2) === 0;
    const payload = Uint8Array.from({ length: size }, (_, at) => (at * 7 + i + socket) % (isText ? 128 : 256));
    return { opcode: isText ? TEXT : BINARY, payload };
  });
}

async function converse(server: Server, socket: number): Promise<void> {
  const client = await RawWebSocket.open(server.address, "/echo");
  const messages = messagesOf(socket);
  for (const { opcode, payload } of messages) client.socket.write(frame(opcode, payload));
  for (const [at, { opcode, payload }] of messages.entries()) {
    const answer = await client.next();
    const what = `message ${at} of socket ${socket}, ${payload.length} bytes`;
    assert.deepEqual([answer.opcode, Buffer.compare(answer.payload, payload)], [opcode, 0], what);
  }
  client.destroy();
}

onEach((runtime) => {
  for (const loop of ["asyncio", "uvloop"]) {
    const skip = missing(loop === "uvloop" ? ["uvloop"] : []);
    const options = ["--app-dir", APPS, "--python", PYTHON, "--loop", loop, "--workers", "2", "--no-access-log"];
    const started = sharedServer(runtime, "sockets:app", options);
    test(`a crowd of Python's WebSockets on ${runtime}, ${loop}`, { skip }, async () => {
      const server = await started();
      await Promise.all(Array.from({ length: SOCKETS }, (_, socket) => converse(server, socket)));
    });
  }
});
