/** Buffers that Deno's sockets borrow for reads and writes in progress. */

/** From a page to what one read or write moves well; the last for large messages of WebSockets, lent by their owner. */
const SIZES = [4 * 1024, 16 * 1024, 64 * 1024, 256 * 1024];
/** Where in its memory each begins: as `offPage` of protocol/buffer.ts, into which they are exchanged. */
const OFF_PAGE_BYTES = 256;
/** The most that one socket has in flight of what it copies. */
export const LARGE_BUFFER_BYTES = 64 * 1024;
/** Free buffers kept per size: what a burst returns beyond this many bytes goes to the collector. */
const KEPT_BYTES_PER_SIZE = 4 * 1024 * 1024;

/** Large messages come from arrays of the other sizes: they begin elsewhere, as protocol/buffer.ts has it. */
function made(size: number): Uint8Array {
  const start = size > LARGE_BUFFER_BYTES ? 2 * OFF_PAGE_BYTES : OFF_PAGE_BYTES;
  return new Uint8Array(new ArrayBuffer(size + start), start);
}

export class BufferPool {
  private readonly free: Uint8Array[][] = SIZES.map(() => []);

  /** A buffer of at least `length` bytes, at most the largest size; its content is left over from its last use. */
  take(length: number): Uint8Array {
    const index = length <= SIZES[0]! ? 0 : length <= SIZES[1]! ? 1 : length <= SIZES[2]! ? 2 : 3;
    return this.free[index]!.pop() ?? made(SIZES[index]!);
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
