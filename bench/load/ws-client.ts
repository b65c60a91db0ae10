/**
 * The load of the WebSocket rows, on Bun: bare sockets that send one prepared frame, count the bytes that come back, and
 * send it again, so that the server's frames cost no parsing here.
 *
 *   bun ws-client.ts '{"port": 8000, "connections": 64, ...}'        (the fields of `ClientJob`)
 *
 * Prints "ready N" when all are connected and the warm-up begins, "go" when the measurement begins, and then one line of
 * JSON. The first answer on each connection is compared byte by byte.
 */
import { clientFrame, handshakeRequest, type MessageKind, payloadOf, serverFrame } from "./ws-frames.ts";
import { LatencyHistogram } from "./ws-latency.ts";

/** What one process of the load does. */
export interface ClientJob {
  readonly port: number;
  readonly path: string;
  /** "echo": each connection gets its own messages back. "broadcast": the first one speaks, all of them hear it. */
  readonly mode: "echo" | "broadcast";
  readonly connections: number;
  readonly bytes: number;
  readonly kind: MessageKind;
  /** Messages in flight on a connection that speaks. */
  readonly window: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** What it reports. */
export interface ClientReport {
  /** Messages that came back; in a broadcast, those that each connection got. */
  readonly messages: number;
  readonly seconds: number;
  /** `LatencyHistogram`'s, from the first byte offered to the last one received (in a broadcast, by the last client). */
  readonly latencies: readonly number[];
  /** Connections whose first answer was not the message. */
  readonly wrong: number;
  /** Connections that the server has ended. */
  readonly lost: number;
}

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

const TURN_MS = 5;
const CLOSING_MS = 1000;

function run(job: ClientJob): void {
  const { connections, window, mode } = job;
  const payload = payloadOf(job.bytes);
  const frame = clientFrame(payload, job.kind);
  const answer = serverFrame(payload, job.kind);
  const answerBytes = answer.length;
  const latencies = new LatencyHistogram();
  const sockets: Echo[] = [];
  let measuring = false;
  let ready = 0;
  let messages = 0;
  let wrong = 0;
  let lost = 0;
  /** Of the broadcast in flight. */
  let unheard = 0;

  const push = (socket: Echo, from: number) => {
    socket.data.unsent = frame.length - from - Math.max(socket.write(frame, from, frame.length - from), 0);
  };
  const say = (socket: Echo) => {
    const state = socket.data;
    state.sentAt.push(performance.now());
    if (state.unsent > 0) state.queued++;
    else push(socket, 0);
  };
  const speak = () => {
    unheard = connections;
    say(sockets[0]);
  };
  const heard = (socket: Echo) => {
    if (measuring) messages++;
    if (mode === "broadcast") {
      if (--unheard > 0) return;
      socket = sockets[0];
    }
    const sentAt = socket.data.sentAt.shift()!;
    if (measuring) latencies.add(performance.now() - sentAt);
    if (mode === "broadcast") speak();
    else say(socket);
  };
  const compare = (state: State, chunk: Uint8Array) => {
    const first = state.first!;
    const count = Math.min(chunk.length, answerBytes - state.received);
    first.set(chunk.subarray(0, count), state.received);
    state.received += count;
    if (state.received < answerBytes) return;
    if (!first.every((byte, i) => byte === answer[i])) wrong++;
    state.first = undefined;
  };
  const handshake = (socket: Echo, chunk: Buffer) => {
    const state = socket.data;
    state.head += chunk.toString("latin1");
    if (!state.head!.includes("\r\n\r\n")) return;
    if (!state.head!.startsWith("HTTP/1.1 101")) throw new Error(`The handshake was answered with: ${state.head}`);
    state.head = undefined;
    if (++ready < connections) return;
    console.log(`ready ${ready}`);
    if (mode === "broadcast") speak();
    else for (const each of sockets) for (let i = 0; i < window; i++) say(each);
    setTimeout(measure, job.warmupSeconds * 1e3);
  };
  const measure = () => {
    console.log("go");
    measuring = true;
    const from = performance.now();
    setTimeout(() => {
      measuring = false;
      const seconds = (performance.now() - from) / 1e3;
      const report: ClientReport = { messages, seconds, latencies: latencies.counts(), wrong, lost };
      console.log(JSON.stringify(report));
      // Until the server's own figures have been read.
      setTimeout(() => process.exit(0), CLOSING_MS);
    }, job.seconds * 1e3);
  };
  const socket = {
    open: (opened: Echo) => void opened.write(handshakeRequest(job.path)),
    data(from: Echo, chunk: Buffer) {
      const state = from.data;
      if (state.head !== undefined) return handshake(from, chunk);
      if (state.first !== undefined) compare(state, chunk);
      state.owed -= chunk.length;
      while (state.owed <= 0) {
        state.owed += answerBytes;
        heard(from);
      }
    },
    drain(to: Echo) {
      const { data: state } = to;
      if (state.unsent > 0) push(to, frame.length - state.unsent);
      while (state.unsent === 0 && state.queued > 0) {
        state.queued--;
        push(to, 0);
      }
    },
    close: () => void lost++,
  };
  const open = async () => {
    for (let i = 0; i < connections; i++) {
      const data: State = {
        head: "",
        first: new Uint8Array(answerBytes),
        received: 0,
        owed: answerBytes,
        sentAt: [],
        unsent: 0,
        queued: 0,
      };
      sockets.push(await Bun.connect<State>({ hostname: "127.0.0.1", port: job.port, data, socket }));
      // The server's accept queue is finite.
      if (i % 128 === 127) await Bun.sleep(TURN_MS);
    }
  };
  void open();
}

if (import.meta.main) run(JSON.parse(process.argv[2]) as ClientJob);
