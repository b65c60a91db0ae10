/**
 * Lets a listener that shares its port be closed without losing a connection (Linux).
 *
 * The kernel gives each new connection to one of the processes on the port, and resets those that wait in the queue of a
 * listener that is closed. So two small packet filters (socket(7)) come first:
 * - SO_ATTACH_REUSEPORT_CBPF leads all new connections to the successor. It stays when the listener is closed, and then
 *   names a place that no listener has, so that the kernel chooses by itself again.
 * - SO_ATTACH_FILTER drops SYN segments that reach this listener all the same. No connection begins on it any more,
 *   those whose handshake is under way are accepted still, and a client whose SYN was dropped repeats it after a second
 *   and reaches another process.
 * Runtimes have no function for this, so it is asked of the C library.
 */
import { readdirSync } from "node:fs";
import process from "node:process";

/** Linux's, <asm-generic/socket.h>. */
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_ACCEPTCONN = 30;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const SO_DETACH_REUSEPORT_BPF = 68;
const AF_INET = 2;
const AF_INET6 = 10;
/** struct sockaddr_storage. Of both families' addresses the port is the second 16-bit word. */
const SOCKADDR_BYTES = 128;

/** Classic BPF, linux/filter.h: [code, jump if true, jump if false, constant]. */
type Instruction = readonly [number, number, number, number];

/** The packet begins at the TCP header. */
const DROP_SYN: readonly Instruction[] = [
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

/** The functions of the C library, as both runtimes' FFI hand them out. */
interface Calls {
  setsockopt(descriptor: number, level: number, name: number, value: Uint8Array, length: number): number;
  getsockopt(descriptor: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number;
  getsockname(descriptor: number, address: Uint8Array, length: Uint8Array): number;
}

interface Native extends Calls {
  addressOf(bytes: Uint8Array): bigint;
}

interface BunForeign {
  dlopen(name: string, symbols: object): { symbols: Calls };
  ptr(bytes: Uint8Array): number;
}

interface DenoForeign {
  dlopen(name: string, symbols: object): { symbols: Calls };
  UnsafePointer: { of(bytes: Uint8Array): unknown; value(pointer: unknown): bigint };
}

const ARGUMENTS = {
  setsockopt: ["int", "int", "int", "bytes", "u32"],
  getsockopt: ["int", "int", "int", "bytes", "bytes"],
  getsockname: ["int", "bytes", "bytes"],
};

/** The declarations in a runtime's own words. */
function declare(words: Record<string, string>, wrap: (types: string[]) => object): object {
  const entries = Object.entries(ARGUMENTS).map(([name, types]) => [name, wrap(types.map((type) => words[type]))]);
  return Object.fromEntries(entries);
}

async function openOnBun(name: string): Promise<Native> {
  // Not literal: Deno's checker knows no such module.
  const module = "bun:ffi";
  const ffi = (await import(module)) as BunForeign;
  const words = { int: "int", bytes: "ptr", u32: "u32" };
  const { symbols } = ffi.dlopen(
    name,
    declare(words, (args) => ({ args, returns: "int" })),
  );
  return { ...symbols, addressOf: (bytes) => BigInt(ffi.ptr(bytes)) };
}

function openOnDeno(deno: DenoForeign, name: string): Native {
  const words = { int: "i32", bytes: "buffer", u32: "u32" };
  const { symbols } = deno.dlopen(
    name,
    declare(words, (parameters) => ({ parameters, result: "i32" })),
  );
  const { UnsafePointer } = deno;
  return { ...symbols, addressOf: (bytes) => BigInt(UnsafePointer.value(UnsafePointer.of(bytes))) };
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

/** This process's descriptors of listening TCP sockets on a port. */
function listeningDescriptors(native: Native, port: number): number[] {
  const flag = new Int32Array(1);
  const address = new Uint8Array(SOCKADDR_BYTES);
  const length = new Uint32Array(1);
  const bytesOf = (array: Int32Array | Uint32Array): Uint8Array => new Uint8Array(array.buffer);
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((descriptor) => {
      length[0] = flag.byteLength;
      // Fails for what is no socket.
      if (native.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, bytesOf(flag), bytesOf(length)) !== 0) return false;
      if (flag[0] === 0) return false;
      length[0] = address.byteLength;
      if (native.getsockname(descriptor, address, bytesOf(length)) !== 0) return false;
      const family = new DataView(address.buffer).getUint16(0, true);
      const isInternet = family === AF_INET || family === AF_INET6;
      return isInternet && new DataView(address.buffer).getUint16(2, false) === port;
    });
}

/** Chooses the listener with this place in the list; the kernel chooses by hash when there is none. */
function choose(place: number): readonly Instruction[] {
  return [[0x06, 0, 0, place]];
}

function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, jumpTrue, jumpFalse, constant]] of instructions.entries()) {
    const at = i * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jumpTrue);
    view.setUint8(at + 3, jumpFalse);
    view.setUint32(at + 4, constant, true);
  }
  return bytes;
}

/** Sets a filter; false when the system refuses. */
function attach(native: Native, descriptor: number, option: number, instructions: readonly Instruction[]): boolean {
  const filter = encode(instructions);
  const program = new Uint8Array(PROGRAM_BYTES);
  const view = new DataView(program.buffer);
  view.setUint16(0, instructions.length, true);
  view.setBigUint64(PROGRAM_POINTER_OFFSET, native.addressOf(filter), true);
  return native.setsockopt(descriptor, SOL_SOCKET, option, program, PROGRAM_BYTES) === 0;
}

/**
 * From now on no connection begins on this process's listeners of `port`; close them when those under way have arrived.
 *
 * @param successor place, in the order in which the listeners that share the port began to listen, of the one that gets
 *   the new connections from now on, until the listeners are one fewer; undefined leaves it to the kernel. A place that
 *   does not exist does the same.
 * @returns false where the system does not allow it: closing may then reset connections that wait to be accepted
 */
export async function retireListeners(port: number, successor: number | undefined): Promise<boolean> {
  const native = process.platform === "linux" ? await openNative() : undefined;
  if (native === undefined) return false;
  const descriptors = listeningDescriptors(native, port);
  if (successor !== undefined) {
    for (const descriptor of descriptors) attach(native, descriptor, SO_ATTACH_REUSEPORT_CBPF, choose(successor));
  }
  const refused = descriptors.map((descriptor) => attach(native, descriptor, SO_ATTACH_FILTER, DROP_SYN));
  return refused.length > 0 && !refused.includes(false);
}

/** The kernel spreads new connections over all listeners again: for one that is added to those that a retired one led. */
export async function spreadConnections(port: number): Promise<void> {
  const native = process.platform === "linux" ? await openNative() : undefined;
  if (native === undefined) return;
  const nothing = new Uint8Array(4);
  for (const descriptor of listeningDescriptors(native, port)) {
    // Fails when nobody led them, which is as well.
    native.setsockopt(descriptor, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, nothing, nothing.length);
  }
}
