/** Chooses the runtime that this process runs on. */
import type { Runtime } from "./types.ts";

/** The running process's runtime. Both imports are literal so that either runtime's compiler finds its half. */
export async function currentRuntime(): Promise<Runtime> {
  if ("Deno" in globalThis) return (await import("./deno.ts")).denoRuntime;
  return (await import("./bun.ts")).bunRuntime;
}
