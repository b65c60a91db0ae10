/** Buffers that Deno's sockets borrow for reads and writes in progress. */

/** From a page to what one read or write moves well. */
const SIZES = [4 * 1024, 16 * 1024, 64 * 1024];
/** The largest buffer: the most that one socket has in flight, or reads at once. */
export const LARGE_BUFFER_BYTES = 64 * 1024;
/** The most that one read takes: what applications drop lies about until the next collection, so pieces stay small. */
export const LARGE_READ_BYTES = 16 * 1024;
/** Free buffers kept per size: what a burst returns beyond this many bytes goes to the collector. */
const KEPT_BYTES_PER_SIZE = 4 * 1024 * 1024;

export class BufferPool {
  private readonly free: Uint8Array[][] = SIZES.map(() => []);

  /** A buffer of at least `length` bytes, at most LARGE_BUFFER_BYTES; its content is left over from its last use. */
  take(length: number): Uint8Array {
    const index = length <= SIZES[0]! ? 0 : length <= SIZES[1]! ? 1 : 2;
    return this.free[index]!.pop() ?? new Uint8Array(SIZES[index]!);
  }

  /** Takes back a buffer that came from `take` and that nothing refers to any more. */
  give(buffer: Uint8Array): void {
    const list = this.free[SIZES.indexOf(buffer.length)]!;
    if (list.length * buffer.length < KEPT_BYTES_PER_SIZE) list.push(buffer);
  }
}
