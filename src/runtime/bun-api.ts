/**
 * The few parts of the `Bun` namespace that the server uses, declared here because an application's own type check may
 * run on Deno, which knows no Bun types. A test confirms that Bun's own declarations fit.
 */

export interface BunSocket<Data> {
  data: Data;
  /** These four are undefined behind a reset, whatever Bun's own types say. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** Returns the count taken; -1 when the socket is closed or its sending half is. */
  write(bytes: Uint8Array, byteOffset?: number, byteLength?: number): number;
  pause(): void;
  resume(): void;
  /** Sends FIN; reading goes on. */
  shutdown(): void;
  /** Sends FIN behind what was written and closes at once. */
  end(): void;
  /** Sends RST. */
  terminate(): void;
  unref(): void;
}

export interface BunSocketEvents<Data> {
  /** What `data` is given; Bun's default is a Buffer. */
  readonly binaryType?: "uint8array";
  open(socket: BunSocket<Data>): void;
  data(socket: BunSocket<Data>, chunk: Uint8Array): void;
  drain(socket: BunSocket<Data>): void;
  end(socket: BunSocket<Data>): void;
  close(socket: BunSocket<Data>, error?: Error): void;
  error(socket: BunSocket<Data>, error: Error): void;
}

/** Undocumented by Bun, but there since 1.0: the descriptor of an open socket or listener. */
export interface WithDescriptor {
  readonly fd?: number;
}

export interface BunListener {
  readonly port: number;
  stop(): void;
}

export interface BunListenOptions<Data> {
  hostname: string;
  port: number;
  allowHalfOpen: boolean;
  /** Undocumented for `listen`; see a test. */
  reusePort: boolean;
  socket: BunSocketEvents<Data>;
}

export interface BunUnixOptions<Data> {
  unix: string;
  allowHalfOpen: boolean;
  socket: BunSocketEvents<Data>;
}

/** Takes over an open descriptor; Bun's types know the options but not this overload. */
export interface BunDescriptorOptions<Data> {
  fd: number;
  socket: BunSocketEvents<Data>;
}

/** What a plugin's setup is given: `module` answers imports of one name. */
export interface BunPluginBuilder {
  module(name: string, load: () => { exports: Record<string, unknown>; loader: "object" }): void;
}

export interface BunNamespace {
  readonly version: string;
  readonly main: string;
  listen<Data>(options: BunListenOptions<Data>): BunListener;
  listen<Data>(options: BunUnixOptions<Data>): BunListener;
  /** Collects garbage; `synchronously`: before it returns. */
  gc(synchronously: boolean): void;
  plugin(options: { name: string; setup(builder: BunPluginBuilder): void }): void;
  connect<Data>(options: BunDescriptorOptions<Data>): Promise<BunSocket<Data>>;
}

/** The namespace of the running Bun. */
export function bunNamespace(): BunNamespace {
  return (globalThis as unknown as { Bun: BunNamespace }).Bun;
}

/** The functions that the server calls in the C library, as `bun:ffi` hands them out. */
export interface LibcSymbols {
  listen(descriptor: number, backlog: number): number;
  poll(entries: Uint8Array, count: number, timeoutMs: number): number;
  ioctl(descriptor: number, request: number, result: Int32Array): number;
}

export interface BunFfi {
  dlopen(
    name: string,
    symbols: Record<keyof LibcSymbols, { args: string[]; returns: string }>,
  ): { readonly symbols: LibcSymbols };
}

/** Loads `bun:ffi`. The name is no literal because Deno's checker would look for the module. */
export function bunFfi(): Promise<BunFfi> {
  const name = "bun:ffi";
  return import(name) as Promise<BunFfi>;
}
