/**
 * Where connections wait from which little comes: a read of few bytes, each into a place of its own in an array that many
 * share. V8 and Deno keep some 400 bytes for an array with memory of its own, whatever its length.
 */

/** Most messages of people and of keep-alives fit, heads with them. What is longer fills the place, and is read on at once. */
export const PLACE_BYTES = 128;
/** One byte is never read into: a place is never filled whole, and so its bytes are never the reader's to keep. */
const STRIDE_BYTES = PLACE_BYTES + 1;
const PLACES_PER_ARRAY = 127;

export class Places {
  private readonly arrays: Uint8Array[] = [];
  private readonly free: number[] = [];

  /** The number of a place that nobody has. */
  take(): number {
    if (this.free.length === 0) {
      const first = this.arrays.length * PLACES_PER_ARRAY;
      this.arrays.push(new Uint8Array(PLACES_PER_ARRAY * STRIDE_BYTES));
      for (let i = PLACES_PER_ARRAY - 1; i >= 0; i--) this.free.push(first + i);
    }
    return this.free.pop()!;
  }

  /** Nothing may read into it any more. */
  give(place: number): void {
    this.free.push(place);
  }

  /** What a read is to fill. Made for each: while it waits, only the memory is kept. */
  toFill(place: number): Uint8Array {
    return this.view(place, PLACE_BYTES);
  }

  /** What has been read, and a byte more. */
  filled(place: number): Uint8Array {
    return this.view(place, STRIDE_BYTES);
  }

  private view(place: number, length: number): Uint8Array {
    const array = Math.floor(place / PLACES_PER_ARRAY);
    const start = (place - array * PLACES_PER_ARRAY) * STRIDE_BYTES;
    return this.arrays[array]!.subarray(start, start + length);
  }
}
