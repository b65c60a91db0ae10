/** Reads the file that `http.response.pathsend` names, of the size that it had when it was opened. */
import type { OutBuffer } from "../protocol/buffer.ts";
import type { SendableFile } from "./cycle-host.ts";
import { ProtocolViolation } from "./errors.ts";

/** Bytes of a longer file that are read at once. */
const PIECE_BYTES = 64 * 1024;

/** For `readPiece`. */
export function pieceBuffer(sizeBytes: number): Uint8Array {
  return new Uint8Array(Math.min(PIECE_BYTES, Math.max(1, sizeBytes)));
}

/** @throws ProtocolViolation */
export function checkPath(path: unknown): void {
  if (typeof path === "string" && path.startsWith("/")) return;
  throw new ProtocolViolation("http.response.pathsend: path must be absolute");
}

function checkCount(count: number): void {
  if (count === 0) throw new ProtocolViolation("http.response.pathsend: the file became shorter while it was sent");
}

/** Commits a whole file behind its head, if it fits into the buffer; whether it did. @throws ProtocolViolation */
export function appendShort(file: SendableFile, out: OutBuffer): boolean {
  const { sizeBytes } = file;
  if (sizeBytes > out.room || !out.ensure(sizeBytes)) return false;
  for (let have = 0; have < sizeBytes; ) {
    const count = file.readNow(out.bytes, out.end + have, sizeBytes - have, have);
    checkCount(count);
    have += count;
  }
  out.end += sizeBytes;
  out.commit();
  return true;
}

/** What follows at `position`, at most as much as `buffer` takes; stands in it. @throws ProtocolViolation */
export async function readPiece(file: SendableFile, buffer: Uint8Array, position: number): Promise<Uint8Array> {
  const count = await file.read(buffer, position);
  const length = Math.min(count, file.sizeBytes - position);
  checkCount(length);
  return length === buffer.length ? buffer : buffer.subarray(0, length);
}
