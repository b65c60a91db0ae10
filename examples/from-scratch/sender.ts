/**
 * Bytes on their way to a socket. The kernel takes as many as its buffer has room for, which may be none: what it did
 * not take must be kept and offered again when the socket reports that there is room ("drain").
 */
import type { Socket } from "../../src/runtime/types.ts";

export class Sender {
  readonly #socket: Socket;
  #waiting: Uint8Array[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes are waiting for room. Whoever makes more of them should stop now. */
  get behind(): boolean {
    return this.#waiting.length > 0;
  }

  /** Sends `bytes[start, end)`, now or later, in order. */
  send(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const taken = this.behind ? 0 : this.#socket.write(bytes, start, end);
    // -1: the connection is gone. Its onClose follows.
    if (taken < 0 || taken === end - start) return;
    // A copy: the array belongs to the caller, who may fill it with something else.
    this.#waiting.push(bytes.slice(start + taken, end));
  }

  /** Call it on drain. True when nothing is waiting any more. */
  drain(): boolean {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const taken = this.#socket.write(first, 0, first.length);
      if (taken < 0) this.#waiting = [];
      else if (taken === first.length) this.#waiting.shift();
      else {
        this.#waiting[0] = first.subarray(taken);
        return false;
      }
    }
    return true;
  }
}
