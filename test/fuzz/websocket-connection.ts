/**
 * Fuzzes WebSocket connections on a fake socket: both sides speak in any order, in pieces, with and without compression,
 * while the socket blocks and drains, time passes, the server stops and either side ends.
 * What must hold: messages arrive whole and in order, both ways; nothing follows a close frame; each `send` settles; the
 * application is told the end; and nothing is left of a connection that has ended.
 *
 *     bun test/fuzz/websocket-connection.ts --seconds 60 --seed 1
 */
import assert from "node:assert/strict";
import type { Application, Receive, ReceiveEvent, Send, SendEvent } from "../../src/asgi/types.ts";
import { type Client, settle, Wired } from "../harness/fake-socket.ts";
import {
  BINARY,
  CLOSE,
  closeFrame,
  frame,
  handshake,
  PING,
  PONG,
  parseServerFrame,
  TEXT,
} from "../harness/websocket.ts";
import { tools } from "../protocol/websocket/client.ts";
import { Dice, fuzzFor } from "./dice.ts";

const LONG_MS = 60_000;
const SCRAPS = ["a", "é", "€", "😀", "xyz", "\0", "~"];
const FIN = 0x80;
const RSV1 = 0x40;

/** A message as a text that says which kind it is. */
const told = (isText: boolean, bytes: Uint8Array): string => `${isText ? "text" : "binary"} ${Buffer.from(bytes)}`;

export class Play {
  /** What has been checked, for who wants to know that something was. */
  readonly counts = { received: 0, sent: 0, compressed: 0, ends: 0 };
  readonly #dice: Dice;
  readonly #wired: Wired;
  readonly #client: Client;
  readonly #deflates: boolean;
  readonly #serverTakeover: boolean;
  readonly #compressor;
  #receive!: Receive;
  #send!: Send;
  #end!: (error?: Error) => void;
  #accepted = false;
  #appEnded = false;
  /** Either side has begun to close. */
  #closing = false;
  /** The peer's side is over. */
  #silent = false;
  #messages = 0;
  /** What the peer has to send, in pieces. */
  #pieces: Uint8Array[] = [];
  readonly #said: string[] = [];
  readonly #heard: string[] = [];
  readonly #sent: string[] = [];
  readonly #unsettled = new Set<number>();
  /** What the socket takes before it blocks, and of one write. */
  #room = Number.POSITIVE_INFINITY;
  #mostAtOnce = Number.POSITIVE_INFINITY;
  /** The peer has broken a rule. */
  #broke = false;
  #lentBefore = 0;

  constructor(seed: number) {
    const dice = new Dice(seed);
    this.#dice = dice;
    this.#deflates = dice.roll(2) === 0;
    this.#serverTakeover = this.#deflates && dice.roll(2) === 0;
    const clientTakeover = this.#deflates && dice.roll(2) === 0;
    this.#compressor = tools().deflater(15, clientTakeover, 1, 8);
    const app: Application = async (_scope, receive, send) => {
      this.#receive = receive;
      this.#send = send;
      await new Promise<void>((resolve, reject) => {
        this.#end = (error) => (error === undefined ? resolve() : reject(error));
      });
    };
    this.#wired = new Wired(app, {
      ownsChunks: dice.roll(2) === 0,
      wsQueueMessages: dice.pick([1, 4]),
      wsQueueBytes: 5_000,
      wsSendQueueBytes: 300_000,
      wsDeflateThresholdBytes: dice.pick([1, 100, 1024]),
      wsDeflateServerTakeover: this.#serverTakeover,
      wsDeflateClientTakeover: clientTakeover,
      wsPingIntervalMs: 1_000,
      wsPingTimeoutMs: 500,
      limits: { pipelinedBytes: 1_000, writeTimeoutMs: 3_000 },
    });
    this.#client = this.#wired.connect();
    const { socket } = this.#client;
    socket.take = (offered) => {
      const taken = Math.min(offered, this.#room, this.#mostAtOnce);
      this.#room -= taken;
      return taken;
    };
    if (dice.roll(2) === 0) socket.borrows = (offered) => (this.#room > 0 ? Math.min(offered, 100_000) : 0);
  }

  async run(): Promise<void> {
    const { pool } = this.#wired.context;
    // In a crowd nobody keeps a buffer.
    if (this.#dice.roll(6) === 0) for (let i = 0; i < 520; i++) pool.borrow();
    this.#lentBefore = pool.lent;
    this.#client.feed(handshake("/", this.#deflates ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : ""));
    await settle(1);
    for (let steps = 5 + this.#dice.roll(60); steps > 0; steps--) await this.#step();
    await this.#calm();
    await this.#over();
    this.#checkOutput();
    this.#compressor.close();
  }

  async #step(): Promise<void> {
    const dice = this.#dice;
    const roll = dice.roll(22);
    if (roll < 5) this.#say();
    else if (roll < 7) this.#deliver(1 + dice.roll(8));
    else if (roll < 8) this.#ping(dice.roll(30));
    else if (roll < 12) this.#sendMessage();
    else if (roll < 14) this.#take();
    else if (roll < 15) this.#room = dice.pick([0, 10, 1_000, 30_000]);
    else if (roll < 17) await this.#drain();
    else if (roll < 18) await settle(1);
    else if (roll < 19) this.#wired.pass(dice.pick([100, 600, 1_500]));
    else if (!this.#accepted) this.#answer();
    else if (dice.roll(12) === 0) this.#beginEnd();
  }

  get #isOpen(): boolean {
    const { ending } = this.#client.socket;
    return this.#wired.connections.size > 0 && (ending === "open" || ending === "fin");
  }

  #note(index: number, sent: Promise<void>): void {
    this.#unsettled.add(index);
    const settled = () => void this.#unsettled.delete(index);
    sent.then(settled, settled);
  }

  /** Of an application that goes on whatever becomes of its event. */
  #tell(event: SendEvent): void {
    this.#note(-1, this.#send(event));
  }

  #answer(): void {
    const dice = this.#dice;
    this.#accepted = true;
    if (dice.roll(5) > 0) {
      this.#tell({ type: "websocket.accept" });
      return;
    }
    this.#closing = true;
    const headers = dice.pick([[], [["content-length", "10"]], [["x", "a\nb"]]] as const);
    this.#tell({ type: "websocket.http.response.start", status: 401, headers });
    for (let more = dice.roll(4); more > 0; more--) {
      const body = new Uint8Array(dice.pick([0, 10, 70_000]));
      this.#tell({ type: "websocket.http.response.body", body, more_body: dice.roll(3) > 0 });
    }
  }

  #beginEnd(): void {
    this.#closing = true;
    const way = this.#dice.roll(6);
    if (way === 0) this.#tell({ type: "websocket.close", code: 4002 });
    else if (way === 1 && !this.#appEnded) {
      this.#appEnded = true;
      this.#end(this.#dice.roll(2) === 0 ? new Error("of the application") : undefined);
    } else if (way === 2) {
      this.#wired.context.stopping = true;
      for (const connection of [...this.#wired.connections]) connection.stop();
    } else if (way === 3) this.#pieces.push(closeFrame(4001, "bye"));
    else if (way === 4) {
      this.#broke = true;
      this.#pieces.push(Uint8Array.of(FIN | 3, FIN));
    } else this.#hangUp();
    if (way > 2) this.#silent = true;
  }

  #hangUp(): void {
    this.#pieces = [];
    if (!this.#isOpen) return;
    if (this.#dice.roll(2) === 0) {
      this.#client.fin();
      return;
    }
    this.#client.socket.ending = "reset";
    this.#client.gone(new Error("reset"));
  }

  #body(length: number): Uint8Array {
    let text = length === 0 ? "" : `${this.#messages++}:`;
    while (text.length < length) text += this.#dice.pick(SCRAPS);
    return Buffer.from(text);
  }

  /** The peer's next message, in fragments with control frames between them. */
  #say(): void {
    if (this.#silent) return;
    const dice = this.#dice;
    const isText = dice.roll(2) === 0;
    const bytes = this.#body(dice.pick([0, 1, 5, 50, 130, 300, 3_000, 20_000]));
    this.#said.push(told(isText, bytes));
    let payload = bytes;
    let rsv = 0;
    if (this.#deflates && dice.roll(2) === 0) {
      const count = this.#compressor.deflate(bytes, 0, bytes.length);
      payload = this.#compressor.bytes.slice(0, count);
      rsv = RSV1;
    }
    const parts = 1 + dice.roll(4);
    for (let part = 0, at = 0; part < parts; part++) {
      const isLast = part === parts - 1;
      const end = isLast ? payload.length : at + dice.roll(payload.length - at + 1);
      const flags = (isLast ? FIN : 0) | (part === 0 ? rsv : 0);
      this.#cut(frame(part > 0 ? 0 : isText ? TEXT : BINARY, payload.subarray(at, end), { flags }));
      if (dice.roll(4) === 0) this.#cut(frame(dice.pick([PING, PONG]), "p".repeat(dice.roll(126))));
      at = end;
    }
  }

  #cut(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + this.#dice.roll(this.#dice.pick([3, 100, bytes.length])));
      this.#pieces.push(bytes.slice(at, end));
      at = end;
    }
  }

  #ping(count: number): void {
    if (this.#silent) return;
    const pings = Array.from({ length: count }, (_, i) => frame(PING, `${i}`));
    this.#pieces.push(new Uint8Array(Buffer.concat(pings)));
  }

  #deliver(count: number): void {
    for (let i = 0; i < count && this.#pieces.length > 0 && this.#isOpen && !this.#client.socket.paused; i++) {
      this.#client.feed(this.#pieces.shift()!);
    }
  }

  #sendMessage(): void {
    if (!this.#accepted) return;
    const isText = this.#dice.roll(2) === 0;
    const bytes = this.#body(this.#dice.pick([0, 3, 60, 200, 2_000, 17_000, 40_000, 150_000]));
    const index = this.#sent.push(told(isText, bytes));
    const text = isText ? Buffer.from(bytes).toString() : null;
    this.#note(index, this.#send({ type: "websocket.send", text, bytes: isText ? null : bytes }));
  }

  #take(): void {
    void this.#receive().then((event: ReceiveEvent) => {
      if (event.type === "websocket.disconnect") this.counts.ends++;
      if (event.type !== "websocket.receive") return;
      const isText = event.text !== null && event.text !== undefined;
      this.#heard.push(told(isText, isText ? Buffer.from(event.text as string) : (event.bytes as Uint8Array)));
    });
  }

  async #drain(): Promise<void> {
    this.#room = Number.POSITIVE_INFINITY;
    this.#mostAtOnce = this.#dice.pick([10_000, 60_000, Number.POSITIVE_INFINITY]);
    if (this.#isOpen) await this.#client.socket.drain();
  }

  /** Everybody does what is still to do. */
  async #calm(): Promise<void> {
    for (let i = 0; i < this.#said.length + 5; i++) {
      await this.#drain();
      this.#deliver(this.#pieces.length);
      this.#take();
      await settle(1);
    }
    const { socket } = this.#client;
    if (this.#isOpen && this.#accepted && !this.#closing && socket.ending === "open") {
      assert.equal(socket.paused, false, "it is not paused once all is received");
      assert.equal(this.#heard.length, this.#said.length, "all is received");
    }
    this.counts.received += this.#heard.length;
    assert.deepEqual(this.#heard, this.#said.slice(0, this.#heard.length), "what is received is in order");
  }

  async #over(): Promise<void> {
    if (this.#isOpen) this.#client.fin();
    for (let i = 0; i < 4; i++) {
      await this.#drain();
      this.#wired.pass(LONG_MS);
      await settle(1);
    }
    if (!this.#appEnded) this.#end();
    await settle(1);
    const { context, connections, logged } = this.#wired;
    assert.ok(this.counts.ends > 0, "the application is told");
    assert.deepEqual([...this.#unsettled], [], "each send settles");
    assert.deepEqual([connections.size, context.inFlight, context.running], [0, 0, 0]);
    assert.equal(context.pool.lent, this.#lentBefore, "what was borrowed is given back");
    const complaints = logged.filter(
      ({ level, text }) => level === "critical" || text.startsWith("bad WebSocket input"),
    );
    if (!this.#broke) assert.deepEqual(complaints, []);
  }

  #checkOutput(): void {
    const { socket } = this.#client;
    if (!socket.text.startsWith("HTTP/1.1 101")) return;
    const inflater = tools().inflater(15, this.#serverTakeover);
    let bytes = socket.bytes.subarray(socket.text.indexOf("\r\n\r\n") + 4);
    let count = 0;
    let closed = false;
    for (let next = parseServerFrame(bytes); next !== undefined; next = parseServerFrame(bytes)) {
      bytes = bytes.subarray(next.end);
      const { opcode, compressed } = next.frame;
      let { payload } = next.frame;
      assert.equal(closed, false, "nothing stands behind the close frame");
      closed = opcode === CLOSE;
      if (opcode !== TEXT && opcode !== BINARY) continue;
      this.counts.sent++;
      if (compressed) {
        this.counts.compressed++;
        const length = inflater.inflate(payload, 0, payload.length, 1 << 22);
        payload = inflater.bytes.slice(0, length);
      }
      assert.ok(told(opcode === TEXT, payload) === this.#sent[count++], `message ${count} is the one that was sent`);
    }
    inflater.close();
  }
}

if (import.meta.main) {
  const { count, first, last } = await fuzzFor((seed) => new Play(seed).run());
  console.log(`${count} plays, seeds ${first} to ${last}: every invariant held.`);
}
