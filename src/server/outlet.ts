/**
 * The output side of a busy connection: what is encoded, what the socket would not take yet, and who waits for it.
 */
import { ClientDisconnected } from "../asgi/errors.ts";
import { Waiters } from "../channel/waiters.ts";
import { OutBuffer } from "../protocol/buffer.ts";
import type { Socket } from "../runtime/types.ts";

export class Outlet {
  readonly out = new OutBuffer();
  /** The socket takes nothing until `onDrain`. */
  blocked = false;
  /** The socket will never take anything again. */
  dead = false;
  #socket: Socket | null = null;
  #waiters: Waiters<boolean> | null = null;

  attach(socket: Socket): void {
    this.#socket = socket;
  }

  /** Forgets the socket; whoever waits learns that it is gone. */
  detach(): void {
    this.#waiters?.wakeAll(false);
    this.#socket = null;
    this.blocked = false;
    this.dead = false;
    this.out.shrink();
  }

  get empty(): boolean {
    return !this.blocked && this.out.end === this.out.start;
  }

  /** Offers what is committed to the socket. */
  flush(): void {
    const { out } = this;
    const count = out.committed - out.start;
    if (this.blocked || count === 0) return;
    const socket = this.#socket!;
    const { start, committed } = out;
    const taken =
      committed === out.end ? socket.writeOwned(out, start, committed) : socket.write(out.bytes, start, committed);
    if (taken > 0) out.took(start + taken);
    this.blocked = taken < count;
    this.dead = taken < 0;
  }

  /** Offers bytes past the empty buffer; returns how many were taken. While blocked, they must not change. */
  writeDirect(bytes: Uint8Array, start: number, end: number): number {
    const socket = this.#socket!;
    const borrowed = socket.borrow(bytes, start, end);
    if (borrowed > 0) {
      this.blocked = true;
      return borrowed;
    }
    return this.writeCopy(bytes, start, end);
  }

  /** As `writeDirect`, but what was taken may change at once. */
  writeCopy(bytes: Uint8Array, start: number, end: number): number {
    const taken = this.#socket!.write(bytes, start, end);
    this.blocked = taken < end - start;
    this.dead = taken < 0;
    return Math.max(taken, 0);
  }

  /** Settles when the socket takes bytes again; rejects with ClientDisconnected when it is gone. */
  drained(): Promise<void> {
    if (this.#socket === null) return Promise.reject(new ClientDisconnected());
    this.#waiters ??= new Waiters<boolean>();
    return this.#waiters.park().then(throwIfGone);
  }

  /** The socket takes bytes again. Returns whether everything has been taken. */
  onDrain(): boolean {
    this.blocked = false;
    this.flush();
    if (this.blocked) return false;
    this.#waiters?.wakeAll(true);
    return true;
  }
}

function throwIfGone(alive: boolean): void {
  if (!alive) throw new ClientDisconnected();
}
