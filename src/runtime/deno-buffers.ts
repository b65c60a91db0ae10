/** Buffers that Deno's sockets borrow for reads and writes in progress; the output of connections is exchanged for them. */
import { offPage } from "./off-page.ts";

/** From a page to what one read or write moves well, and what a WebSocket message of 64 KB needs with its head. */
const SIZES = [4 * 1024, 16 * 1024, 64 * 1024, 80 * 1024];
/** The largest buffer: the most that one socket has in flight. */
export const LARGE_BUFFER_BYTES = 80 * 1024;
/** Free buffers kept per size: what a burst returns beyond this many bytes goes to the collector. */
const KEPT_BYTES_PER_SIZE = 5 * 1024 * 1024;

export class BufferPool {
  private readonly free: Uint8Array[][] = SIZES.map(() => []);

  /** A buffer of at least `length` bytes, at most LARGE_BUFFER_BYTES; its content is left over from its last use. */
  take(length: number): Uint8Array {
    const index = length <= SIZES[0]! ? 0 : length <= SIZES[1]! ? 1 : length <= SIZES[2]! ? 2 : 3;
    return this.free[index]!.pop() ?? offPage(SIZES[index]!);
  }

  /** Takes a buffer that nothing refers to any more; one of another size than those of `take` is left to the collector. */
  give(buffer: Uint8Array): void {
    const { length } = buffer;
    const index = length === SIZES[0] ? 0 : SIZES.indexOf(length);
    if (index < 0) return;
    const list = this.free[index]!;
    if (list.length * length < KEPT_BYTES_PER_SIZE) list.push(buffer);
  }
}
