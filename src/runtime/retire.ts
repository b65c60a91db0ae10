/**
 * Lets a listener that shares its port be closed without losing a connection (Linux).
 *
 * The kernel gives each new connection to one of the processes on the port, and resets those that wait in the queue of a
 * listener that is closed. So the listener first gets a packet filter that drops SYN segments (socket(7),
 * SO_ATTACH_FILTER): no connection begins on it any more, those whose handshake is under way are accepted still, and a
 * client whose SYN was dropped repeats it after a second and reaches another process. Runtimes have no function for this,
 * so it is asked of the C library.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/** setsockopt(2) of a packet filter. */
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;

/** Classic BPF, linux/filter.h: [code, jump if true, jump if false, constant]. The packet begins at the TCP header. */
const DROP_SYN: readonly (readonly [number, number, number, number])[] = [
  [0x30, 0, 0, 13], // A = byte 13, the flags (RFC 9293 section 3.1)
  [0x45, 0, 1, 0x02], // SYN set?
  [0x06, 0, 0, 0], // drop
  [0x06, 0, 0, 0xffffffff], // keep all of it
];
const INSTRUCTION_BYTES = 8;
/** struct sock_fprog { unsigned short len; struct sock_filter *filter; } on 64-bit machines. */
const PROGRAM_BYTES = 16;
const PROGRAM_POINTER_OFFSET = 8;

const CANDIDATES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
/** Connection state LISTEN in /proc/net/tcp. */
const LISTEN = "0A";

/** What the two runtimes' FFI have in common for this one call. */
interface Native {
  setsockopt(descriptor: number, level: number, name: number, value: Uint8Array, length: number): number;
  addressOf(bytes: Uint8Array): bigint;
}

interface BunForeign {
  dlopen(name: string, symbols: object): { symbols: Pick<Native, "setsockopt"> };
  ptr(bytes: Uint8Array): number;
}

interface DenoForeign {
  dlopen(name: string, symbols: object): { symbols: Pick<Native, "setsockopt"> };
  UnsafePointer: { of(bytes: Uint8Array): unknown; value(pointer: unknown): bigint };
}

async function openOnBun(name: string): Promise<Native> {
  // Not literal: Deno's checker knows no such module.
  const module = "bun:ffi";
  const ffi = (await import(module)) as BunForeign;
  const { symbols } = ffi.dlopen(name, { setsockopt: { args: ["int", "int", "int", "ptr", "u32"], returns: "int" } });
  return { setsockopt: symbols.setsockopt, addressOf: (bytes) => BigInt(ffi.ptr(bytes)) };
}

function openOnDeno(deno: DenoForeign, name: string): Native {
  const { symbols } = deno.dlopen(name, {
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  });
  const { UnsafePointer } = deno;
  return { setsockopt: symbols.setsockopt, addressOf: (bytes) => BigInt(UnsafePointer.value(UnsafePointer.of(bytes))) };
}

async function openNative(): Promise<Native | undefined> {
  const deno = (globalThis as unknown as { Deno?: DenoForeign }).Deno;
  for (const name of CANDIDATES) {
    try {
      return deno === undefined ? await openOnBun(name) : openOnDeno(deno, name);
    } catch {
      // The next name, then; without any, or without the permission, it is done without.
    }
  }
  return undefined;
}

/** Inodes of the listening sockets on a port, of all processes. */
function listeningInodes(port: number): Set<string> {
  const inodes = new Set<string>();
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const file of ["/proc/self/net/tcp", "/proc/self/net/tcp6"]) {
    let table: string;
    try {
      table = readFileSync(file, "utf8");
    } catch {
      continue;
    }
    for (const line of table.split("\n")) {
      // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === LISTEN && local.endsWith(suffix)) inodes.add(inode);
    }
  }
  return inodes;
}

/** This process's descriptors of listening sockets on a port. */
export function listeningDescriptors(port: number): number[] {
  const inodes = listeningInodes(port);
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((descriptor) => {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1];
        return inode !== undefined && inodes.has(inode);
      } catch {
        return false;
      }
    });
}

function encodeFilter(): Uint8Array {
  const bytes = new Uint8Array(DROP_SYN.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, jumpTrue, jumpFalse, constant]] of DROP_SYN.entries()) {
    const at = i * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jumpTrue);
    view.setUint8(at + 3, jumpFalse);
    view.setUint32(at + 4, constant, true);
  }
  return bytes;
}

/**
 * From now on no connection begins on this process's listeners of `port`; close them when those under way have arrived.
 * @returns false where the system does not allow it: closing may then reset connections that wait to be accepted
 */
export async function refuseNewConnections(port: number): Promise<boolean> {
  if (process.platform !== "linux") return false;
  const native = await openNative();
  if (native === undefined) return false;
  const filter = encodeFilter();
  const program = new Uint8Array(PROGRAM_BYTES);
  const view = new DataView(program.buffer);
  view.setUint16(0, DROP_SYN.length, true);
  view.setBigUint64(PROGRAM_POINTER_OFFSET, native.addressOf(filter), true);
  const descriptors = listeningDescriptors(port);
  const results = descriptors.map((descriptor) =>
    native.setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, program, PROGRAM_BYTES),
  );
  return results.length > 0 && results.every((result) => result === 0);
}
