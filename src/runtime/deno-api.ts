/**
 * The few parts of the `Deno` namespace that the server uses, declared here because one type check covers both
 * runtimes. A test lets Deno's own checker confirm that the real namespace fits.
 */

export interface DenoNetAddress {
  readonly transport: "tcp" | "udp";
  readonly hostname: string;
  readonly port: number;
}

export interface DenoUnixAddress {
  readonly transport: "unix" | "unixpacket";
  readonly path: string;
}

export interface DenoVsockAddress {
  readonly transport: "vsock";
}

export type DenoAddress = DenoNetAddress | DenoUnixAddress | DenoVsockAddress;

export interface DenoConnection {
  readonly localAddr: DenoAddress;
  readonly remoteAddr: DenoAddress;
  /** Fills `into`; null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Resolves to the count of bytes taken, which may be fewer than offered. */
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  /** TCP only. */
  setNoDelay?(noDelay?: boolean): void;
}

export interface DenoListener {
  readonly addr: DenoAddress;
  accept(): Promise<DenoConnection>;
  close(): void;
}

export interface DenoTcpOptions {
  transport?: "tcp";
  hostname: string;
  port: number;
  tcpBacklog?: number;
  reusePort?: boolean;
}

export interface DenoUnixOptions {
  transport: "unix";
  path: string;
}

export interface DenoNamespace {
  readonly version: { readonly deno: string };
  readonly args: readonly string[];
  readonly mainModule: string;
  readonly build: { readonly standalone: boolean };
  readonly stdout: { isTerminal(): boolean };
  readonly stderr: { isTerminal(): boolean };
  execPath(): string;
  listen(options: DenoTcpOptions): DenoListener;
  listen(options: DenoUnixOptions): DenoListener;
}

/** The namespace of the running Deno. */
export function denoNamespace(): DenoNamespace {
  return (globalThis as unknown as { Deno: DenoNamespace }).Deno;
}
