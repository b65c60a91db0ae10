/** What has come of a request's body and has not been written to its worker yet. */
import { giveBackPiece } from "../channel/memory.ts";
import { HEADER_BYTES, type RecordBuffer } from "./wire.ts";

export class BodyPieces {
  /** How much of it there is. */
  bytes = 0;
  /** Nobody else needs the arrays. */
  readonly #own: boolean;
  #pieces: Uint8Array[] = [];
  /** Of the first piece, so much has been written. */
  #at = 0;

  constructor(own: boolean) {
    this.#own = own;
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.bytes += piece.length;
    this.#pieces.push(piece);
  }

  /** Moves `count` bytes into a record of their own; they may come from several pieces. */
  record(out: RecordBuffer, type: number, flags: number, id: number, generation: number, count: number): void {
    out.ensure(HEADER_BYTES + count);
    out.header(out.length, count, type, flags, id, generation);
    let to = out.length + HEADER_BYTES;
    out.length = to + count;
    this.bytes -= count;
    while (to < out.length) {
      const piece = this.#pieces[0];
      const from = this.#at;
      const taken = Math.min(piece.length - from, out.length - to);
      out.bytes.set(taken === piece.length ? piece : piece.subarray(from, from + taken), to);
      to += taken;
      if (from + taken < piece.length) this.#at = from + taken;
      else {
        this.#at = 0;
        this.#pieces.shift();
        if (this.#own) giveBackPiece(piece);
      }
    }
  }

  clear(): void {
    this.bytes = 0;
    this.#at = 0;
    this.#pieces = [];
  }
}
