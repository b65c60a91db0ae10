/**
 * Reads and writes of Deno's connections without what Deno's own methods add: an asynchronous function and a set entry
 * for each read, a tenth of the processor time of a short request. And without Deno's object for a connection, which is
 * 0.7 KB. Deno keeps these calls where its own libraries reach them; where they are missing, the methods serve.
 */
import type { DenoConnection } from "./deno-api.ts";

/** What a read or a write gives: 0 or null at the end of the stream. */
type Count = Promise<number | null>;

interface Core {
  readonly internalRidSymbol: symbol;
  read(resource: number, into: Uint8Array): Promise<number>;
  write(resource: number, bytes: Uint8Array): Promise<number>;
  shutdown(resource: number): Promise<void>;
  close(resource: number): void;
}

const NAMES = ["read", "write", "shutdown", "close"] as const;

function findCore(): Core | undefined {
  const deno = Reflect.get(globalThis, "Deno") as Record<PropertyKey, unknown> | undefined;
  const internal = deno?.[deno.internal as PropertyKey] as { core?: Partial<Core> } | undefined;
  const core = internal?.core;
  const complete =
    core !== undefined &&
    typeof core.internalRidSymbol === "symbol" &&
    NAMES.every((name) => typeof core[name] === "function");
  return complete ? (core as Core) : undefined;
}

const core = findCore();

/** A connection as the calls below take it: Deno's number for it, or its object where the number can't be had. */
export type Handle = number | DenoConnection;

export function handleOf(raw: DenoConnection): Handle {
  if (core === undefined) return raw;
  const resource = Reflect.get(raw, core.internalRidSymbol) as unknown;
  return typeof resource === "number" ? resource : raw;
}

export function readInto(handle: Handle, into: Uint8Array): Count {
  return typeof handle === "number" ? core!.read(handle, into) : handle.read(into);
}

export function writeFrom(handle: Handle, bytes: Uint8Array): Promise<number> {
  return typeof handle === "number" ? core!.write(handle, bytes) : handle.write(bytes);
}

/** Sends FIN. */
export function shutdownOf(handle: Handle): Promise<void> {
  return typeof handle === "number" ? core!.shutdown(handle) : handle.closeWrite();
}

/** Lets it go; nothing happens when that has been done. */
export function closeOf(handle: Handle): void {
  try {
    if (typeof handle === "number") core!.close(handle);
    else handle.close();
  } catch {
    // Deno has closed it itself.
  }
}
