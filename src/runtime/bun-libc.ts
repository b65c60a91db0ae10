/**
 * The two system calls that Bun has no function for: a second `listen(2)` (Bun asks for a backlog of 512 whatever it is
 * told) and `poll(2)` for a peer's FIN behind a pause. Opened through FFI when first needed; without FFI both are done
 * without.
 */
import process from "node:process";
import { type BunFfi, bunFfi } from "./bun-api.ts";

/** Linux's, in <poll.h>: the peer has shut down its writing half. */
const POLLRDHUP = 0x2000;
/** Linux's, in <asm-generic/ioctls.h>: the count of bytes that can be read. */
const FIONREAD = 0x541b;
/** struct pollfd { int fd; short events; short revents; } */
const POLLFD_BYTES = 8;

const CANDIDATES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1", "libSystem.B.dylib"];

export interface Libc {
  /** Sets the accept queue's length of a listening descriptor; false when the system refuses. */
  listen(descriptor: number, backlog: number): boolean;
  /** Which of the descriptors have met their peer's FIN; undefined where the system can't tell. */
  ended?(descriptors: readonly number[]): boolean[];
  /** Bytes that wait to be read; -1 when unknown. */
  unread(descriptor: number): number;
}

function openLibc(ffi: BunFfi): Libc | undefined {
  for (const name of CANDIDATES) {
    try {
      const { symbols } = ffi.dlopen(name, {
        listen: { args: ["int", "int"], returns: "int" },
        poll: { args: ["ptr", "u64", "int"], returns: "int" },
        ioctl: { args: ["int", "u64", "ptr"], returns: "int" },
      });
      const count = new Int32Array(1);
      const linux = process.platform === "linux";
      return {
        listen: (descriptor, backlog) => symbols.listen(descriptor, backlog) === 0,
        ended: linux ? (descriptors) => pollEnded(symbols.poll, descriptors) : undefined,
        unread: (descriptor) => (linux && symbols.ioctl(descriptor, FIONREAD, count) === 0 ? count[0]! : -1),
      };
    } catch {
      // The next name, then.
    }
  }
  return undefined;
}

function pollEnded(
  poll: (entries: Uint8Array, count: number, timeoutMs: number) => number,
  descriptors: readonly number[],
): boolean[] {
  const entries = new DataView(new ArrayBuffer(descriptors.length * POLLFD_BYTES));
  for (let i = 0; i < descriptors.length; i++) {
    entries.setInt32(i * POLLFD_BYTES, descriptors[i]!, true);
    entries.setInt16(i * POLLFD_BYTES + 4, POLLRDHUP, true);
  }
  poll(new Uint8Array(entries.buffer), descriptors.length, 0);
  return descriptors.map((_, i) => (entries.getInt16(i * POLLFD_BYTES + 6, true) & POLLRDHUP) !== 0);
}

let opened: Promise<Libc | undefined> | undefined;

/** The C library, or undefined without FFI. */
export function libc(): Promise<Libc | undefined> {
  opened ??= bunFfi()
    .then(openLibc)
    .catch(() => undefined);
  return opened;
}
