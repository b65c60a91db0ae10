/**
 * Step 1 of 3: a TCP echo server. What a client sends comes back. See docs/from-scratch/1-echo.md.
 *
 *   bun examples/from-scratch/1-echo.ts 7000
 *   telnet 127.0.0.1 7000
 */
import { currentRuntime } from "../../src/runtime/current.ts";
import type { Socket, SocketHandler } from "../../src/runtime/types.ts";
import { Sender } from "./sender.ts";

/** One connection. The runtime calls these methods as things happen on its socket. */
class Echo implements SocketHandler {
  readonly #socket: Socket;
  readonly #sender: Sender;
  #peerEnded = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#sender = new Sender(socket);
  }

  /** Bytes have arrived: any number of them. TCP keeps their order, not the pieces in which they were sent. */
  onData(chunk: Uint8Array, length: number): void {
    this.#sender.send(chunk, 0, length);
    // A client that sends and never reads must not fill our memory: while it is behind, we don't read either. Its own
    // buffers fill, its sends wait, and so the pressure has gone back to where the bytes come from.
    if (this.#sender.behind) this.#socket.pause();
  }

  /** The socket has room again. */
  onDrain(): void {
    if (!this.#sender.drain()) return;
    if (this.#peerEnded) this.#socket.close();
    else this.#socket.resume();
  }

  /** The client will send no more (FIN). It may still read: what is waiting goes out first. */
  onEnd(): void {
    this.#peerEnded = true;
    if (!this.#sender.behind) this.#socket.close();
  }

  /** The client's FIN was noticed while reading pauses. Nothing to do: `onEnd` comes after the bytes before it. */
  onEndUnread(): void {}

  /** The connection is gone, for whatever reason. Called exactly once. */
  onClose(): void {
    open--;
    console.log(`closed, ${open} open`);
  }
}

let open = 0;
const runtime = await currentRuntime();
const port = Number(runtime.arguments()[0] ?? 7000);
const listener = await runtime.listen({ host: "127.0.0.1", port, backlog: 128 }, (socket) => {
  open++;
  console.log(`accepted ${socket.remote.host}:${socket.remote.port}, ${open} open`);
  return new Echo(socket);
});
console.log(`Listening on ${listener.address.host}:${listener.address.port}`);
