/**
 * The load of the WebSocket rows, on Bun: bare sockets that send one prepared frame, count the bytes that come back, and
 * send it again, so that the server's frames cost no parsing here.
 *
 *   bun ws-client.ts '{"port": 8000, "connections": 64, ...}'        (the fields of `ClientJob`)
 *
 * Prints "ready N" when all are connected and the warm-up begins, "go" when the measurement begins, and then one line of
 * JSON. The first answer on each connection is compared byte by byte.
 */

import { LatencyHistogram } from "./latencies.ts";
import { clientFrame, handshakeRequest, payloadOf, serverFrame } from "./ws-frames.ts";
import type { ClientJob, ClientReport } from "./ws-load.ts";

interface State {
  /** The handshake's answer so far, until it is whole. */
  head: string | undefined;
  /** The first answer so far, until it has been compared. */
  first: Uint8Array | undefined;
  received: number;
  /** Bytes still to come of the oldest message in flight. */
  owed: number;
  /** When the messages in flight were sent. */
  sentAt: number[];
  /** Bytes of the frame that the socket has not taken yet, and frames that are to follow. */
  unsent: number;
  queued: number;
}

type Echo = import("bun").Socket<State>;

/** Between handfuls of connections: the server's accept queue is finite. */
const TURN_MS = 5;
const HANDFUL = 128;
/** Until the server's own figures have been read. */
const CLOSING_MS = 1000;

class Load {
  readonly #job: ClientJob;
  readonly #frame: Uint8Array;
  readonly #answer: Uint8Array;
  readonly #latencies = new LatencyHistogram();
  readonly #sockets: Echo[] = [];
  #measuring = false;
  #ready = 0;
  #messages = 0;
  #wrong = 0;
  #lost = 0;
  /** Of the broadcast in flight: connections that have not got it. */
  #unheard = 0;

  constructor(job: ClientJob) {
    this.#job = job;
    const payload = payloadOf(job.bytes);
    this.#frame = clientFrame(payload, job.kind);
    this.#answer = serverFrame(payload, job.kind);
  }

  async open(): Promise<void> {
    const { connections, path, port } = this.#job;
    const socket = {
      open: (opened: Echo) => void opened.write(handshakeRequest(path)),
      data: (from: Echo, chunk: Buffer) => this.#arrived(from, chunk),
      drain: (to: Echo) => this.#drained(to),
      close: () => void this.#lost++,
    };
    const owed = this.#answer.length;
    for (let i = 0; i < connections; i++) {
      const first = new Uint8Array(owed);
      const data: State = { head: "", first, received: 0, owed, sentAt: [], unsent: 0, queued: 0 };
      this.#sockets.push(await Bun.connect<State>({ hostname: "127.0.0.1", port, data, socket }));
      if (i % HANDFUL === HANDFUL - 1) await Bun.sleep(TURN_MS);
    }
  }

  #arrived(from: Echo, chunk: Buffer): void {
    const state = from.data;
    if (state.head !== undefined) {
      this.#handshake(state, chunk);
      return;
    }
    if (state.first !== undefined) this.#compare(state, chunk);
    state.owed -= chunk.length;
    while (state.owed <= 0) {
      state.owed += this.#answer.length;
      this.#heard(from);
    }
  }

  #handshake(state: State, chunk: Buffer): void {
    const head = state.head + chunk.toString("latin1");
    state.head = head;
    if (!head.includes("\r\n\r\n")) return;
    if (!head.startsWith("HTTP/1.1 101")) throw new Error(`The handshake was answered with: ${head}`);
    state.head = undefined;
    const { connections, mode, window, warmupSeconds } = this.#job;
    if (++this.#ready < connections) return;
    console.log(`ready ${connections}`);
    if (mode === "broadcast") this.#speak();
    else for (const socket of this.#sockets) for (let i = 0; i < window; i++) this.#say(socket);
    setTimeout(() => this.#measure(), warmupSeconds * 1e3);
  }

  #compare(state: State, chunk: Uint8Array): void {
    const first = state.first!;
    const count = Math.min(chunk.length, first.length - state.received);
    first.set(chunk.subarray(0, count), state.received);
    state.received += count;
    if (state.received < first.length) return;
    if (!first.every((byte, i) => byte === this.#answer[i])) this.#wrong++;
    state.first = undefined;
  }

  #heard(socket: Echo): void {
    if (this.#measuring) this.#messages++;
    const isBroadcast = this.#job.mode === "broadcast";
    if (isBroadcast && --this.#unheard > 0) return;
    const speaker = isBroadcast ? this.#sockets[0] : socket;
    const sentAt = speaker.data.sentAt.shift()!;
    if (this.#measuring) this.#latencies.add(performance.now() - sentAt);
    if (isBroadcast) this.#speak();
    else this.#say(speaker);
  }

  #speak(): void {
    this.#unheard = this.#job.connections;
    this.#say(this.#sockets[0]);
  }

  #say(socket: Echo): void {
    const state = socket.data;
    state.sentAt.push(performance.now());
    if (state.unsent > 0) state.queued++;
    else this.#push(socket, 0);
  }

  #push(socket: Echo, from: number): void {
    const left = this.#frame.length - from;
    socket.data.unsent = left - Math.max(socket.write(this.#frame, from, left), 0);
  }

  #drained(socket: Echo): void {
    const state = socket.data;
    if (state.unsent > 0) this.#push(socket, this.#frame.length - state.unsent);
    while (state.unsent === 0 && state.queued > 0) {
      state.queued--;
      this.#push(socket, 0);
    }
  }

  #measure(): void {
    console.log("go");
    this.#measuring = true;
    const startedMs = performance.now();
    setTimeout(() => {
      this.#measuring = false;
      const report: ClientReport = {
        messages: this.#messages,
        seconds: (performance.now() - startedMs) / 1e3,
        latencies: this.#latencies.counts(),
        wrong: this.#wrong,
        lost: this.#lost,
      };
      console.log(JSON.stringify(report));
      setTimeout(() => process.exit(0), CLOSING_MS);
    }, this.#job.seconds * 1e3);
  }
}

if (import.meta.main) await new Load(JSON.parse(process.argv[2]) as ClientJob).open();
